"""Reads from pictures of faces what they look like: 40 attributes as CelebA names them, and age.

A straight line on top of EfficientNet-Lite0: the network's maps at a sixteenth of the side
keep where things are, and one linear map from them is all that was trained, on real faces.
`AttributeReader.card` says on which, how well it reads, and what it must not be used for.
`scripts/train_attribute_reader.py` makes its weights again.
"""

from __future__ import annotations

import hashlib
import json
from importlib import resources
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from facegan.errors import DataError, FaceganError
from facegan.evaluation.attribute_card import AttributeCard
from facegan.evaluation.cache import Progress, extract, silent
from facegan.evaluation.extractors.base import fingerprint
from facegan.evaluation.extractors.network import NetworkExtractor, exact
from facegan.evaluation.resize import DESCRIPTION, resize
from facegan.networks.backbones import efficientnet_lite as backbone

WEIGHTS = "weights/attribute-reader.safetensors"
KEY = "facegan"
# The one label that is a quantity, in years; all others are probabilities.
AGE = "Age"
# Pictures are read at SIDE, and refused below FEWEST pixels a side, where little can be seen.
SIDE, FEWEST = 128, 32
# The maps behind the third section of the network: so many channels, at so many places.
_SECTIONS = 3
DIMENSION = backbone.TAPS[_SECTIONS - 1] * (SIDE // 16) ** 2
# Pictures whose activations stay in the processor's caches.
_CHUNK = 24


class Places(NetworkExtractor):
    """What is where: maps of EfficientNet-Lite0 at a sixteenth of the side, 7168 numbers.

    Args:
        device: where it runs.
    """

    def __init__(self, device: torch.device | str = "cpu") -> None:
        resizer = f"{DESCRIPTION}, to {SIDE} px"
        identity = fingerprint(
            network="efficientnet-lite0, three sections",
            weights=backbone.SHA256,
            resizer=resizer,
            scale="(x − 127) / 128",
        )
        super().__init__("efflite0-places", DIMENSION, resizer, identity, _CHUNK)
        self._device = torch.device(device)
        whole = backbone.network(backbone.weights().values())
        sections = backbone.sections(whole)[:_SECTIONS]
        self._network = torch.nn.Sequential(*sections).to(self._device)
        self._network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def maps(self, pixels: Tensor) -> Tensor:
        """The same with gradients: float [N, 3, `SIDE`, `SIDE`] in [0, 255] → [N, `DIMENSION`]."""
        maps: Tensor = self._network((pixels - backbone.MEAN).div_(backbone.SCALE))
        return maps.flatten(1)

    def _vectors(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        with exact(self._device):
            pixels = resize(images, SIDE).to(self._device).to(torch.float32)
            return self.maps(pixels).cpu().numpy()


class AttributeReader(NetworkExtractor):
    """A trained reader. Open the shipped one with `AttributeReader.open`.

    It is an `Extractor` too, so that `FeatureCache` can keep what it read from a dataset.

    Attributes:
        about: what is known of it.
        places: what it looks through.
        weight: float32 [`DIMENSION`, L]: features @ weight + bias are its logits.
        bias: float32 [L].

    Args:
        places: what it looks through.
        weight: float [L, `DIMENSION`], for features divided by their scale.
        bias: float [L].
        scale: float [`DIMENSION`], of the features.
        about: what is known of it.
        calibrated: whether readings are calibrated, where `about` says how.
    """

    def __init__(
        self,
        places: Places,
        weight: Tensor,
        bias: Tensor,
        scale: Tensor,
        about: AttributeCard,
        calibrated: bool = True,
    ) -> None:
        digest = hashlib.sha256()
        for tensor in (weight, bias, scale):
            digest.update(np.ascontiguousarray(tensor.numpy()).data)
        parts = {"places": places.fingerprint, "head": digest.hexdigest()}
        self._calibration = about.calibration if calibrated else None
        if self._calibration is not None:
            map_ = self._calibration.model_dump(include={"slopes", "offsets", "ages_read", "ages"})
            parts["calibration"] = json.dumps(map_, sort_keys=True)
        identity = fingerprint(**parts)
        super().__init__("attributes", len(about.names), places.resizer, identity, _CHUNK)
        self.about = about
        self.places = places
        self.weight = (weight.float() / scale.float()).T.contiguous().numpy()
        self.bias = bias.float().numpy()
        if self._calibration is not None:
            slopes, offsets = self._calibration.slopes, self._calibration.offsets
            slope = np.array([slopes.get(name, 1.0) for name in about.names], np.float32)
            offset = np.array([offsets.get(name, 0.0) for name in about.names], np.float32)
            self.weight, self.bias = self.weight * slope, self.bias * slope + offset

    @classmethod
    def open(
        cls,
        device: torch.device | str = "cpu",
        path: Path | None = None,
        calibrated: bool = True,
    ) -> AttributeReader:
        """Read the weights.

        Args:
            device: where EfficientNet-Lite0 runs; the little behind it runs on the CPU.
            path: a file that scripts/train_attribute_reader.py wrote; by default the shipped one.
            calibrated: see the class.

        Raises:
            FaceganError: the file is no such file, or the weights of EfficientNet-Lite0 are not
                those that it was trained on.
        """
        tensors, about = _open(path)
        shapes = {
            "weight": (len(about.names), DIMENSION),
            "bias": (len(about.names),),
            "scale": (DIMENSION,),
        }
        found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        if found != shapes:
            raise _damaged(path, f"its tensors are {found}")
        if about.network != backbone.SHA256:
            raise _damaged(path, "it was trained on another EfficientNet-Lite0")
        weight, bias, scale = (tensors[name] for name in ("weight", "bias", "scale"))
        return cls(Places(device), weight, bias, scale, about, calibrated)

    @property
    def names(self) -> tuple[str, ...]:
        """What the columns of `read` are: the attributes, then `Age`."""
        return self.about.names

    def read(
        self, images: npt.NDArray[np.uint8], progress: Progress = silent
    ) -> npt.NDArray[np.float32]:
        """Read pictures.

        Args:
            images: uint8 [N, H, W, C], N ≥ 0, H and W at least 32, C = 3 (RGB) or 1 (grey); a
                face in each, cut out as those it was trained on: see the card.
            progress: called with (pictures read, N).

        Returns:
            float32 [N, L]: for each attribute the probability that it is there, and the age in
            years, distributed as the labels' ages are, never outside of the ages it was trained
            on. The same for a picture whatever the others beside it, up to rounding.

        Raises:
            DataError: for other arrays, or smaller pictures.
        """
        return extract(self, images, progress=progress)

    def card(self) -> str:
        """What it is, how well it reads and what its limits are, as Markdown."""
        return self.about.markdown()

    def logits(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """What `read` makes its probabilities of: float32 [N, L], of any size; the age in years.

        Raises:
            DataError: for other arrays, or smaller pictures.
        """
        return self.places.features(self._large_enough(images)) @ self.weight + self.bias

    def _large_enough(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        if images.ndim == 4 and min(images.shape[1:3]) < FEWEST:
            raise DataError(
                f"Pictures of {images.shape[2]}×{images.shape[1]} pixels are too small to read "
                "attributes from.",
                f"The attribute reader needs {FEWEST} pixels a side or more.",
            )
        return images

    def _vectors(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        values = self.logits(images)
        read = 1 / (1 + np.exp(-values.clip(-80, 80)))
        age = self.names.index(AGE)
        years = values[:, age]
        if self._calibration is not None:
            years = self._calibration.age(years)
        read[:, age] = years.clip(*self.about.ages)
        return read.astype(np.float32, copy=False)


def _open(path: Path | None) -> tuple[dict[str, Tensor], AttributeCard]:
    """The tensors of the file, and what its metadata says."""
    from safetensors import SafetensorError, safe_open

    shipped = resources.files("facegan.evaluation") / WEIGHTS
    with resources.as_file(shipped) as own:
        try:
            with safe_open(path or own, framework="pt") as file:
                about = AttributeCard.model_validate_json((file.metadata() or {})[KEY])
                return {key: file.get_tensor(key) for key in file.keys()}, about  # noqa: SIM118
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise _damaged(path, str(error).splitlines()[0]) from error


def _damaged(path: Path | None, what: str) -> FaceganError:
    return FaceganError(
        f"{path or 'The shipped ' + WEIGHTS} does not hold an attribute reader: {what}.",
        "Install facegan again, or make the file with python scripts/train_attribute_reader.py.",
    )
