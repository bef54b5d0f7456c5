"""Pictures from a generator: reproducible by seed, whatever the batch."""

from __future__ import annotations

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
