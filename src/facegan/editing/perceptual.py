"""How different two pictures look, with gradients: pixels, and maps of EfficientNet-Lite0.

The form is that of LPIPS (Zhang et al. 2018, arXiv:1801.03924, section 3): maps at several
resolutions, each place's channels scaled to length 1, squared differences averaged over places.
LPIPS weights channels by what people said; these are not weighted. So its values are in no
relation to LPIPS' own.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from facegan.networks.backbones import efficientnet_lite as backbone

# The side that pictures are seen at, and the sections whose maps are compared: at 1/4 to 1/16.
SIDE, _SECTIONS = 128, 3


class Perceptual:
    """Distances between pictures.

    Args:
        device: where it runs.
    """

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        whole = backbone.network(backbone.weights().values())
        self._sections = [
            each.to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            for each in backbone.sections(whole)[:_SECTIONS]
        ]

    def raw(self, images: Tensor) -> list[Tensor]:
        """Images float [N, C, H, W] in [0, 1] → the network's maps at 1/4, 1/8 and 1/16."""
        x = images.expand(-1, 3, -1, -1)
        if x.shape[2:] != (SIDE, SIDE):
            x = F.interpolate(x, size=(SIDE, SIDE), mode="bicubic", antialias=True)
        x = (x * 255 - backbone.MEAN) / backbone.SCALE
        x = x.contiguous(memory_format=torch.channels_last)
        found = []
        for section in self._sections:
            x = section(x)
            found.append(x)
        return found

    def maps(self, images: Tensor) -> list[Tensor]:
        """Images float [N, C, H, W] in [0, 1] → maps [N, C, H, W] with channels of length 1."""
        return [F.normalize(each, dim=1, eps=1e-6) for each in self.raw(images)]

    @staticmethod
    def between(one: list[Tensor], other: list[Tensor]) -> Tensor:
        """The distance of each picture of one from that of the other, [N], in [0, 4]."""
        parts = [(a - b).square().sum(1).mean((1, 2)) for a, b in zip(one, other, strict=True)]
        return torch.stack(parts).mean(0)
