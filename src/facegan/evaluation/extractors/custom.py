"""A network of your own as an extractor: an ONNX file and a few lines of TOML.

    file = "clip.onnx"             # beside this file
    size = 224                     # the side that it sees, in pixels
    mean = [0.481, 0.458, 0.408]   # of pixels scaled to [0, 1], in red, green and blue
    std = [0.269, 0.261, 0.276]
    name = "clip"                  # optional: in tables; else this file's name
    sha256 = "…"                   # optional: refuse any other file
    output = "image_embeds"        # optional: which output of the file; else the first

The network takes float32 [N, 3, size, size], (pixels − mean) / std, and gives [N, D],
[N, D, 1, 1], or [N, D, H, W], which is averaged over places.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field, ValidationError

from facegan.config import Config
from facegan.errors import FaceganError, nearest
from facegan.evaluation.extractors import EXTRACTORS
from facegan.evaluation.extractors.base import Extractor, fingerprint
from facegan.evaluation.extractors.network import NetworkExtractor
from facegan.evaluation.resize import DESCRIPTION, resize
from facegan.networks.backbones.weights import read_bytes
from facegan.parsing import parse_toml

_EXAMPLE = (
    "Write, for example: file = 'clip.onnx', size = 224, mean = [0.48, 0.46, 0.41], "
    "std = [0.27, 0.26, 0.28], each on a line of its own."
)
# The networks that people bring are larger than ours: few pictures at a time bound the memory.
_CHUNK = 16

Positive = Annotated[float, Field(gt=0)]
# float32 [N, 3, S, S] to floats [N, D] or [N, D, H, W], both in memory.
Network = Callable[[torch.Tensor], npt.NDArray[Any]]


class CustomConfig(Config):
    """What the TOML file says; see the top of this module."""

    file: str = Field(min_length=1, description="the network's file, relative to this one")
    size: int = Field(ge=8, le=1024, description="the side that it sees: 8 to 1024 pixels")
    mean: tuple[float, float, float] = Field(
        description="the mean of pixels in [0, 1]: three numbers, for red, green and blue"
    )
    std: tuple[Positive, Positive, Positive] = Field(
        description="the standard deviation of pixels in [0, 1]: three numbers above 0"
    )
    name: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}$",
        description="up to 64 letters, digits and . _ @ + -",
    )
    sha256: str | None = Field(
        default=None, pattern=r"^[0-9a-fA-F]{64}$", description="64 hexadecimal digits"
    )
    output: str | None = Field(default=None, description="the name of an ONNX output")


def open_custom(path: Path | str, device: torch.device | str = "cpu") -> Extractor:
    """The extractor that a TOML file describes.

    Args:
        path: of the TOML file.
        device: where the network runs; ONNX takes a CUDA device if its runtime can.

    Raises:
        FaceganError: for what cannot be read, is not allowed, or gives no features.
    """
    path = Path(path)
    config = _read(path)
    name = config.name or path.stem
    if name in (*EXTRACTORS, "pixels") or name.startswith("efflite0"):
        raise FaceganError(
            f"{path} describes an extractor called {name!r}, which is one of facegan's own.",
            "Give it another: name = '…'.",
        )
    file = path.parent / config.file
    data = read_bytes(file, f"{path} names it: file = {config.file!r}.")
    sha256 = hashlib.sha256(data).hexdigest()
    if config.sha256 is not None and sha256 != config.sha256.lower():
        raise FaceganError(
            f"{file} is not the file that {path} means: its SHA-256 is {sha256}.",
            f"{path} asks for {config.sha256}.",
        )
    # An ONNX graph only computes. TorchScript has operators that open and write files.
    if file.suffix != ".onnx":
        raise FaceganError(
            f"{file} is no network that facegan reads.",
            "Bring ONNX (.onnx), as torch.onnx.export writes it. TorchScript and pickled PyTorch "
            "modules are refused: to load one is to run whatever it holds.",
        )
    from facegan.evaluation.extractors.onnx_file import load_onnx

    network = load_onnx(file, data, config.size, config.output, torch.device(device))
    return _CustomExtractor(config, name, sha256, network)


class _CustomExtractor(NetworkExtractor):
    """A network and what the TOML file says of it; looks at two pictures to learn D."""

    def __init__(self, config: CustomConfig, name: str, sha256: str, network: Network) -> None:
        resizer = f"{DESCRIPTION}, to {config.size} px"
        values = config.model_dump(mode="json", exclude={"file", "name", "sha256"})
        identity = fingerprint(weights=sha256, resizer=resizer, **values)
        super().__init__(name, 0, resizer, identity, _CHUNK)
        self._size, self._network = config.size, network
        self._mean, self._std = (
            255 * torch.tensor(three, dtype=torch.float32).view(3, 1, 1)
            for three in (config.mean, config.std)
        )
        self.dimension = self._try()

    def _vectors(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        pixels = resize(images, self._size).float().contiguous()
        found = self._network(pixels.sub_(self._mean).div_(self._std))
        if found.ndim == 4:
            found = found.mean((2, 3), dtype=np.float64)
        if found.ndim != 2 or len(found) != len(images) or not found.shape[1]:
            raise FaceganError(
                f"{self.name} gave an output of shape {list(found.shape)} for {len(images)} "
                "picture(s).",
                "It must give [N, D] or [N, D, H, W] for N pictures; 'output' in its TOML file "
                "takes another output.",
            )
        return found.astype(np.float32)

    def _try(self) -> int:
        """D, once two pictures have the same features together as alone."""
        ramp = np.linspace(0, 255, self._size * 3).astype(np.uint8).reshape(1, -1, 3)
        pictures = np.stack([ramp.repeat(self._size, 0), np.zeros_like(ramp).repeat(self._size, 0)])
        self.dimension = self._vectors(pictures).shape[1]
        together, alone = self.features(pictures)[:1], self.features(pictures[:1])
        # Far above what rounding does in half precision.
        if np.linalg.norm(together - alone) > 0.01 * np.linalg.norm(alone):
            raise FaceganError(
                f"{self.name} gives a picture other features when another is beside it.",
                "Export the network in evaluation mode: module.eval().",
            )
        return self.dimension


def _read(path: Path) -> CustomConfig:
    try:
        text = read_bytes(path, "Give the path of a TOML file that describes an extractor.")
        values = parse_toml(text.decode("utf-8"))
    except ValueError as error:
        raise FaceganError(f"{path} is not valid TOML: {error}.", _EXAMPLE) from error
    try:
        return CustomConfig.model_validate_json(json.dumps(values, default=str))
    except ValidationError as error:
        first = min(error.errors(include_url=False), key=lambda e: e["type"] != "extra_forbidden")
        key = str(first["loc"][0])
        if first["type"] == "extra_forbidden":
            raise FaceganError(
                f"Unknown key {key!r} in {path}.", nearest(key, CustomConfig.model_fields)
            ) from error
        wrong = f"{path}: {key} = {values[key]!r} is not allowed" if key in values else ""
        raise FaceganError(
            f"{wrong or f'{path} lacks {key!r}'}.",
            f"{key} is {CustomConfig.model_fields[key].description}.",
        ) from error
