"""dlib's face-identity network, run by PyTorch.

A residual network (He et al. 2016) of 29 convolutions, half as wide as ResNet-34, trained by
Davis King on 3 million faces of 7,485 people, none of them in LFW. dlib computes it without a
BLAS library and in one thread; PyTorch computes the same numbers about 18 times as fast.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

# The side of what it sees, a chip cut out by `dlib.get_face_chip`, and of what it gives.
CHIP = 150
DIMENSION = 128

_MEAN = (122.782, 117.001, 104.298)  # red, green, blue of the training pictures
# Of each residual block. Channels, from 32 to 256, are what the weights have.
_STRIDES = (1, 1, 1, 2, 1, 1, 1, 2, 1, 1, 2, 1, 1, 2)


class FaceNetwork(nn.Module):
    """From chips to identities: faces of one person lie within 0.6 of each other, mostly.

    Args:
        file: the content of `dlib_face_recognition_resnet_model_v1.dat`.
    """

    projection: Tensor
    mean: Tensor

    def __init__(self, file: bytes) -> None:
        super().__init__()
        *layers, projection = read_parameters(file)
        pairs = iter(zip(layers[::2], layers[1::2], strict=True))
        self.first = _Convolution(*next(pairs), channels=3, side=7)
        channels, blocks = self.first.channels, []
        for stride in _STRIDES:
            inner = _Convolution(*next(pairs), channels=channels, side=3)
            outer = _Convolution(*next(pairs), channels=inner.channels, side=3)
            blocks.append(_Block(inner, outer, stride))
            channels = outer.channels
        self.blocks = nn.Sequential(*blocks)
        self.register_buffer("projection", torch.from_numpy(projection).view(channels, DIMENSION))
        self.register_buffer("mean", torch.tensor(_MEAN).view(3, 1, 1))

    def forward(self, chips: Tensor) -> Tensor:
        """uint8 [N, 3, 150, 150] to float32 [N, 128]."""
        x = chips.float().sub_(self.mean).div_(256)
        x = functional.max_pool2d(functional.relu(self.first(x, stride=2, padding=0)), 3, 2)
        x = self.blocks(x)
        return x.mean((2, 3)) @ self.projection


class _Block(nn.Module):
    """x + f(x). Where it halves the picture, x is averaged and given channels of zeros."""

    def __init__(self, inner: _Convolution, outer: _Convolution, stride: int) -> None:
        super().__init__()
        self.inner, self.outer, self.stride = inner, outer, stride

    def forward(self, x: Tensor) -> Tensor:
        halved = self.stride == 2
        y = functional.relu(self.inner(x, self.stride, padding=0 if halved else 1))
        y = self.outer(y, 1, padding=1)
        if halved:
            x = functional.avg_pool2d(x, 2, 2)
            x = functional.pad(x, (0, 0, 0, 0, 0, y.shape[1] - x.shape[1]))
            # dlib adds what is missing at the bottom and on the right as zeros, on either side.
            rows, columns = x.shape[2] - y.shape[2], x.shape[3] - y.shape[3]
            y = functional.pad(y, (0, columns, 0, rows))
        return functional.relu(x + y)


class _Convolution(nn.Module):
    """A convolution and the scale and offset of each channel after it, in one.

    Args:
        parameters: the kernels [O, I, H, W], then O biases, flat.
        affine: O scales, then O offsets.
        channels: I.
        side: H and W.
    """

    weight: Tensor
    bias: Tensor

    def __init__(
        self, parameters: np.ndarray, affine: np.ndarray, channels: int, side: int
    ) -> None:
        super().__init__()
        self.channels = len(affine) // 2
        scale, offset = torch.from_numpy(affine).double().split(self.channels)
        flat = torch.from_numpy(parameters).double()
        kernels = flat[: -self.channels].view(self.channels, channels, side, side)
        bias = flat[-self.channels :] * scale + offset
        self.register_buffer("weight", (kernels * scale[:, None, None, None]).float())
        self.register_buffer("bias", bias.float())

    def forward(self, x: Tensor, stride: int, padding: int) -> Tensor:
        return functional.conv2d(x, self.weight, self.bias, stride, padding)


# A layer that has parameters begins with the length of its name and its name.
_LAYER = re.compile(rb"\x01(?:\x05con_4|\x07affine_|\x04(fc_2))")


def read_parameters(file: bytes) -> Iterator[np.ndarray]:
    """The parameters of each layer that has any, from input to output, float32 and flat.

    A layer's name is followed by its parameters as a tensor: a version, four sizes, and
    little-endian floats. The last layer has its numbers of outputs and inputs in between.
    """
    place = 0
    while (layer := _LAYER.search(file, place)) is not None:
        place = layer.end()
        for _ in range(3 if layer[1] else 1):
            _, place = _number(file, place)
        size = 1
        for _ in range(4):
            factor, place = _number(file, place)
            size *= factor
        yield np.frombuffer(file, "<f4", size, place).astype(np.float32)
        place += 4 * size


def _number(file: bytes, place: int) -> tuple[int, int]:
    """A whole number, and where it ends: a byte that says how many bytes follow, then these."""
    end = place + 1 + file[place]
    return int.from_bytes(file[place + 1 : end], "little"), end
