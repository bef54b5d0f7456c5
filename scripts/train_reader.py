"""Train the portrait reader that facegan ships, from portraits that it draws itself.

    python scripts/train_reader.py [--out FILE]

The same kind of processor and the same PyTorch give the same file again, to the last byte;
others give one that reads as well. Run it again whenever `portraits.VERSION` is raised.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import save
from torch import Tensor
from torch.nn import functional as F

from facegan import portraits
from facegan.evaluation import portrait_reader as reading
from facegan.evaluation.portrait_reader import (
    KEY,
    SIDE,
    SIZES,
    WEIGHTS,
    Network,
    Reader,
    prepared,
    true_values,
)
from facegan.portraits import MODES
from facegan.seeding import READER, random, torch_seed

# Series of portraits that no one else draws: to learn from, to choose the threshold on, to
# measure accuracy on.
_LEARN, _CHOOSE, _MEASURE = 2**40, 2**40 + 1, 2**40 + 2
_DRAWN = 24_000
_STEPS = 3_000
# Portraits in a step, and pictures that are none (a multiple of their seven kinds).
_BATCH, _OTHERS = 64, 14
_LEARNING_RATE, _WEIGHT_DECAY = 3e-3, 0.02
# What is read besides the modes matters less.
_BESIDES = 0.2
# The share of sound portraits that may be called unreadable.
_REFUSED = 0.005
_MEASURED = {16: 4_000, 32: 4_000, 64: 4_000, 128: 1_000}
_LUMA = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)


def main() -> None:
    """Draw, train, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Path(reading.__file__).parent / WEIGHTS
    parser.add_argument("--out", type=Path, default=default)
    parser.add_argument("--steps", type=int, default=_STEPS)
    options = parser.parse_args()
    torch.set_num_threads(1)  # the order of sums, and so the last digits, depend on it
    began = time.monotonic()
    people = portraits.sample(_DRAWN, seed=_LEARN)
    pictures = portraits.draw(people, SIDE)
    print(f"{_DRAWN} portraits drawn, {time.monotonic() - began:.0f} s", flush=True)
    with torch_seed(0, READER):
        network = train(pictures, true_values(people), options.steps)
    threshold = choose_threshold(network)
    accuracy = measure(Reader(network, threshold, {}))
    write(options.out, network, threshold, accuracy)
    print(f"{options.out}: {options.out.stat().st_size:,} bytes, {time.monotonic() - began:.0f} s")


def train(pictures: npt.NDArray[np.uint8], values: npt.NDArray[np.int64], steps: int) -> Network:
    """A network that reads these pictures [N, 64, 64, 3] as these values [N, A]."""
    network = Network().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=_WEIGHT_DECAY)
    targets = torch.from_numpy(values)
    portrait = torch.cat((torch.ones(_BATCH), torch.zeros(_OTHERS)))
    began = time.monotonic()
    for step in range(steps):
        warmed_up = min(1.0, (step + 1) / 60)
        for group in optimizer.param_groups:
            group["lr"] = _LEARNING_RATE * warmed_up * (1 + math.cos(math.pi * step / steps)) / 2
        spoil = Spoiler(random(0, READER, step + 1))
        chosen = spoil.random.choice(len(pictures), _BATCH + _OTHERS, replace=False)
        drawn = prepared(pictures[chosen])
        # All are spoiled alike at last, or sharpness alone would tell portraits from others.
        batch = spoil.slightly(torch.cat((drawn[:_BATCH], spoil.beyond_reading(drawn[_BATCH:]))))
        logits = network(batch.contiguous(memory_format=torch.channels_last))
        *heads, whether = logits.split((*SIZES, 1), dim=1)
        losses = [
            F.cross_entropy(head[:_BATCH], targets[chosen[:_BATCH], attribute])
            for attribute, head in enumerate(heads)
        ]
        loss = torch.stack(losses[: len(MODES)]).sum()
        loss = loss + _BESIDES * torch.stack(losses[len(MODES) :]).sum()
        loss = loss + 0.5 * F.binary_cross_entropy_with_logits(whether[:, 0], portrait)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 250 == 0:
            print(f"step {step}: {loss.item():.3f}, {time.monotonic() - began:.0f} s", flush=True)
    return network.eval()


