"""Train the self-supervised feature space that facegan ships, from faces without labels.

    python scripts/train_selfsup.py lfw64 [--epochs 24] [--out FILE]

Of the dataset (64 px, colour) the training people alone are looked at, and nothing is known of
them. Two views of each photograph, cut, tilted, mirrored and coloured by chance, are to be found
among the views of others (SimCLR, Chen et al. 2020, arXiv:2002.05709, equation 1). Views are
neither blurred nor given noise, so that what is sharp stays visible to the features. One core,
about half an hour. The same kind of processor and the same PyTorch give the same file again.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional as F

from facegan.data.dataset import Dataset
from facegan.errors import DataError
from facegan.evaluation.extractors import selfsup
from facegan.evaluation.extractors.selfsup import KEY, LAYERS, MEAN, SCALE, SIDE, WEIGHTS, Trunk
from facegan.networks.backbones.weights import fold_batch_norm
from facegan.seeding import READER, random, torch_seed
from facegan.version import __version__

# Counters of random numbers, apart from those of the readers.
_EPOCH, _FIRST = 2**43, 2**44
_BATCH, _CROP = 256, 48
_RATE, _DECAY, _TEMPERATURE = 2e-3, 1e-4, 0.2
_WARM = 100  # steps
_LUMA = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)


def main() -> None:
    """Train, fold, weigh, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--out", type=Path, default=Path(selfsup.__file__).parents[1] / WEIGHTS)
    options = parser.parse_args()
    torch.set_num_threads(1)  # the order of sums, and so the last digits, depend on it
    dataset = Dataset.open(options.dataset)
    if dataset.spec.resolution != SIDE or dataset.spec.channels != 3:
        raise DataError(f"{dataset.path} is not {SIDE} px in colour.", "Import it again.")
    pictures = torch.from_numpy(np.asarray(dataset.images[dataset.indices("train")]))
    pictures = pictures.permute(0, 3, 1, 2).contiguous()
    trunk = train(pictures, options.epochs)
    folded = fold(trunk)
    about = {
        "what": "features of faces learned without labels",
        "command": f"python scripts/{Path(__file__).name} {dataset.path.name} "
        f"--epochs {options.epochs}",
        "dataset": dataset.card["name"],
        "fingerprint": dataset.fingerprint,
        "pictures": len(pictures),
        "versions": {"facegan": __version__, "torch": torch.__version__.partition("+")[0]},
    }
    tensors = {name: value.half().contiguous() for name, value in folded.state_dict().items()}
    folded.load_state_dict({name: value.float() for name, value in tensors.items()})
    tensors["weight"] = weight(folded, pictures)
    content = save(tensors, metadata={KEY: json.dumps(about)})
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_bytes(content)
    print(f"{options.out}: {len(content):,} bytes, {time.process_time():.0f} s of processor time")


