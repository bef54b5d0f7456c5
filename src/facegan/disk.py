"""What must be on the disk is on the disk, and two folders change places in one step."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path


def sync(path: Path) -> None:
    """Force a file's content, or a folder's names, to the disk."""
    # Folders cannot be opened on Windows, where renaming is already durable enough.
    if os.name == "nt" and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def exchange(one: Path, other: Path) -> bool:
    """Let two files or folders that exist change places in one step, which no crash divides.

    Returns:
        Whether it was done; False where one is missing, or the system cannot do it.
    """
    if not (one.exists() and other.exists()) or sys.platform != "linux":
        return False
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    here, exchanging = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    return bool(rename(here, os.fsencode(one), here, os.fsencode(other), exchanging) == 0)
