"""A disk that fails: the k-th file operation below a folder ends in an error, or ends the process.

For processes on Linux that were forked for it: what is put in place of Python's file functions
stays there. All that facegan writes goes through them.
"""

# The functions of `os` are what is replaced here, and what is left to work with.
# ruff: noqa: PTH100, PTH102, PTH108, PTH110, PTH115, PTH116, PTH117, PTH118

from __future__ import annotations

import builtins
import contextlib
import errno
import io
import os
import random
import shutil
import signal
import stat
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import facegan.disk

CHANGES = {"create", "write", "truncate", "sync", "rename", "remove", "mkdir", "rmdir"}
# Which operations a fault can meet.
MEETS = {
    "kill": CHANGES | {"open", "read", "list"},
    "power cut": CHANGES,
    "ENOSPC": {"create", "write", "truncate", "sync", "rename", "mkdir"},
    "EIO": CHANGES | {"open", "read", "list"},
}
FAULTS = tuple(MEETS)


class FaultyDisk:
    """Counts the operations that a fault can meet, and lets one of them fail.

    Args:
        root: the folder that is on this disk.
        fault: one of `FAULTS`.
        at: which operation, from 1; 0 for none, to count them.
        seed: of what is left to chance: how much of a write is done before it fails; which of the
            changes that were not synced a power cut takes.

    Attributes:
        count: how many operations there were.
    """

    def __init__(self, root: Path, fault: str, at: int = 0, seed: int = 0) -> None:
        self.root, self.fault, self.at = root.resolve(), fault, at
        self.count = 0
        self._inside = f"{self.root}{os.sep}"
        self._chance = random.Random(seed)
        self._lasting = seed % 2 == 1  # a full disk may stay full, or have room a moment later
        self._lock = threading.RLock()
        self._durable = _Durable(self.root) if fault == "power cut" else None

    def install(self) -> None:
        """Put it in place of the functions that work on files, for the rest of this process."""
        # What is put in another's place has not quite its type.
        files: Any = os
        opens: tuple[Any, ...] = (builtins, io)
        plain: Any = io.open

        def opening(
            file: Any, mode: str = "r", buffering: int = -1, *more: Any, **named: Any
        ) -> Any:
            if not self._here(file):
                return plain(file, mode, buffering, *more, **named)
            return self._opened(file, mode, buffering, *more, **named)

        for module in opens:
            module.open = opening
        self._watch("rename", "rename", both=True)
        self._watch("replace", "rename", both=True)
        self._watch("remove", "remove")
        self._watch("unlink", "remove")
        self._watch("mkdir", "mkdir")
        self._watch("rmdir", "rmdir")
        self._watch("scandir", "list")
        self._watch("listdir", "list")
        self._watch("truncate", "truncate")
        self._watch("ftruncate", "truncate")
        self._watch("pwrite", "write")
        fsync = os.fsync

        def syncing(descriptor: int) -> None:
            place = descriptor if isinstance(descriptor, int) else descriptor.fileno()
            if self._here(place):
                self.step("sync", place)
            fsync(place)
            if self._durable is not None:
                with self._lock:
                    self._durable.synced(place)

        files.fsync = syncing
        plain_open = os.open

        def opened(path: Any, flags: int, *more: Any, **named: Any) -> int:
            if self._here(path, named.get("dir_fd")):
                self.step("create" if flags & os.O_CREAT else "open", path)
            return plain_open(path, flags, *more, **named)

        files.open = opened
        exchange = facegan.disk.exchange

        def exchanging(one: Path, other: Path) -> bool:
            if one.exists() and other.exists():
                self.step("rename", one)
            return exchange(one, other)

        users: list[Any] = list(sys.modules.values())
        for module in users:
            if getattr(module, "exchange", None) is exchange:
                module.exchange = exchanging

    def step(self, kind: str, place: Any, half: Callable[[float], None] | None = None) -> None:
        """Before an operation: count it, and let it fail if it is the one.

        Args:
            kind: of `CHANGES`, or "open", "read", "list".
            place: a path or a descriptor, for the error.
            half: does a share of the operation, which a write may have done when it fails.
        """
        if kind not in MEETS[self.fault]:
            return
        with self._lock:
            self.count += 1
            late = self.fault == "ENOSPC" and self._lasting and self.count > self.at > 0
            if self.count != self.at and not late:
                return
            if half is not None and not late:
                half(self._chance.random())
            if self.fault == "kill":
                _die()
            if self._durable is not None:
                self._durable.lose(self._chance)
                _die()
            number = errno.ENOSPC if self.fault == "ENOSPC" else errno.EIO
            raise OSError(number, os.strerror(number), _path(place))

    def _here(self, place: Any, folder: int | None = None) -> bool:
        """Whether a path or a descriptor leads into the folder."""
        path = _path(place)
        if folder is not None and not os.path.isabs(path):
            path = os.path.join(_path(folder), path)
        return f"{os.path.abspath(path)}{os.sep}".startswith(self._inside)

    def _watch(self, name: str, kind: str, both: bool = False) -> None:
        plain = getattr(os, name)

        def watched(place: Any = ".", *more: Any, **named: Any) -> Any:
            folder = named.get("dir_fd", named.get("src_dir_fd"))
            if self._here(place, folder):

                def half(share: float) -> None:
                    plain(place, more[0][: int(share * len(more[0]))], *more[1:])

                self.step(kind, place, half if name == "pwrite" else None)
                if self._durable is not None and kind in ("rename", "remove", "rmdir"):
                    self._durable.hold(_path(more[0] if both else place), folder)
            return plain(place, *more, **named)

        setattr(os, name, watched)

    def _opened(
        self,
        file: Any,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        closefd: bool = True,
        opener: Any = None,
    ) -> Any:
        """`open`, whose every read and write is an operation."""
        text = "b" not in mode
        if not isinstance(file, int):
            creates = any(letter in mode for letter in "wxa") and not os.path.exists(file)
            empties = "w" in mode and not creates
            self.step("create" if creates else "truncate" if empties else "open", file)
        raw = _Raw(file, mode.replace("t", "").replace("b", ""), closefd, opener)
        raw.disk = self
        if buffering == 0:
            return raw
        size = buffering if buffering > 1 else io.DEFAULT_BUFFER_SIZE
        kind: Any = io.BufferedReader if raw.readable() else io.BufferedWriter
        buffered = (io.BufferedRandom if "+" in mode else kind)(raw, size)
        if not text:
            return buffered
        wrapped: Any = io.TextIOWrapper(buffered, encoding, errors, newline, buffering == 1)
        wrapped.mode = mode
        return wrapped