class Spoiler:
    """Does to portraits what generators, files and resizing do to them, and worse.

    Pictures are float [N, 3, 64, 64] in [0, 1].
    """

    def __init__(self, random: np.random.Generator) -> None:
        self.random = random

    def slightly(self, x: Tensor) -> Tensor:
        """What can be read stays so: moved, bent a little, coarse, compressed, grey, tinted, noisy.

        A fifth of the pictures are left as they are.
        """
        n, before = len(x), x
        bent = self._some(n, 0.3) * self._uniform(0, 0.5, n)
        x = self._moved(x, bent)
        for share, side in ((0.25, int(self.random.integers(32, 60))), (0.125, 32)):
            which = self._some(n, share)
            x[which] = _coarse(x[which], side)
        which = self._some(n, 0.15)
        x[which] = self._compressed(x[which])
        which = self._some(n, 0.2)
        x[which] = (x[which] * _LUMA).sum(1, keepdim=True)
        contrast, shift = (
            self._uniform(0.75, 1.25, n, 1, 1, 1),
            self._uniform(-0.08, 0.08, n, 1, 1, 1),
        )
        x = (x - 0.5) * contrast + 0.5 + shift + self._uniform(-0.05, 0.05, n, 3, 1, 1)
        noise = self._some(n, 0.5) * self._uniform(0, 0.05, n)
        x = (x + noise[:, None, None, None] * self._normal(*x.shape)).clamp(0, 1)
        return torch.where(self._some(n, 0.2)[:, None, None, None], before, x)

    def beyond_reading(self, x: Tensor) -> Tensor:
        """No portraits any more, in seven ways: N is a multiple of 7."""
        kinds = (
            self._clouds,
            self._shuffled,
            lambda x: self._moved(x, self._uniform(6, 12, len(x))),
            lambda x: torch.rot90(x, int(self.random.integers(1, 4)), (2, 3)),
            lambda x: _coarse(x, int(self.random.integers(3, 8))),
            lambda x: x + self._uniform(0.3, 0.6, len(x), 1, 1, 1) * self._normal(*x.shape),
            lambda some: self._averages(some, x),
        )
        parts = zip(kinds, x.chunk(len(kinds)), strict=True)
        return torch.cat([kind(part) for kind, part in parts]).clamp(0, 1)

    def _clouds(self, x: Tensor) -> Tensor:
        """Noise around a colour, from single pixels to the whole picture."""
        side = int(self.random.choice([2, 3, 4, 6, 8, 16, 32, 64]))
        noise = self._uniform(0.05, 0.6, len(x), 1, 1, 1) * self._normal(len(x), 3, side, side)
        return _enlarged((self._uniform(0, 1, len(x), 3, 1, 1) + noise).clamp(0, 1))

    def _shuffled(self, x: Tensor) -> Tensor:
        """Cut into squares that change places; none keeps its own."""
        side = int(self.random.choice([8, 16, 32]))
        squares = F.unfold(x, side, stride=side)
        around = self.random.permutation(squares.shape[2])
        squares[:, :, around] = squares[:, :, np.roll(around, 1)]
        return F.fold(squares, SIDE, side, stride=side)

    def _averages(self, x: Tensor, crowd: Tensor) -> Tensor:
        """What a crowd has in common, or one flat colour."""
        flat = x.mean((2, 3), keepdim=True).expand_as(x)
        common = crowd.mean(0, keepdim=True).expand_as(x)
        which = self._some(len(x), 0.5)[:, None, None, None]
        return torch.where(which, flat, common) + self._uniform(-0.1, 0.1, len(x), 3, 1, 1)

    def _moved(self, x: Tensor, bent: Tensor) -> Tensor:
        """Shifted, scaled, perhaps mirrored; bent by `bent` [N] pixels here and there."""
        n = len(x)
        axis = (torch.arange(SIDE) + 0.5) * 2 / SIDE - 1
        where = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1).expand(n, -1, -1, -1)
        scale, shift = self._uniform(0.94, 1.06, n, 1, 1, 1), self._uniform(-0.08, 0.08, n, 1, 1, 2)
        mirror = torch.ones(n, 1, 1, 2)
        mirror[self._some(n, 0.5), :, :, 0] = -1
        knots = int(self.random.integers(3, 9))
        bend = _enlarged(self._normal(n, 2, knots, knots)).permute(0, 2, 3, 1) * 2 / SIDE
        where = (where * scale + shift) * mirror + bent[:, None, None, None] * bend
        return F.grid_sample(x, where, padding_mode="border", align_corners=False)

    def _compressed(self, x: Tensor) -> Tensor:
        """Through JPEG, of any quality from 30."""
        done = []
        for rgb in (x * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy():
            quality = [cv2.IMWRITE_JPEG_QUALITY, int(self.random.integers(30, 95))]
            file = cv2.imencode(".jpg", rgb[:, :, ::-1], quality)[1]
            done.append(np.asarray(cv2.imdecode(file, cv2.IMREAD_COLOR))[:, :, ::-1])
        return prepared(np.stack(done)) if done else x

    def _some(self, n: int, share: float) -> Tensor:
        return torch.from_numpy(self.random.random(n) < share)

    def _uniform(self, low: float, high: float, *shape: int) -> Tensor:
        return torch.from_numpy(self.random.uniform(low, high, shape).astype(np.float32))

    def _normal(self, *shape: int) -> Tensor:
        return torch.from_numpy(self.random.standard_normal(shape, np.float32))


def _coarse(x: Tensor, side: int) -> Tensor:
    """Down to `side` pixels and back."""
    return _enlarged(F.interpolate(x, size=(side, side), mode="bilinear", antialias=True))


def _enlarged(x: Tensor) -> Tensor:
    return F.interpolate(x, size=(SIDE, SIDE), mode="bilinear")


def choose_threshold(network: Network) -> float:
    """The logit of "a portrait" that all but `_REFUSED` of sound portraits of any format reach."""
    lowest = []
    for resolution, channels in ((32, 3), (64, 3), (64, 1)):
        pictures = portraits.draw(portraits.sample(2_000, seed=_CHOOSE), resolution, channels)
        with torch.inference_mode():
            logits = torch.cat([network(prepared(some))[:, -1] for some in np.split(pictures, 8)])
        lowest.append(float(logits.double().quantile(_REFUSED)))
    return min(lowest)


def measure(reader: Reader) -> dict[str, dict[int, float]]:
    """The share of fresh portraits whose mode is read right, by colours and resolution."""
    accuracy: dict[str, dict[int, float]] = {"colour": {}, "grey": {}}
    for resolution, n in _MEASURED.items():
        people = portraits.sample(n, seed=_MEASURE)
        right = true_values(people)
        for colours, channels in (("colour", 3), ("grey", 1)):
            found = reader.read(portraits.draw(people, resolution, channels))
            accuracy[colours][resolution] = float(
                (found.modes == portraits.mode_index(people)).mean()
            )
            each = zip(reading.ATTRIBUTES, (found.values == right).mean(0), strict=True)
            print(
                f"{resolution} px, {colours}: mode {accuracy[colours][resolution]:.4f}, readable "
                f"{found.readable.mean():.4f}; {', '.join(f'{k} {v:.4f}' for k, v in each)}",
                flush=True,
            )
    return accuracy


def write(
    path: Path, network: Network, threshold: float, accuracy: dict[str, dict[int, float]]
) -> None:
    """One safetensors file; its metadata says what `Reader.load` must know."""
    about = {
        "portraits": portraits.VERSION,
        "command": "python scripts/train_reader.py",
        "threshold": threshold,
        "accuracy": accuracy,
    }
    tensors = {name: value.contiguous() for name, value in network.state_dict().items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(save(tensors, metadata={KEY: json.dumps(about)}))


if __name__ == "__main__":
    main()
