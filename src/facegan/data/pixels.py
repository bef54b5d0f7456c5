"""The one step between stored pixels and the numbers that networks see (report, 1.2.1–1.2.2).

Images are stored as uint8 and leave as uint8; inside, the recipe names their range:

- `unit`: [0, 1], what a sigmoid can produce;
- `symmetric`: [−1, 1], what tanh can produce;
- `standard`: zero mean and unit variance in each channel, for a linear output.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from facegan.device import to_device
from facegan.errors import DataError

if TYPE_CHECKING:
    import torch

Range = Literal["unit", "symmetric", "standard"]


@dataclass(frozen=True)
class Pixels:
    """Conversion between uint8 [N, H, W, C] and the recipe's range [N, C, H, W].

    Attributes:
        range: `unit`, `symmetric` or `standard`.
        mean: the training split's mean in [0, 1] per channel; used by `standard` only.
        std: its standard deviation in [0, 1] per channel; used by `standard` only.
    """

    range: Range
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    @classmethod
    def of(cls, range: Range, mean: Sequence[float] = (), std: Sequence[float] = ()) -> Pixels:
        """Build, keeping the statistics only where the range needs them."""
        if range != "standard":
            return cls(range)
        if not mean or len(mean) != len(std) or min(std) <= 0:
            raise DataError(
                f"The range 'standard' needs a mean and a positive standard deviation per "
                f"channel, got mean={list(mean)}, std={list(std)}.",
                "Choose `data.range=symmetric`, or import the dataset again.",
            )
        return cls(range, tuple(map(float, mean)), tuple(map(float, std)))

    def _scale_and_offset(self) -> tuple[list[float], list[float]]:
        """Per channel: model value = byte · scale + offset."""
        if self.range == "unit":
            return [1 / 255], [0.0]
        if self.range == "symmetric":
            return [2 / 255], [-1.0]
        scale = [1 / (255 * s) for s in self.std]
        return scale, [-m / s for m, s in zip(self.mean, self.std, strict=True)]

    def to_model(self, images: torch.Tensor) -> torch.Tensor:
        """Stored bytes to model values.

        Args:
            images: uint8 [N, H, W, C] on any device.

        Returns:
            float32 [N, C, H, W]; in memory still [N, H, W, C], that is, channels_last.
        """
        import torch

        scale, offset = (
            to_device(torch.tensor(v, dtype=torch.float32), images.device)
            for v in self._scale_and_offset()
        )
        return torch.addcmul(offset, images.to(torch.float32), scale).permute(0, 3, 1, 2)

    def to_bytes(self, images: torch.Tensor) -> torch.Tensor:
        """Model values to bytes: the exact inverse, rounded and clamped.

        Args:
            images: float [N, C, H, W] in this range.

        Returns:
            uint8 [N, H, W, C], contiguous.
        """
        import torch

        scale, offset = (
            to_device(torch.tensor(v, dtype=torch.float32), images.device)
            for v in self._scale_and_offset()
        )
        values = images.to(torch.float32).permute(0, 2, 3, 1) - offset
        return values.div_(scale).round_().clamp_(0, 255).to(torch.uint8).contiguous()

    def to_unit(self, images: torch.Tensor) -> torch.Tensor:
        """Model values float [N, C, H, W] to [0, 1], unclamped and with gradients."""
        import torch

        scale, offset = (
            to_device(torch.tensor(v, dtype=torch.float32), images.device)[:, None, None]
            for v in self._scale_and_offset()
        )
        return (images.to(torch.float32) - offset) / (255 * scale)
