"""Pre-emphasis: a picture whose high frequencies are as loud as the rest.

Discriminators learn the frequencies of small magnitude late (Schwarz, Liao & Geiger 2021,
arXiv:2111.02447): in photographs of faces those are the high ones, which decide whether eyes and
hair look real.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function


class Emphasis(nn.Module):
    """x + gain · (x − low-passed x), with the low-pass [1, 2, 1] / 4 along both axes.

    The lowest frequency stays as it is, the highest becomes 1 + gain times as strong: no
    frequency is lost, and no channel added.

    Args:
        gain: of what the low-pass takes away.
    """

    def __init__(self, gain: float) -> None:
        super().__init__()
        self._gain = gain

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] → the same, in float32 at least. Beyond the edge the last value stays."""
        # Generated images come in bfloat16, whose rounding the gain would make a mark of theirs.
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        emphasised: Tensor = _Emphasised.apply(wide, self._gain)
        return emphasised


class _Emphasised(Function):
    """Its own adjoint: the low-pass with repeated edges is a symmetric matrix along each axis.

    PyTorch's gradient of the same would take several times as long on a processor.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, gain: float) -> Tensor:
        ctx.gain = gain
        n, channels, height, width = x.shape
        rows = x.permute(0, 2, 3, 1).reshape(n, height, width * channels)
        low = _smooth(_smooth(rows, 1, 1), 2, channels)
        out = low.mul_(-gain).add_(rows, alpha=1 + gain)
        return out.view(n, height, width, channels).permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return _Emphasised.apply(gradients[0], ctx.gain), None


def _smooth(x: Tensor, axis: int, step: int) -> Tensor:
    """Along one axis, with neighbours so many numbers away: (before + 2 · here + after) / 4."""
    out, others = x * 0.5, x.shape[axis] - step
    for end, begin, count in ((0, 0, step), (step, 0, others)):
        # At either edge the neighbour is the last value itself.
        out.narrow(axis, end, count).add_(x.narrow(axis, begin, count), alpha=0.25)
    for end, begin, count in ((others, others, step), (0, step, others)):
        out.narrow(axis, end, count).add_(x.narrow(axis, begin, count), alpha=0.25)
    return out
