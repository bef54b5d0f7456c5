"""Datasets by name or by path."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

from facegan.data.cache import cache_folder
from facegan.data.pack import Pack
from facegan.errors import DataError, storage

_PORTRAITS = re.compile(r"portraits(?::(?P<count>[0-9]+))?(?:@(?P<resolution>[0-9]+))?")


@contextlib.contextmanager
def drawing_alone(path: Path) -> Iterator[None]:
    """Hold the place where portraits are to be, waiting for whoever holds it."""
    from filelock import FileLock

    with storage(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path.with_name(f".{path.name}.drawing.lock"))
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def open_dataset(name_or_path: str | Path) -> Pack:
    """A pack by its path, or the drawn portraits by name.

    Args:
        name_or_path: a pack's folder, or `portraits[:COUNT][@RESOLUTION]` (10,000 pictures
            of 64 pixels unless it says otherwise), drawn once and kept in the cache.
    """
    match = _PORTRAITS.fullmatch(str(name_or_path))
    if match is None or Path(name_or_path).exists():
        if str(name_or_path).startswith(("portraits:", "portraits@")):
            raise DataError(
                f"{name_or_path} is not understood.",
                "Write portraits, portraits:COUNT, portraits@RESOLUTION or "
                "portraits:COUNT@RESOLUTION, such as portraits:20000@128.",
            )
        return Pack.open(Path(name_or_path))
    count = int(match["count"] or 10_000)
    resolution = int(match["resolution"] or 64)
    if count < 2:
        raise DataError(f"{name_or_path}: {count} portraits are too few.", "Ask for 2 or more.")
    from facegan.apps.data import progress_bar
    from facegan.data import portraits

    path = cache_folder() / f"portraits-v{portraits.VERSION}-{count}-{resolution}"
    if not path.exists():
        # Of several processes that want the same portraits, one draws and the others wait.
        with drawing_alone(path), progress_bar("drawing") as progress:
            if not path.exists():
                portraits.write(path, count, resolution=resolution, progress=progress)
    try:
        return Pack.open(path)
    except DataError as error:
        raise DataError(error.message, f"Delete {path}, and it is drawn again.") from error
