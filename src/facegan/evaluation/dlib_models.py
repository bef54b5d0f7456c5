"""What facegan takes from the extra `faces`: dlib, and two of Davis King's trained models.

The package face-recognition-models carries the files; it is never imported, because its code
needs `pkg_resources`, which setuptools no longer has. King released both models into the
public domain (github.com/davisking/dlib-models). The package's third landmark model, whose
training data forbid commercial use, is not touched.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from facegan.errors import FaceganError
from facegan.networks.backbones.weights import read_known

if TYPE_CHECKING:
    from types import ModuleType

_PACKAGE, _FOLDER = "face_recognition_models", "models"
_INSTALL = "Run: pip install 'facegan[faces]'"
_REPAIR = "Run: pip install --force-reinstall --no-deps face-recognition-models==0.3.0"

# By file name: SHA-256 (hex).
_LANDMARKS = "shape_predictor_5_face_landmarks.dat"
_IDENTITY = "dlib_face_recognition_resnet_model_v1.dat"
HASHES = {
    _LANDMARKS: "c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
    _IDENTITY: "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
}


def installed() -> bool:
    """Whether the extra `faces` is there."""
    return all(importlib.util.find_spec(name) is not None for name in ("dlib", _PACKAGE))


def import_dlib() -> ModuleType:
    """The module `dlib`.

    Raises:
        FaceganError: if the extra `faces` is not installed, or dlib does not load.
    """
    _require_installed()
    try:
        import dlib
    except ImportError as error:
        raise FaceganError(
            f"dlib is installed but does not load: {error}.",
            "Run: pip install --force-reinstall dlib-bin",
        ) from error
    module: ModuleType = dlib
    return module


def landmark_predictor() -> Any:
    """dlib's predictor of 5 landmarks, the corners of the eyes and the base of the nose.

    Raises:
        FaceganError: if the extra is missing, or the file is not the known one.
    """
    dlib = import_dlib()
    path, _ = _verified(_LANDMARKS)
    return dlib.shape_predictor(str(path))


def identity_weights() -> bytes:
    """The file of the face-identity network, every byte of it known.

    Raises:
        FaceganError: if the extra is missing, or the file is not the known one.
    """
    return _verified(_IDENTITY)[1]


def framed(images: npt.NDArray[np.uint8], side: int, border: int) -> npt.NDArray[np.uint8]:
    """Pictures as dlib takes them, with room around faces that fill the picture.

    Args:
        images: uint8 [N, H, W, C], C = 3 (RGB) or 1 (grey).
        side: to which each is resized, in pixels.
        border: pixels added on every side, which repeat the edge.

    Returns:
        uint8 [N, side + 2·border, side + 2·border, 3], contiguous.
    """
    from facegan.evaluation.resize import resize

    pixels = resize(images, side).permute(0, 2, 3, 1).numpy()
    rows = (border, border)
    return np.ascontiguousarray(np.pad(pixels, ((0, 0), rows, rows, (0, 0)), mode="edge"))


def _require_installed() -> None:
    if not installed():
        raise FaceganError("dlib and its face models are not installed.", _INSTALL)


def _verified(name: str) -> tuple[Path, bytes]:
    """Where a model's file is, and what is in it."""
    _require_installed()
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise FaceganError(f"The package {_PACKAGE} has no folder.", _REPAIR)
    path = Path(spec.submodule_search_locations[0]) / _FOLDER / name
    return path, read_known(path, HASHES[name], _REPAIR)
