"""The averaged generator: an exponential moving average of the weights, in images."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn


def decay(step_images: int, images_seen: int, half_life: float, rampup: float) -> float:
    """The weight of the old average after one step.

    Args:
        step_images: images in this step.
        images_seen: images seen before it.
        half_life: in kimg: after so many images, an old value counts half.
        rampup: the half-life is at most this fraction of `images_seen`.

    Returns:
        A number in [0, 1): 0.5 ^ (step / half-life); 0 at the very start.
    """
    half_life_images = min(half_life * 1000.0, images_seen * rampup)
    return 0.5 ** (step_images / half_life_images) if half_life_images > 0 else 0.0


@torch.no_grad()
def update(average: nn.Module, network: nn.Module, old: float) -> None:
    """average ← old · average + (1 − old) · network, for weights and running statistics.

    Batch-norm statistics are averaged as the weights are; counters are copied.
    """
    pairs = list(zip(_state(average), _state(network), strict=True))
    floating = [(a, b) for a, b in pairs if a.is_floating_point()]
    torch._foreach_lerp_([a for a, _ in floating], [b for _, b in floating], 1.0 - old)
    for a, b in pairs:
        if not a.is_floating_point():
            a.copy_(b)


def _state(module: nn.Module) -> Iterator[Tensor]:
    yield from module.parameters()
    yield from module.buffers()
