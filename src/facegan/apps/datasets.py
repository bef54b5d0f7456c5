"""Datasets by name or by path."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

from facegan.cache import cache_folder
from facegan.data.dataset import Dataset
from facegan.data.verification import verified
from facegan.data.writer import BeingWrittenError
from facegan.errors import DataError

_LOOK_AGAIN = 0.2  # seconds
_PORTRAITS = re.compile(r"portraits(?::(?P<count>[0-9]+))?(?:@(?P<resolution>[0-9]+))?")


def open_dataset(name_or_path: str | Path) -> Dataset:
    """A dataset by its path, or the drawn portraits by name.

    Args:
        name_or_path: a dataset's folder, or `portraits[:COUNT][@RESOLUTION]` (10,000 pictures
            of 64 pixels unless it says otherwise), drawn once and kept in the cache.

    Raises:
        DataError: there is none, it is damaged, or its content is not what its card says.
    """
    match = _PORTRAITS.fullmatch(str(name_or_path))
    if match is None or Path(name_or_path).exists():
        if str(name_or_path).startswith(("portraits:", "portraits@")):
            raise DataError(
                f"{name_or_path} is not understood.",
                "Write portraits, portraits:COUNT, portraits@RESOLUTION or "
                "portraits:COUNT@RESOLUTION, such as portraits:20000@128.",
            )
        return verified(Dataset.open(Path(name_or_path)))
    count = int(match["count"] or 10_000)
    resolution = int(match["resolution"] or 64)
    if count < 2:
        raise DataError(f"{name_or_path}: {count} portraits are too few.", "Ask for 2 or more.")
    from facegan import portraits
    from facegan.progress import progress_bar

    path = cache_folder() / f"portraits-v{portraits.VERSION}-{count}-{resolution}"
    if not path.exists():
        with progress_bar("drawing") as progress:
            _draw(path, lambda: portraits.write(path, count, resolution, progress=progress))
    try:
        return verified(Dataset.open(path))
    except DataError as error:
        raise DataError(error.message, f"Delete {path}, and it is drawn again.") from error


def _draw(path: Path, draw: Callable[[], object]) -> None:
    """Draw what is to be at `path`, or wait for another process that does."""
    while not path.exists():
        try:
            draw()
        except BeingWrittenError:
            time.sleep(_LOOK_AGAIN)
        except DataError:
            # Another process may have finished it a moment ago.
            if not path.exists():
                raise