class _Raw(io.FileIO):
    disk: FaultyDisk

    def write(self, data: Any) -> int:
        whole = memoryview(data).cast("B")

        def half(share: float) -> None:
            io.FileIO.write(self, whole[: int(share * len(whole))])

        self.disk.step("write", self.name, half)
        return super().write(data)

    def truncate(self, size: int | None = None) -> int:
        self.disk.step("truncate", self.name)
        return super().truncate(size)

    def readinto(self, buffer: Any) -> int:
        self.disk.step("read", self.name)
        return super().readinto(buffer)

    def readall(self) -> bytes:
        self.disk.step("read", self.name)
        return super().readall()

    def read(self, size: int | None = -1) -> Any:
        self.disk.step("read", self.name)
        return super().read(size)


class _Durable:
    """What of a folder a power cut leaves: contents as of each file's last fsync, names as of each
    folder's. A file whose name was synced and whose content was not comes back empty.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._contents: dict[int, bytes] = {}
        self._names: dict[int, dict[str, int]] = {}
        self._held: list[int] = []
        # The functions as they are now: they are replaced later.
        self._open, self._listed = os.open, os.scandir
        for folder, folders, files in os.walk(root):
            found = {name: os.lstat(os.path.join(folder, name)).st_ino for name in folders + files}
            self._names[os.stat(folder).st_ino] = found
            for name in files:
                self._contents[found[name]] = Path(folder, name).read_bytes()

    def synced(self, descriptor: int) -> None:
        about = os.fstat(descriptor)
        self._held.append(os.dup(descriptor))
        if not stat.S_ISDIR(about.st_mode):
            self._contents[about.st_ino] = _content(descriptor)
            return
        self._names[about.st_ino] = {}
        with self._listed(descriptor) as entries:
            for each in entries:
                number = each.inode()
                self._names[about.st_ino][each.name] = number
                if each.is_dir(follow_symlinks=False):
                    self._names.setdefault(number, {})
                elif number not in self._contents:
                    self._contents[number] = b""
                    self.hold(each.name, descriptor)

    def hold(self, path: str, folder: int | None = None) -> None:
        """Keep the number of what is about to lose its name from being given to another file."""
        with contextlib.suppress(OSError):
            self._held.append(self._open(path, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=folder))

    def lose(self, chance: random.Random) -> None:
        """Make the folder what a power cut leaves: without what was not synced, or some of it."""
        everything = chance.random() < 0.5
        contents, names = dict(self._contents), {k: dict(v) for k, v in self._names.items()}
        for folder, folders, files in os.walk(self._root):
            now = {name: os.lstat(os.path.join(folder, name)).st_ino for name in folders + files}
            number = os.stat(folder).st_ino
            names.setdefault(number, {})
            if not everything and chance.random() < 0.5:
                names[number] = now
            for name in files:
                with io.FileIO(os.path.join(folder, name)) as file:
                    content = file.readall() or b""
                if not everything and chance.random() < 0.5:
                    contents[now[name]] = content
                else:
                    contents.setdefault(now[name], b"")
        tree: dict[str, bytes | None] = {}
        self._collect("", os.stat(self._root).st_ino, names, contents, tree)
        for entry in list(self._listed(self._root)):
            shutil.rmtree(entry.path) if entry.is_dir(follow_symlinks=False) else os.unlink(entry)
        for name, kept in tree.items():
            path = os.path.join(self._root, name)
            if kept is None:
                os.mkdir(path)
            else:
                with io.FileIO(path, "w") as file:
                    file.write(kept)

    def _collect(
        self,
        place: str,
        number: int,
        names: dict[int, dict[str, int]],
        contents: dict[int, bytes],
        tree: dict[str, bytes | None],
    ) -> None:
        for name, below in sorted(names.get(number, {}).items()):
            path = os.path.join(place, name)
            if below in names:
                tree[path] = None
                self._collect(path, below, names, contents, tree)
            else:
                tree[path] = contents.get(below, b"")


def _content(descriptor: int) -> bytes:
    with io.FileIO(f"/proc/self/fd/{descriptor}") as file:
        return file.readall()


def _path(place: Any) -> str:
    if isinstance(place, int):
        try:
            return os.readlink(f"/proc/self/fd/{place}")
        except OSError:
            return f"descriptor {place}"
    return os.fsdecode(place)


def _die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("a process outlived SIGKILL")
