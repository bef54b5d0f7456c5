"""One process at a time: locks that outlive no holder, also where a file system has none.

Where the system can lock files (flock), a lock ends with its process, whatever ended it. Where
it cannot, a marker beside the lock says who holds it: one whose process on this machine is gone
is taken over, and of another machine's the file to delete is named.
"""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import time
from pathlib import Path
from typing import Self

_POLL = 0.1  # seconds
# What systems say that cannot lock a file there.
_CANNOT = {
    getattr(errno, name)
    for name in ("ENOSYS", "EOPNOTSUPP", "ENOTSUP", "ENOLCK", "EINVAL")
    if hasattr(errno, name)
}


class HeldError(Exception):
    """Somebody else holds the lock.

    Attributes:
        holder: who, as far as is known: a sentence, or "".
    """

    def __init__(self, holder: str) -> None:
        super().__init__(holder)
        self.holder = holder


class Lock:
    """A lock at a path; a context manager.

    Args:
        path: of the lock's file. It is made, and stays.
        patience: seconds to wait for another holder; None for as long as it takes.
    """

    def __init__(self, path: Path, patience: float | None = 0.0) -> None:
        self.path = path
        self._marker = path.with_name(f"{path.name}.holder")
        self._patience = patience
        self._descriptor: int | None = None
        self._marked = False

    def acquire(self) -> None:
        """Take it.

        Raises:
            HeldError: another process holds it, and patience is at its end.
            OSError: the file cannot be made.
        """
        begun = time.monotonic()
        while not self._try():
            if self._patience is not None and time.monotonic() - begun >= self._patience:
                raise HeldError(self._holder())
            time.sleep(_POLL)

    def release(self, remove: bool = False) -> None:
        """Let go of it; with `remove`, its file goes too."""
        if self._descriptor is None:
            return
        if remove:
            with contextlib.suppress(OSError):
                self.path.unlink()
        if self._marked:
            with contextlib.suppress(OSError):
                self._marker.unlink()
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)
        self._descriptor, self._marked = None, False

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _try(self) -> bool:
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            taken = _flock(descriptor)
            if taken is None:
                taken = self._marked = self._mark()
            # Whoever held it before may have removed the file that was opened here.
            taken = taken and self._still(descriptor)
            if taken:
                with contextlib.suppress(OSError):
                    os.ftruncate(descriptor, 0)
                    os.pwrite(descriptor, f"{_me()}\n".encode(), 0)
                self._descriptor = descriptor
            return taken
        finally:
            if self._descriptor != descriptor:
                os.close(descriptor)

    def _still(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), self.path.stat())
        except FileNotFoundError:
            return False

    def _mark(self) -> bool:
        """Make the marker, or take over that of a process of this machine which is gone."""
        for _ in range(2):
            try:
                made = os.open(self._marker, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
            except FileExistsError:
                if not _gone(_read(self._marker)):
                    return False
                with contextlib.suppress(FileNotFoundError):
                    self._marker.unlink()
            else:
                with os.fdopen(made, "w") as file:
                    file.write(f"{_me()}\n")
                return True
        return False

    def _holder(self) -> str:
        if self._marker.exists():
            who = _read(self._marker) or ["?"] * 3
            return (
                f"It is held by process {who[1]} on {who[0]}; if no such process runs, delete "
                f"{self._marker}."
            )
        who = _read(self.path)
        return f"It is held by process {who[1]} on {who[0]}." if who else ""


def _flock(descriptor: int) -> bool | None:
    """Whether the file could be locked; None where files cannot be."""
    try:
        import fcntl
    except ImportError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN):
            return False
        if error.errno in _CANNOT:
            return None
        raise
    return True


def _me() -> str:
    host = "".join(platform.node().split()) or "?"
    return f"{host} {os.getpid()} {_begun(os.getpid())}"


def _read(path: Path) -> list[str]:
    """Host, process and its beginning; empty where the file says no such thing."""
    try:
        words = path.read_text("utf-8", errors="replace")[:500].split()
    except OSError:
        return []
    return words if len(words) == 3 and words[1].isdecimal() and words[0].isprintable() else []


def _gone(who: list[str]) -> bool:
    """Whether this process of this machine runs no more."""
    if not who or who[0] != _me().split()[0]:
        return False
    process = int(who[1])
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    begun = _begun(process)
    return begun != who[2] and "?" not in (begun, who[2])


def _begun(process: int) -> str:
    """When a process began, by the system's own count: numbers of processes come again."""
    try:
        about = Path(f"/proc/{process}/stat").read_text("ascii", errors="replace")
        return about.rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return "?"
