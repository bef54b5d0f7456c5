"""Errors that a person reads: what was got, what is allowed, what to do next.

The command line prints them without a traceback and exits with status 2 (wrong input)
or 1 (something happened while working). Anything else that escapes is a bug.
"""

from __future__ import annotations

import contextlib
import difflib
import errno
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path


class FaceganError(Exception):
    """Something that the person at the keyboard can understand and act on.

    Args:
        message: what was got and what is wrong with it.
        hint: what is allowed, or what to do next. Printed on a line of its own.
    """

    exit_code = 2

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class RecipeError(FaceganError):
    """A recipe, or an override of one, that cannot be read or makes no sense."""


class DataError(FaceganError):
    """A source of images, a dataset or a labels table that cannot be used."""


class RunError(FaceganError):
    """A run folder, checkpoint or generator file that cannot be used."""


class DeviceError(FaceganError):
    """A device, or a number of processes or threads, that this machine cannot give."""


class TrainingError(FaceganError):
    """Training that had to stop; what was saved before it stays."""

    exit_code = 1


class StorageError(FaceganError):
    """A disk that is full or a folder that cannot be written."""

    exit_code = 1


def nearest(word: str, allowed: Iterable[str]) -> str:
    """A hint naming the closest of `allowed` to `word`, then all of them."""
    names = sorted(allowed)
    known = {name.lower(): name for name in names}
    close = difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.5)
    guess = f"Did you mean {known[close[0]]!r}? " if close else ""
    return f"{guess}Allowed: {', '.join(names)}."


# Characters that a terminal obeys or that hide what a line says: controls, directions, invisible
# ones, halves of characters, separators of lines. Joiners stay: some scripts need them.
_UNPRINTABLE = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
_HARMLESS = {"\n", "\t", "\u200c", "\u200d"}


def printable(text: str) -> str:
    """Text that somebody else wrote, with a space for each character that does more than print."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        " " if unicodedata.category(c) in _UNPRINTABLE and c not in _HARMLESS else c for c in text
    )


# What the operating system says when there is no room, by disk, by quota or by file-size limit.
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NO_ACCESS = {errno.EACCES, errno.EPERM, errno.EROFS}


@contextlib.contextmanager
def storage(path: Path | str) -> Iterator[None]:
    """Turn an `OSError` while writing `path` into a `StorageError` that names it."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise StorageError(
                f"No room left while writing {path} ({error.strerror}).",
                "Free some space, or choose another folder, and run the same command again.",
            ) from error
        if error.errno in _NO_ACCESS:
            raise StorageError(
                f"{path} cannot be written ({error.strerror}).",
                "Change its permissions or choose another folder.",
            ) from error
        if isinstance(error, FileExistsError | NotADirectoryError | IsADirectoryError):
            raise StorageError(
                f"{path} cannot be written: a file or folder is in the way ({error.strerror}).",
                "Move it away or choose another place.",
            ) from error
        raise StorageError(
            f"{path} cannot be written ({error.strerror or error}).",
            "Choose another place.",
        ) from error
