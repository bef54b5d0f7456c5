"""What happens to the values of pixels: brightness, contrast, saturation, noise."""

from __future__ import annotations

import torch
from torch import Tensor


def recolour(
    images: Tensor,
    changes: Tensor,
    middle: Tensor,
    span: Tensor,
    saturate: bool,
) -> Tensor:
    """p′ = ½ + b + c · (g + s · (p − ½ − g)), where p is in [0, 1] and g its mean over colours.

    One scale and offset for each image and channel; saturation adds the grey picture.

    Args:
        images: [N, C, H, W] in the recipe's range.
        changes: [N, 3]: added brightness b, contrast c and saturation s as factors.
        middle: [C, 1, 1] or [1, 1, 1]: the value of mid-grey in that range.
        span: of the same shape: from black to white in that range.
        saturate: whether any s differs from 1; without, it is not looked at.
    """
    changes = changes.to(images.dtype)[:, :, None, None, None]
    brightness, contrast, saturation = changes.unbind(1)
    if not saturate:
        return images * contrast + (middle * (1 - contrast) + span * brightness)
    gain = contrast * saturation
    changed = images * gain + (middle * (1 - gain) + span * brightness)
    if len(span) == 1:  # the mean first: a third of the numbers
        grey = (images.mean(1, keepdim=True) - middle) / span
    else:
        grey = ((images - middle) / span).mean(1, keepdim=True)
    return changed + grey * (span * (contrast - gain))


def normal(uniform: Tensor) -> Tensor:
    """Standard normal numbers, at most 5.2, from uniform ones in [−1, 1).

    The inverse of the distribution: four times as fast as drawing normal numbers.
    """
    return torch.erfinv(uniform.clamp(min=-1 + 2**-23)) * 2**0.5
