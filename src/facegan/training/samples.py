"""Pictures from a generator: reproducible by seed, whatever the batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from facegan.data.pixels import Pixels
from facegan.models.interfaces import Generator
from facegan.seeding import image_random

# Pictures are always computed in groups of this size, the last one filled up, because a
# library may choose another algorithm, with other rounding, for another batch size.
GROUP = 32


@torch.no_grad()
def pictures(
    generator: Generator,
    pixels: Pixels,
    seeds: Sequence[int],
    truncation: float = 1.0,
    labels: Mapping[int, float] | None = None,
) -> Iterator[np.ndarray]:
    """Generate one picture for each seed.

    Args:
        generator: in evaluation mode.
        pixels: its conversion to bytes.
        seeds: one for each picture; the same seed is the same picture.
        truncation: ψ in [0, 1]: latents are drawn towards their mean by this factor. Less
            than 1 gives more typical and less varied pictures.
        labels: scaled values that the labels of these columns have in every picture. The
            others, and without this all of them, are those of a training image that the seed
            chooses.

    Yields:
        uint8 [n, H, W, C], n ≤ 32 at a time, in the order of the seeds.
    """
    device = next(generator.parameters()).device
    for begin in range(0, len(seeds), GROUP):
        group = list(seeds[begin : begin + GROUP])
        filled = group + group[-1:] * (GROUP - len(group))
        inputs = [image_inputs(generator, seed, labels) for seed in filled]
        z = torch.cat([z for z, _ in inputs])
        given = [label for _, label in inputs if label is not None]
        images = generator(
            (z * truncation).to(device), torch.cat(given).to(device) if given else None
        )
        yield pixels.to_bytes(images)[: len(group)].cpu().numpy()


def image_inputs(
    generator: Generator, seed: int, labels: Mapping[int, float] | None = None
) -> tuple[Tensor, Tensor | None]:
    """Latent [1, Z] and labels [1, L] (None without any) of the picture with this seed."""
    random = image_random(seed)
    z = generator.latent.draw(random, 1)
    drawn = generator.draw_labels(random, 1)
    if drawn is not None:
        for column, value in (labels or {}).items():
            drawn[:, column] = value
    return z, drawn
