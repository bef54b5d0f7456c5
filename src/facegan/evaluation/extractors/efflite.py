"""EfficientNet-Lite0: features that need no download beyond a small package from PyPI.

Trained on the photographs of ImageNet; `facegan.networks.backbones` has the network.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from facegan.errors import FaceganError
from facegan.evaluation.extractors.base import fingerprint
from facegan.evaluation.extractors.network import NetworkExtractor, exact
from facegan.evaluation.resize import DESCRIPTION, resize
from facegan.networks.backbones.efficientnet_lite import (
    CHANNELS,
    MEAN,
    SCALE,
    SHA256,
    SIDE,
    network,
)
from facegan.networks.backbones.efficientnet_lite import weights as _weights

_SIDES = range(32, 321, 32)
# Up to this side a picture takes a few milliseconds.
_QUICK = 96


class EffLite(NetworkExtractor):
    """EfficientNet-Lite0 before its classifier, averaged over places: 1280 numbers.

    Args:
        side: at which the network sees pictures: a multiple of 32 from 32 to 320.
        device: where it runs.

    Raises:
        FaceganError: for another side, or if the package with the weights is missing.
    """

    def __init__(self, side: int = SIDE, device: torch.device | str = "cpu") -> None:
        if side not in _SIDES:
            raise FaceganError(
                f"efflite0 cannot look at {side} pixels.",
                f"Its side is one of {', '.join(map(str, _SIDES))}; 224 is what it was trained at.",
            )
        resizer = f"{DESCRIPTION}, to {side} px"
        identity = fingerprint(
            network="efficientnet-lite0", weights=SHA256, resizer=resizer, scale="(x − 127) / 128"
        )
        name = "efflite0" if side == SIDE else f"efflite0@{side}"
        super().__init__(name, CHANNELS, resizer, identity, _chunk(side))
        self._side, self._device = side, torch.device(device)
        self.costly = side > _QUICK
        self._network = network(_weights().values()).to(self._device)
        self._network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def _vectors(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        with exact(self._device):
            pixels = resize(images, self._side).to(self._device).to(torch.float32)
            places: Tensor = self._network(pixels.sub_(MEAN).div_(SCALE))
            return places.mean((2, 3)).cpu().numpy()


def _chunk(side: int) -> int:
    """Pictures whose activations stay in the processor's caches, yet 16 or more.

    With fewer, PyTorch takes a slow path for 1 × 1 convolutions where it has one thread.
    """
    return max(16, 8 * SIDE**2 // side**2)
