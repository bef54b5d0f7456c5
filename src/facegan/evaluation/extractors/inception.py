"""The InceptionV3 of FID: the network and the resizer with which FID is defined, no others.

A Fréchet distance may be called FID (Heusel et al. 2017) only in the features of one
network, `pool_3` of the TensorFlow graph of 2015-12-05, and after one resizer, TensorFlow
1's bilinear one, which does not antialias and lies half a pixel off. Both are those of
torch-fidelity (Obukhov et al. 2020), from the extra `fid`. The weights come with no package, so
they must be on this machine already.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from facegan.cache import cache_folder
from facegan.errors import FaceganError
from facegan.evaluation.extractors.base import fingerprint
from facegan.evaluation.extractors.network import NetworkExtractor, exact
from facegan.networks.backbones.weights import read_known

FILE = "weights-inception-2015-12-05-6726825d.pth"
_SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"

_DIMENSION = 2048
_RESIZER = "TensorFlow 1 bilinear without antialiasing, to 299 px (as FID is defined)"
_CHUNK = 16


class Inception(NetworkExtractor):
    """`pool_3` of the InceptionV3 of FID: 2048 numbers.

    Args:
        device: where it runs.

    Raises:
        FaceganError: if torch-fidelity is not installed, or the file with the weights is
            missing or is another file.
    """

    def __init__(self, device: torch.device | str = "cpu") -> None:
        identity = fingerprint(
            network="inception-2015-12-05 pool_3",
            weights=_SHA256,
            resizer=_RESIZER,
            scale="(x − 128) / 128",
        )
        super().__init__("inception", _DIMENSION, _RESIZER, identity, _CHUNK)
        self.costly = True
        self._device = torch.device(device)
        # Without a file it would look for one on the network.
        weights = io.BytesIO(_weights())
        network = _network_class()("inception", ["2048"], feature_extractor_weights_path=weights)
        self._network = network.to(self._device)

    def _vectors(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        with exact(self._device):
            pixels = torch.from_numpy(np.ascontiguousarray(images)).to(self._device)
            (found,) = self._network(pixels.permute(0, 3, 1, 2).expand(-1, 3, -1, -1))
            vectors: npt.NDArray[np.float32] = found.cpu().numpy()
            return vectors


def _network_class() -> Any:
    """torch-fidelity's network."""
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except ImportError as error:
        raise FaceganError(
            f"The extractor inception needs torch-fidelity, which cannot be used: {error}.",
            "Install it: pip install 'facegan[fid]'; or use the extractor efflite0.",
        ) from error
    return FeatureExtractorInceptionV3


def _weights() -> bytes:
    """The file's content, every byte of which is known."""
    kept = cache_folder() / "weights" / FILE
    places = (kept, Path(torch.hub.get_dir()) / "checkpoints" / FILE)
    hint = (
        f"Put {FILE}, which torch-fidelity's releases offer (v0.2.0), at {kept}; "
        "or use the extractor efflite0, which works offline."
    )
    for place in places:
        if place.exists():
            return read_known(place, _SHA256, hint)
    looked = " nor ".join(map(str, places))
    raise FaceganError(
        f"The weights of inception are not on this machine: neither {looked} exists.", hint
    )
