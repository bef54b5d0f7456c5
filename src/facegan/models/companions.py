"""Files that stand beside a model's file and belong to it: `NAME.discriminator.safetensors`.

They carry the name of their model, so nothing finds them as models of their own, and whatever
copies or removes a model takes them along.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from facegan.errors import storage
from facegan.files import write_bytes

_SUFFIX = ".safetensors"
# What a companion may be. A model's own name cannot end in one of these.
KINDS = ("discriminator", "directions", "encoder")


def companion(model: Path, kind: str) -> Path:
    """Where a model's companion of this kind stands, whether it is there or not."""
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is not one of {KINDS}")
    return model.with_name(f"{model.name.removesuffix(_SUFFIX)}.{kind}{_SUFFIX}")


def companions(model: Path) -> dict[str, Path]:
    """Those that are there, by kind."""
    found = {kind: companion(model, kind) for kind in KINDS}
    return {kind: path for kind, path in found.items() if path.is_file()}


def write_model(
    path: Path, content: bytes, beside: Mapping[str, bytes], keep: bool = False
) -> None:
    """Write a model's file and its companions, so that the same command can always go on.

    The model's own file comes last: where it stands, all that belongs to it does. Whoever refuses
    to replace a model looks for that file alone, so one that was interrupted is written again.

    Args:
        path: of the model's file.
        content: of it.
        beside: what each companion holds, by kind.
        keep: whether companions of other kinds that are there already stay; they are removed
            otherwise, as those of another model.
    """
    with storage(path):
        for kind, old in companions(path).items():
            if kind not in beside and not keep:
                old.unlink()
    for kind, held in beside.items():
        write_bytes(companion(path, kind), held)
    write_bytes(path, content)


def kind_in(name: str) -> str | None:
    """Which kind a name (without the ending of a file) claims; None for a model's own name."""
    kind = name.rpartition(".")[2]
    return kind if "." in name and kind in KINDS else None
