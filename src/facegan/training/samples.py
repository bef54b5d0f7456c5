"""Pictures from a generator: reproducible by seed, whatever the batch, and as grids."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from facegan.data.pixels import Pixels
from facegan.models.interfaces import Generator
from facegan.seeding import image_random

# Pictures are always computed in groups of this size, the last one filled up, because a
# library may choose another algorithm, with other rounding, for another batch size.
GROUP = 32


@torch.no_grad()
def pictures(
    generator: Generator, pixels: Pixels, seeds: Sequence[int], truncation: float = 1.0
) -> Iterator[np.ndarray]:
    """Generate one picture for each seed.

    Args:
        generator: in evaluation mode.
        pixels: its conversion to bytes.
        seeds: one for each picture; the same seed is the same picture.
        truncation: ψ in [0, 1]: latents are drawn towards their mean by this factor. Less
            than 1 gives more typical and less varied pictures.

    Yields:
        uint8 [n, H, W, C], n ≤ 32 at a time, in the order of the seeds.
    """
    device = next(generator.parameters()).device
    for begin in range(0, len(seeds), GROUP):
        group = list(seeds[begin : begin + GROUP])
        filled = group + group[-1:] * (GROUP - len(group))
        z = torch.cat([generator.latent.draw(image_random(seed), 1) for seed in filled])
        images = generator((z * truncation).to(device))
        yield pixels.to_bytes(images)[: len(group)].cpu().numpy()


def grid(images: np.ndarray, columns: int | None = None, gap: int = 2) -> np.ndarray:
    """Lay pictures out in rows.

    Args:
        images: uint8 [N, H, W, C], N ≥ 1.
        columns: pictures in a row; a square by default.
        gap: white pixels between pictures.

    Returns:
        uint8 [rows · (H + gap) − gap, columns · (W + gap) − gap, C].
    """
    n, height, width, channels = images.shape
    columns = min(columns or math.ceil(math.sqrt(n)), n)
    rows = math.ceil(n / columns)
    canvas = np.full(
        (rows * (height + gap) - gap, columns * (width + gap) - gap, channels), 255, np.uint8
    )
    for i, image in enumerate(images):
        y, x = (i // columns) * (height + gap), (i % columns) * (width + gap)
        canvas[y : y + height, x : x + width] = image
    return canvas
