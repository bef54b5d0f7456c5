"""Files that stand beside a model's file and belong to it: `NAME.discriminator.safetensors`.

They carry the name of their model, so nothing finds them as models of their own, and whatever
copies or removes a model takes them along.
"""

from __future__ import annotations

from pathlib import Path

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


def kind_in(name: str) -> str | None:
    """Which kind a name (without the ending of a file) claims; None for a model's own name."""
    kind = name.rpartition(".")[2]
    return kind if "." in name and kind in KINDS else None
