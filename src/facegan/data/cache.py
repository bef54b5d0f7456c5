"""The folder for what can be made, or fetched, again."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Where facegan keeps what it can make again: $FACEGAN_CACHE, or the user's cache."""
    if "FACEGAN_CACHE" in os.environ:
        return Path(os.environ["FACEGAN_CACHE"])
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "facegan"
