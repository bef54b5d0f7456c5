"""What the page must know of a generator, as JSON: with it, it needs nobody else to draw faces."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import numpy.typing as npt

from facegan.editing.components import components_of
from facegan.editing.directions import Directions
from facegan.files import sha256
from facegan.generation.generator import OpenGenerator
from facegan.models.onnx import about


def page_about(opened: OpenGenerator, name: str, directions: Directions | None) -> dict[str, Any]:
    """All of a generator but its weights.

    Args:
        opened: the generator.
        name: what the page calls it.
        directions: that were found for it; None for none.
    """
    loaded = opened.loaded
    told = about(loaded) | {
        "name": name,
        "source": opened.model or str(opened.path),
        "facts": f"{loaded.generator.spec.resolution} px, {loaded.images_seen / 1000:g} kimg",
        "sha256": sha256(opened.path),
    }
    told["mixing"] = list(loaded.generator.modulated)
    components = components_of(opened)
    told["components"] = {"count": len(components), "vectors": floats(components)}
    if directions is not None:
        told["directions"] = {
            "names": list(directions.names),
            "vectors": floats(directions.vectors),
            "up": _rounded(directions.up),
            "down": _rounded(directions.down),
        }
    if opened.labels:
        told["label_rows"] = {"vectors": floats(loaded.generator.label_rows.cpu().numpy())}
    return told


def floats(values: npt.NDArray[np.float32]) -> str:
    """Float32 numbers as base64, little-endian."""
    return base64_of(np.ascontiguousarray(values, "<f4"))


def base64_of(values: npt.NDArray[Any]) -> str:
    """The bytes of numbers as base64."""
    return base64.b64encode(values.tobytes()).decode()


def _rounded(values: npt.NDArray[np.float32]) -> list[list[float]]:
    return [[round(float(value), 3) for value in row] for row in values]