def train(pictures: Tensor, epochs: int) -> Trunk:
    """The trunk, with its batch norms, after so many passes over uint8 [N, 3, 64, 64]."""
    last = LAYERS[-1].channels
    with torch_seed(0, READER, _FIRST):
        trunk = Trunk(normalised=True)
        head = nn.Sequential(
            *(nn.Linear(last, last), nn.BatchNorm1d(last), nn.ReLU(), nn.Linear(last, 64))
        )
    trunk.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    learned = [*trunk.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(learned, _RATE, weight_decay=_DECAY)
    steps, done = epochs * (len(pictures) // _BATCH), 0
    for epoch in range(epochs):
        draw = random(0, READER, _EPOCH + epoch)
        order = torch.from_numpy(draw.permutation(len(pictures)))
        total = 0.0
        for rows in order[: len(order) // _BATCH * _BATCH].split(_BATCH):
            for group in optimizer.param_groups:
                falling = _RATE * (1 + math.cos(math.pi * done / steps)) / 2
                group["lr"] = falling * min(1.0, (done + 1) / _WARM)
            some = pictures[rows].float()
            views = torch.cat([view(some, draw), view(some, draw)])
            views = views.contiguous(memory_format=torch.channels_last)
            with torch.autocast("cpu", torch.bfloat16):
                seen = trunk(views)[:, -last:]
            loss = contrast(head(seen.float()))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            done, total = done + 1, total + loss.item()
        print(
            f"epoch {epoch + 1}: {total * epochs / steps:.4f}, {time.process_time():.0f} s",
            flush=True,
        )
    return trunk.eval()


def view(pictures: Tensor, draw: np.random.Generator) -> Tensor:
    """One view of each: float [N, 3, 64, 64] of bytes to [N, 3, 48, 48] as the trunk takes them."""
    n = len(pictures)

    def uniform(low: float, high: float) -> Tensor:
        return torch.from_numpy(draw.uniform(low, high, n).astype(np.float32))

    side, aspect, turn = uniform(0.6, 1.0), uniform(-0.1, 0.1).exp(), uniform(-0.15, 0.15)
    across, down = side * aspect, side / aspect
    flip = uniform(-1, 1).sign()
    map_ = torch.stack(
        [
            torch.stack([flip * across * turn.cos(), -down * turn.sin(), 0 * turn], 1),
            torch.stack([flip * across * turn.sin(), down * turn.cos(), 0 * turn], 1),
        ],
        1,
    )
    map_[:, 0, 2] = (1 - across).clamp(min=0) * uniform(-1, 1)
    map_[:, 1, 2] = (1 - down).clamp(min=0) * uniform(-1, 1)
    grid = F.affine_grid(map_, [n, 3, _CROP, _CROP], align_corners=False)
    x = F.grid_sample(pictures, grid, padding_mode="reflection", align_corners=False)
    grey = (x * _LUMA).sum(1, keepdim=True)
    without = (uniform(0, 1) < 0.15).float()
    saturation = (uniform(0.4, 1.5) * (1 - without)).view(-1, 1, 1, 1)
    x = grey + saturation * (x - grey)
    tint = torch.stack([uniform(0.9, 1.1) for _ in range(3)], 1)[:, :, None, None]
    contrast_, bright = uniform(0.6, 1.4).view(-1, 1, 1, 1), uniform(-40, 40).view(-1, 1, 1, 1)
    mean = x.mean((1, 2, 3), keepdim=True)
    return (((x - mean) * contrast_ + mean + bright) * tint - MEAN) / SCALE


def contrast(projected: Tensor) -> Tensor:
    """Normalised cross-entropy: each of 2N views is to find the other of its picture."""
    z = F.normalize(projected, dim=1)
    n = len(z) // 2
    alike = (z @ z.T / _TEMPERATURE).masked_fill(torch.eye(2 * n, dtype=torch.bool), -math.inf)
    return F.cross_entropy(alike, torch.arange(2 * n).roll(n))


def fold(trunk: Trunk) -> Trunk:
    """The same network without batch norms."""
    plain = Trunk().eval()
    for new, old, norm in zip(plain.convolutions, trunk.convolutions, trunk.norms, strict=True):
        kernel, bias = fold_batch_norm(
            old.weight, norm.weight, norm.bias, norm.running_mean, norm.running_var, norm.eps
        )
        with torch.no_grad():
            new.weight.copy_(kernel)
            new.bias.copy_(bias)
    return plain


@torch.no_grad()
def weight(trunk: Trunk, pictures: Tensor) -> Tensor:
    """What each feature is multiplied with: then each resolution has a total variance of 1."""
    seen = torch.cat([trunk((some.float() - MEAN) / SCALE) for some in pictures.split(256)])
    parts = seen.double().var(0).split([layer.channels for layer in LAYERS if layer.tap])
    return torch.cat([part.sum().rsqrt().expand(len(part)) for part in parts]).float()


if __name__ == "__main__":
    main()
