"""The InceptionV3 of FID: the network and the resizer with which FID is defined, no others.

A Fréchet distance may be called FID (Heusel et al. 2017) only in the features of one
network, `pool_3` of the TensorFlow graph of 2015-12-05, and after one resizer, TensorFlow
1's bilinear one, which does not antialias and lies half a pixel off. Both are kept here,
faults included. The weights are those that torch-fidelity and pytorch-fid converted from
that graph; they come with no package, so they must be on this machine already.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from facegan.errors import FaceganError
from facegan.evaluation.extractors.network import NetworkExtractor, exact
from facegan.evaluation.extractors.weights import fingerprint, fold_batch_norm, read_verified
from facegan.files import cache_folder

FILE = "weights-inception-2015-12-05-6726825d.pth"
_BYTES = 95_628_359
_SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
_NORM = ("weight", "bias", "running_mean", "running_var")
_EPSILON = 1e-3

_SIDE, _DIMENSION = 299, 2048
_RESIZER = "TensorFlow 1 bilinear without antialiasing, to 299 px (as FID is defined)"
_CHUNK = 16


class Inception(NetworkExtractor):
    """`pool_3` of the InceptionV3 of FID: 2048 numbers.

    Args:
        device: where it runs.

    Raises:
        FaceganError: if the file with the weights is missing, or is another file.
    """

    def __init__(self, device: torch.device | str = "cpu") -> None:
        identity = fingerprint(
            network="inception-2015-12-05 pool_3",
            weights=_SHA256,
            resizer=_RESIZER,
            scale="(x − 128) / 128",
        )
        super().__init__("inception", _DIMENSION, _RESIZER, identity, _CHUNK)
        self._device = torch.device(device)
        self._network = InceptionV3(_weights(), self._device)

    def _vectors(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        with exact(self._device):
            pixels = torch.from_numpy(np.ascontiguousarray(images)).to(self._device)
            squares = resize_as_tensorflow_1(pixels.permute(0, 3, 1, 2).float(), _SIDE)
            scaled = squares.sub_(128).div_(128).expand(-1, 3, -1, -1)
            return self._network(scaled).cpu().numpy()


def _weights() -> dict[str, Tensor]:
    kept = cache_folder() / "weights" / FILE
    places = (kept, Path(torch.hub.get_dir()) / "checkpoints" / FILE)
    hint = (
        f"Put {FILE}, which torch-fidelity's releases offer (v0.2.0), at {kept}; "
        "or use the extractor efflite0, which works offline."
    )
    for place in places:
        if place.exists():
            return read_verified(place, _BYTES, _SHA256, hint)
    looked = " nor ".join(map(str, places))
    raise FaceganError(
        f"The weights of inception are not on this machine: neither {looked} exists.", hint
    )


def resize_as_tensorflow_1(images: Tensor, side: int) -> Tensor:
    """TensorFlow 1's `resize_bilinear` with `align_corners=False`.

    Pixel i of the result is read at i · size / side, between its two neighbours.

    Args:
        images: float32 [N, C, H, W].
        side: of the result, in pixels.

    Returns:
        float32 [N, C, side, side].
    """
    for axis in (3, 2):
        size = images.shape[axis]
        steps = torch.arange(side, dtype=torch.float32, device=images.device)
        places = steps * torch.tensor(size / side, dtype=torch.float32, device=images.device)
        low = places.long()
        high = (low + 1).clamp_(max=size - 1)
        share = (places - low).view(-1, *[1] * (3 - axis))
        first = images.index_select(axis, low)
        images = first + (images.index_select(axis, high) - first) * share
    return images


class InceptionV3:
    """Rethinking the Inception Architecture (Szegedy et al. 2016), up to the last average.

    The graph of 2015 differs from the paper in two ways: averages leave out what lies
    outside the picture, and the last block takes a maximum where the paper has an average.

    Args:
        tensors: of each convolution its kernel, `NAME.conv.weight`, and its batch norm,
            `NAME.bn.weight`, `.bias`, `.running_mean` and `.running_var`. Others are ignored.
        device: where it runs.
    """

    def __init__(self, tensors: dict[str, Tensor], device: torch.device) -> None:
        self._convolutions: dict[str, tuple[Tensor, Tensor]] = {}
        for key, kernel in tensors.items():
            name, found, _ = key.partition(".conv.weight")
            if not found:
                continue
            gain, offset, mean, variance = (tensors[f"{name}.bn.{part}"] for part in _NORM)
            weight, bias = fold_batch_norm(kernel, gain, offset, mean, variance, _EPSILON)
            weight = weight.to(device, memory_format=torch.channels_last)
            self._convolutions[name] = weight, bias.to(device)

    def __call__(self, x: Tensor) -> Tensor:
        """Float32 [N, 3, 299, 299] in [−1, 1] to float32 [N, 2048]."""
        x = x.contiguous(memory_format=torch.channels_last)
        x = self._convolve(x, "Conv2d_1a_3x3", stride=2, padded=False)
        x = self._convolve(x, "Conv2d_2a_3x3", padded=False)
        x = self._convolve(x, "Conv2d_2b_3x3")
        x = functional.max_pool2d(x, 3, stride=2)
        x = self._convolve(x, "Conv2d_3b_1x1")
        x = self._convolve(x, "Conv2d_4a_3x3", padded=False)
        x = functional.max_pool2d(x, 3, stride=2)
        for block in ("Mixed_5b", "Mixed_5c", "Mixed_5d"):
            x = self._wide(x, block)
        x = self._halve(x, "Mixed_6a", ("branch3x3",), _chain("branch3x3dbl", 3))
        for block in ("Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"):
            x = self._factorised(x, block)
        x = self._halve(x, "Mixed_7a", _chain("branch3x3", 2), _chain("branch7x7x3", 4))
        x = self._forked(x, "Mixed_7b", _average(x))
        x = self._forked(x, "Mixed_7c", functional.max_pool2d(x, 3, stride=1, padding=1))
        return x.mean((2, 3))

    def _convolve(self, x: Tensor, name: str, stride: int = 1, padded: bool = True) -> Tensor:
        weight, bias = self._convolutions[name]
        padding = (weight.shape[2] // 2, weight.shape[3] // 2) if padded else 0
        return functional.conv2d(x, weight, bias, stride, padding).relu_()

    def _branch(self, x: Tensor, block: str, *names: str) -> Tensor:
        for name in names:
            x = self._convolve(x, f"{block}.{name}")
        return x

    def _wide(self, x: Tensor, block: str) -> Tensor:
        """35 × 35 places: filters of 1, 5 and twice 3 pixels."""
        branches = (
            self._branch(x, block, "branch1x1"),
            self._branch(x, block, *_chain("branch5x5", 2)),
            self._branch(x, block, *_chain("branch3x3dbl", 3)),
            self._branch(_average(x), block, "branch_pool"),
        )
        return torch.cat(branches, 1)

    def _factorised(self, x: Tensor, block: str) -> Tensor:
        """17 × 17 places: filters of 7 pixels as rows and columns."""
        branches = (
            self._branch(x, block, "branch1x1"),
            self._branch(x, block, *_chain("branch7x7", 3)),
            self._branch(x, block, *_chain("branch7x7dbl", 5)),
            self._branch(_average(x), block, "branch_pool"),
        )
        return torch.cat(branches, 1)

    def _forked(self, x: Tensor, block: str, pooled: Tensor) -> Tensor:
        """8 × 8 places: filters of 3 pixels as rows beside columns."""

        def fork(y: Tensor, name: str) -> Tensor:
            ends = (self._branch(y, block, name + end) for end in "ab")
            return torch.cat(tuple(ends), 1)

        branches = (
            self._branch(x, block, "branch1x1"),
            fork(self._branch(x, block, "branch3x3_1"), "branch3x3_2"),
            fork(self._branch(x, block, *_chain("branch3x3dbl", 2)), "branch3x3dbl_3"),
            self._branch(pooled, block, "branch_pool"),
        )
        return torch.cat(branches, 1)

    def _halve(self, x: Tensor, block: str, *chains: tuple[str, ...]) -> Tensor:
        """Half the side: the last filter of each branch takes every second place."""
        branches = [
            self._convolve(
                self._branch(x, block, *before), f"{block}.{last}", stride=2, padded=False
            )
            for *before, last in chains
        ]
        return torch.cat((*branches, functional.max_pool2d(x, 3, stride=2)), 1)


def _chain(name: str, length: int) -> tuple[str, ...]:
    """`x_1`, `x_2`, …: the convolutions of one branch."""
    return tuple(f"{name}_{number}" for number in range(1, length + 1))


def _average(x: Tensor) -> Tensor:
    return functional.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
