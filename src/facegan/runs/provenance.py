"""What a run was made from: enough to judge it and to repeat it."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from facegan.version import __version__

_PACKAGES = ("torch", "numpy", "opencv-python-headless", "pillow", "safetensors")


def dataset_identity(card: Mapping[str, Any]) -> dict[str, Any]:
    """What a run and its generators say of their training data."""
    return {key: card.get(key) for key in ("name", "source", "licence", "fingerprint")}


def provenance(
    card: Mapping[str, Any], execution: Mapping[str, Any], plan: Mapping[str, Any]
) -> dict[str, Any]:
    """The content of provenance.json.

    Args:
        card: the dataset's card.
        execution: device, precision, layout, threads, processes.
        plan: the images to show, and the speed that a time budget was turned with.
    """
    return {
        "facegan": __version__,
        "commit": _commit(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "dataset": dataset_identity(card),
        "execution": dict(execution),
        "plan": dict(plan),
    }


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
