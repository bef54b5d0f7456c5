"""The recipe `tanh-gan` as one flat script: the specification of facegan's trainer.

It imports nothing of facegan. On the same dataset and seed it computes what
`facegan train tanh-gan` computes on one CPU process in float32; a test holds the two together.

    python examples/plain_gan.py DATASET --steps 100

prints one JSON line a step and keeps nothing: it is there to be read and compared with.
"""

from __future__ import annotations

import argparse
import copy
import csv
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

# Every random number is drawn from (seed, stream, counter), so nothing depends on what was
# drawn before, and a run can begin again anywhere.
INITIAL_WEIGHTS, STEP, ORDER = 0, 1, 2
LATENT = 128
EMA_HALF_LIFE, EMA_RAMPUP = 5000.0, 0.05  # images; share of the images seen


def random(seed: int, stream: int, counter: int) -> np.random.Generator:
    """NumPy's generator of one stream at one counter."""
    return np.random.default_rng([seed, stream, counter])


def read_dataset(folder: Path) -> np.ndarray:
    """The training split of a dataset: uint8 [M, H, W, C]."""
    with (folder / "items.csv").open(encoding="utf-8", newline="") as file:
        train = [item["split"] == "train" for item in csv.DictReader(file)]
    return np.load(folder / "images.npy", mmap_mode="r")[np.array(train)]


def make_networks(height: int, channels: int, seed: int) -> tuple[nn.Module, nn.Module]:
    """The report's tables 1 (with tanh, table 3) and 2, their image sides read as widths."""
    pixels = height * height * channels
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(random(seed, INITIAL_WEIGHTS, 0).integers(2**63 - 1)))
        generator = nn.Sequential(
            *(nn.Linear(LATENT, 256), nn.ReLU()),
            *(nn.Linear(256, 128), nn.ReLU()),
            *(nn.Linear(128, 64), nn.ReLU()),
            *(nn.Linear(64, pixels), nn.Tanh()),
            nn.Unflatten(1, (channels, height, height)),
        )
        discriminator = nn.Sequential(
            nn.Flatten(),
            *(nn.Linear(pixels, 256), nn.LeakyReLU(0.2)),
            *(nn.Linear(256, 64), nn.LeakyReLU(0.2)),
            *(nn.Linear(64, 16), nn.LeakyReLU(0.2)),
            nn.Linear(16, 1),
            nn.Flatten(0),
        )
    return generator, discriminator


def real_batch(images: np.ndarray, seed: int, position: int, batch: int) -> Tensor:
    """The images at positions [position, position + batch) of the run, in [−1, 1].

    Each epoch shows every image once, in an order of its own.
    """
    chosen = []
    for place in range(position, position + batch):
        epoch, within = divmod(place, len(images))
        chosen.append(random(seed, ORDER, epoch).permutation(len(images))[within])
    stored = torch.from_numpy(images[chosen]).float()
    minus_one, scale = torch.tensor(-1.0), torch.tensor(2 / 255)
    return torch.addcmul(minus_one, stored, scale).permute(0, 3, 1, 2)


def train(
    folder: Path, steps: int, batch: int = 64, seed: int = 0
) -> Iterator[tuple[dict[str, float], nn.Module]]:
    """Train, yielding after each step its values and the averaged generator."""
    images = read_dataset(folder)
    generator, discriminator = make_networks(images.shape[1], images.shape[3], seed)
    average = copy.deepcopy(generator)
    adam_g = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999), fused=True)
    adam_d = torch.optim.Adam(discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999), fused=True)
    for step in range(steps):
        seen = step * batch
        real = real_batch(images, seed, seen, batch)
        z = torch.from_numpy(random(seed, STEP, seen).standard_normal((batch, LATENT), np.float32))
        fake = generator(z)

        # The discriminator minimises −log D(x) − log(1 − D(G(z))), with D = σ(logit):
        # −log σ(a) = softplus(−a), and −log(1 − σ(a)) = softplus(a).
        real_logits, fake_logits = discriminator(real), discriminator(fake.detach())
        loss_d = (softplus(-real_logits) + softplus(fake_logits)).mean()
        adam_d.zero_grad()
        loss_d.backward()
        adam_d.step()

        # The generator minimises −log D(G(z)), on the same images: it has not changed since
        # it made them, but the discriminator has.
        loss_g = softplus(-discriminator(fake)).mean()
        adam_g.zero_grad()
        loss_g.backward()
        adam_g.step()

        # The average halves what it knew after `half_life` images: few in the beginning, so
        # that it does not remember the random weights. Before the first image: none.
        half_life = min(EMA_HALF_LIFE, seen * EMA_RAMPUP)
        old = 0.5 ** (batch / half_life) if half_life > 0 else 0.0
        with torch.no_grad():
            for kept, new in zip(average.parameters(), generator.parameters(), strict=True):
                kept.lerp_(new, 1.0 - old)

        values = {
            "images_seen": seen + batch,
            "discriminator/adversarial": loss_d.item(),
            "generator/adversarial": loss_g.item(),
            "logits_real": real_logits.mean().item(),
            "logits_fake": fake_logits.mean().item(),
        }
        yield values, average


def main() -> None:
    """Read the arguments and print a line a step."""
    parser = argparse.ArgumentParser(description="facegan's trainer as a flat script")
    parser.add_argument("dataset", type=Path, help="a dataset made by `facegan data`")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    for values, _ in train(given.dataset, given.steps, given.batch, given.seed):
        print(json.dumps(values), flush=True)


if __name__ == "__main__":
    main()
