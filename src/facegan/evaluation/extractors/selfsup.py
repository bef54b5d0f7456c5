"""A small network that learned from faces alone, without a label: neither ImageNet nor identities.

Seven convolutions, trained by telling two views of one photograph from views of others (the
contrastive loss of Chen et al. 2020, SimCLR, arXiv:2002.05709) on the training people of LFW at
64 pixels. Nobody said who is shown or what a face is. So what it sees has little in common with a
network that learned to name a thousand things, or to know people again: a score that improves in
one space alone is a score of that space. Features learned without labels rank generators of faces
as people do where ImageNet's do not (Morozov et al. 2021, "On self-supervised image
representations for GAN evaluation").

`scripts/train_selfsup.py` makes its weights again.
"""

from __future__ import annotations

from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from facegan.errors import FaceganError
from facegan.evaluation.extractors.base import fingerprint
from facegan.evaluation.extractors.network import NetworkExtractor, exact
from facegan.evaluation.resize import DESCRIPTION, resize

WEIGHTS = "weights/selfsup.safetensors"
KEY = "facegan"
SIDE = 64
MEAN, SCALE = 127.5, 64.0


class Layer(NamedTuple):
    """A convolution of the network.

    Attributes:
        channels: that come out.
        kernel: its side.
        stride: 2 halves the side.
        tap: whether what comes out, averaged over places, is part of the features.
    """

    channels: int
    kernel: int = 3
    stride: int = 1
    tap: bool = False


# A layer that keeps the side and the channels adds to what comes in (He et al. 2016).
LAYERS = (
    *(Layer(32, kernel=4, stride=2), Layer(64, stride=2), Layer(64, tap=True)),
    *(Layer(128, stride=2), Layer(128, tap=True)),
    *(Layer(192, stride=2), Layer(192, tap=True)),
)
DIMENSION = sum(layer.channels for layer in LAYERS if layer.tap)


class Trunk(nn.Module):
    """The network: pictures float [N, 3, S, S] to averaged maps [N, `DIMENSION`].

    Args:
        normalised: whether each convolution has a batch norm, for training.
    """

    def __init__(self, normalised: bool = False) -> None:
        super().__init__()
        widths = (3, *(layer.channels for layer in LAYERS))
        self.convolutions = nn.ModuleList(
            nn.Conv2d(before, after, layer.kernel, layer.stride, 1, bias=not normalised)
            for (before, after), layer in zip(pairwise(widths), LAYERS, strict=True)
        )
        self.norms = nn.ModuleList(
            nn.BatchNorm2d(layer.channels) if normalised else nn.Identity() for layer in LAYERS
        )

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        seen = []
        for layer, convolution, norm in zip(LAYERS, self.convolutions, self.norms, strict=True):
            y = norm(convolution(x))
            x = functional.relu(x + y if y.shape == x.shape else y)
            if layer.tap:
                seen.append(x.mean((2, 3)))
        return torch.cat(seen, 1)


class SelfSupervised(NetworkExtractor):
    """Averaged maps of three resolutions, 384 numbers, each resolution counting the same.

    Args:
        device: where it runs.
        path: a file that scripts/train_selfsup.py wrote; by default the shipped one.

    Raises:
        FaceganError: the file is no such file.
    """

    def __init__(self, device: torch.device | str = "cpu", path: Path | None = None) -> None:
        from safetensors import SafetensorError
        from safetensors.torch import load

        shipped = resources.files("facegan.evaluation") / WEIGHTS
        resizer = f"{DESCRIPTION}, to {SIDE} px"
        self._device = torch.device(device)
        self._trunk = Trunk()
        try:
            data = path.read_bytes() if path else shipped.read_bytes()
            tensors = {name: tensor.float() for name, tensor in load(data).items()}
            self._weight = tensors.pop("weight").to(self._device)
            self._trunk.load_state_dict(tensors)
        except (OSError, SafetensorError, KeyError, RuntimeError) as error:
            raise FaceganError(
                f"{path or 'The shipped ' + WEIGHTS} does not hold the self-supervised network: "
                f"{str(error).splitlines()[0]}",
                "Install facegan again, or make the file with python scripts/train_selfsup.py.",
            ) from error
        identity = fingerprint(network="selfsup 1", weights=digest(data), resizer=resizer)
        super().__init__("selfsup", DIMENSION, resizer, identity, chunk=64)
        self._trunk.to(self._device).requires_grad_(False)
        self._trunk.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def _vectors(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        with exact(self._device):
            pixels = resize(images, SIDE).to(self._device).to(torch.float32)
            found: Tensor = self._trunk(pixels.sub_(MEAN).div_(SCALE)) * self._weight
            return found.cpu().numpy()


def digest(data: bytes) -> str:
    """SHA-256 (hex) of a file's content."""
    import hashlib

    return hashlib.sha256(data).hexdigest()
