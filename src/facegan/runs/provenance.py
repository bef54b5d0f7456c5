"""What a run was made from: enough to judge it and to repeat it."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from facegan.budget import MOST_IMAGES
from facegan.device import Precision
from facegan.version import __version__

_PACKAGES = ("torch", "numpy", "opencv-python-headless", "pillow", "safetensors")


def dataset_identity(
    card: Mapping[str, Any], mixed: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """What a run and its generators say of their training data.

    Args:
        card: of the main dataset.
        mixed: of those that took a share of its batches, in the order of the recipe's
            `data.mix`.
    """
    identity = {key: card.get(key) for key in ("name", "source", "licence", "fingerprint")}
    if mixed:
        identity["mixed"] = [dataset_identity(other) for other in mixed]
    return identity


def provenance(
    dataset: Mapping[str, Any],
    execution: Mapping[str, Any],
    plan: Mapping[str, Any],
    warm_start: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The content of provenance.json.

    Args:
        dataset: what `dataset_identity` says.
        execution: device, precision, layout, threads, processes.
        plan: the images to show, and the speed that a time budget was turned with.
        warm_start: where the first weights came from, if not from the seed alone.
    """
    begun_from = {} if warm_start is None else {"warm_start": dict(warm_start)}
    return {
        "facegan": __version__,
        "commit": _commit(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "dataset": dict(dataset),
        "execution": dict(execution),
        "plan": dict(plan),
        **begun_from,
    }


class _Begun(BaseModel):
    """What a run must know of itself to go on; there is more, which is told and not used."""

    model_config = ConfigDict(strict=True)


class _Dataset(_Begun):
    fingerprint: str
    mixed: list[_Dataset] = []


class _Execution(_Begun):
    precision: Precision
    channels_last: bool
    threads: Annotated[int, Field(ge=1, le=1 << 16)]


class _Plan(_Begun):
    images: Annotated[int, Field(ge=0, le=MOST_IMAGES)]
    evaluations: Annotated[int, Field(ge=0, le=10**9)] = 0


class _Provenance(_Begun):
    dataset: _Dataset
    execution: _Execution
    plan: _Plan


def unsound(provenance: Mapping[str, Any]) -> str:
    """What in a provenance.json is not as `provenance` writes it; "" where all is."""
    try:
        _Provenance.model_validate(dict(provenance))
    except ValidationError as error:
        return ".".join(str(part) for part in error.errors(include_url=False)[0]["loc"])
    return ""


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    """The commit of facegan's own source, where it runs from a checkout."""
    here = Path(__file__)
    try:
        # Installed inside another project's checkout, facegan's files are not tracked there.
        _git("ls-files", "--error-unmatch", here.name, folder=here.parent)
        return _git("rev-parse", "HEAD", folder=here.parent)
    except (OSError, subprocess.SubprocessError):
        return None


def _git(*arguments: str, folder: Path) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=5, check=True
    )
    return done.stdout.strip()
