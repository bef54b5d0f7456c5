"""The discriminator that a model was trained with, kept so that training can go on from both.

A generator alone is a poor start: a fresh discriminator pulls it away from what it has learned.
The file holds weights in half precision and which generator they were trained against. Making
pictures never needs it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from facegan.errors import RunError
from facegan.files import read_header, read_safetensors, sha256
from facegan.models.companions import companion
from facegan.parsing import parse_json

if TYPE_CHECKING:
    from torch import Tensor

_KEY, _FORMAT = "facegan-discriminator", 1


def discriminator_bytes(model: bytes, tensors: Mapping[str, Tensor]) -> bytes:
    """The file of the discriminator that belongs to a model.

    Args:
        model: the content of the generator's file: its checksum goes into this one.
        tensors: the discriminator's weights and statistics by name.
    """
    from safetensors.torch import save

    from facegan.models.file import halved

    stored = {name: halved(each.detach().cpu().contiguous()) for name, each in tensors.items()}
    about = {"format": _FORMAT, "generator": hashlib.sha256(model).hexdigest()}
    return save(stored, metadata={_KEY: json.dumps(about)})


def read_discriminator(model: Path) -> dict[str, Tensor] | None:
    """The discriminator beside a model's file, in float32; None where there is none.

    Raises:
        RunError: it is damaged, or belongs to another generator.
    """
    path = companion(model, "discriminator")
    if not path.is_file():
        return None
    import torch

    metadata = read_header(path).get("__metadata__")
    try:
        about = parse_json(metadata[_KEY]) if isinstance(metadata, dict) else None
        whose = about["generator"] if isinstance(about, dict) else None
    except (ValueError, LookupError, TypeError):
        whose = None
    if whose is None:
        raise RunError(
            f"{path} is not a discriminator that facegan wrote.",
            "Take the original, or remove it to start from the generator alone.",
        )
    if whose != sha256(model):
        raise RunError(
            f"{path} belongs to another generator than {model}.",
            "Take the one that came with the model, or remove it to start from the generator "
            "alone.",
        )
    stored, _ = read_safetensors(path)
    tensors = {k: t.float() if t.is_floating_point() else t for k, t in stored.items()}
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise RunError(f"{path} holds numbers that are not finite, in {name}.")
    return tensors
