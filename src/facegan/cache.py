"""The cache: what facegan can make again, kept so that the next command need not.

Every entry begins with a checksum, so one that was torn or damaged is made again. A folder that
cannot be written costs time alone: the command says so and goes on.
"""

from __future__ import annotations

import hashlib
import io
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from facegan.errors import StorageError
from facegan.files import write_bytes

_SUM = 16


def cache_folder() -> Path:
    """Where facegan keeps what it can make again: $FACEGAN_CACHE, or the user's cache.

    That is the place that the system gives to caches. Where only the place of version 0.1.0 has
    something (`~/.cache/facegan` on every system), it stays there.
    """
    if "FACEGAN_CACHE" in os.environ:
        return Path(os.environ["FACEGAN_CACHE"])
    from platformdirs import user_cache_path

    place = user_cache_path("facegan", appauthor=False)
    before = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "facegan"
    return before if before.is_dir() and not place.exists() else place


def read_entry(place: Path) -> bytes | None:
    """What was kept at `place`; None where nothing was, or where it is damaged."""
    try:
        data = place.read_bytes()
    except OSError:
        return None
    content = data[_SUM:]
    return content if data[:_SUM] == _checksum(content) else None


def keep_entry(place: Path, content: bytes, what: str) -> None:
    """Keep something for the next time.

    Args:
        place: the file, below `cache_folder()`; its name tells all that decides the content.
        content: of it.
        what: it is, as the subject of a sentence, for the warning where it cannot be written:
            `Features`.
    """
    try:
        write_bytes(place, _checksum(content) + content)
    except StorageError as error:
        not_kept(what, error.message)


def not_kept(what: str, why: object) -> None:
    """Warn that something will be made again the next time."""
    warnings.warn(f"Not kept for the next time: {what}: {why}", stacklevel=3)


def read_array(place: Path) -> npt.NDArray[Any] | None:
    """As `read_entry`, of an array."""
    content = read_entry(place)
    if content is None:
        return None
    try:  # whoever can write the cache may have written this: no pickles
        return np.asarray(np.load(io.BytesIO(content), allow_pickle=False))
    except (OSError, ValueError, EOFError):
        return None


def keep_array(place: Path, values: npt.NDArray[Any], what: str) -> None:
    """As `keep_entry`, of an array."""
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    keep_entry(place, buffer.getvalue(), what)


def _checksum(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=_SUM).digest()
