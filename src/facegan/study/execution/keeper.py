"""The keeper of a study's files, beside the study: trials on other machines ask it for theirs.

A node sends what changed into a hidden folder, and then says which of it belongs together:
only then is it renamed into place, in the order that the node gives. So whoever reads the
study's folder, also after a crash, finds what a trial on this machine would have left.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from facegan.data.dataset import CARD, IMAGES, ITEMS, LABELS
from facegan.errors import RunError, storage

_ARRIVING = ".arriving"
_SPEC = "trial.json"  # the scheduler's: a node reads it and never sends it


class Superseded(RunError):
    """A node was taken for lost, and its trial went on elsewhere."""


@dataclass(frozen=True)
class Begun:
    """What a node gets when it begins a trial.

    Attributes:
        lease: to be shown with everything that the node sends.
        files: bytes of each file that the trial has, by name.
        datasets: fingerprint of each dataset that is a dataset of the scheduler's machine, by its
            name in `trial.json`.
    """

    lease: int
    files: dict[str, int]
    datasets: dict[str, str]


class Keeper:
    """Hands out the files of trials, and takes them back.

    Args:
        trials: their folders; a node names one by its index.
        datasets: folders by the names that `trial.json` has for them.
        fingerprints: of the same.
    """

    def __init__(
        self, trials: Sequence[Path], datasets: Mapping[str, Path], fingerprints: Mapping[str, str]
    ) -> None:
        self._trials = list(trials)
        self._fingerprints = dict(fingerprints)
        self._datasets = {fingerprints[name]: path for name, path in datasets.items()}
        self._leases = [0] * len(self._trials)
        self._news: list[tuple[int, str, str]] = []
        self._stopping = False

    # What the scheduler asks.

    def news(self) -> list[tuple[int, str, str]]:
        """Which trials began since the last call: index, node's id, where in words."""
        news, self._news = self._news, []
        return news

    def stop(self) -> None:
        """From now on no trial begins, and those that run are asked to save and end."""
        self._stopping = True

    # What nodes ask.

    def begin(self, trial: int, node: str, where: str) -> Begun | None:
        """A node takes a trial, and any other that had it loses it. None: there is no more to do.

        Args:
            trial: which.
            node: the node's id.
            where: the same for a person.
        """
        if self._stopping:
            return None
        self._leases[trial] += 1
        self._news.append((trial, node, where))
        shutil.rmtree(self._arriving(trial), ignore_errors=True)
        return Begun(self._leases[trial], files_of(self._trials[trial]), self._fingerprints)

    def stopping(self, trial: int, lease: int) -> bool:
        """Whether the node should stop its trial. Raises Superseded if it is no longer its own."""
        self._check(trial, lease)
        return self._stopping

    def read(self, trial: int, name: str, offset: int, size: int) -> bytes:
        """A piece of a trial's file; empty at its end."""
        return _piece(_inside(self._trials[trial], name), offset, size)

    def write(self, trial: int, lease: int, name: str, offset: int, content: bytes) -> None:
        """Take a piece of a file, out of sight until `commit`. At offset 0 the file begins anew.

        Raises:
            Superseded: the trial has gone on elsewhere.
            RunError: the name leads out of the trial's folder, or is not a node's to write.
            StorageError: the disk is full or the folder cannot be written.
        """
        self._check(trial, lease)
        if checked(name).parts[0] == _SPEC:
            raise RunError(f"A node sent {name!r}, which is not its own to write.")
        arriving = self._arriving(trial)
        path = _inside(arriving, name)
        with storage(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("r+b" if offset else "wb") as file:
                file.seek(offset)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())

    def commit(
        self, trial: int, lease: int, arrived: Sequence[str], removed: Sequence[str]
    ) -> None:
        """Put what was sent into place, then remove what the node no longer has.

        Args:
            trial: which.
            lease: of the node.
            arrived: files and whole folders, in the order in which they take their places.
            removed: files and whole folders.

        Raises:
            Superseded, RunError, StorageError: as `write` does.
        """
        self._check(trial, lease)
        folder, arriving = self._trials[trial], self._arriving(trial)
        moves = [(_inside(arriving, name), _inside(folder, name)) for name in arrived]
        doomed = [_inside(folder, name) for name in removed if checked(name).parts[0] != _SPEC]
        with storage(folder):
            for source, target in moves:
                target.parent.mkdir(parents=True, exist_ok=True)
                if source.is_dir() or target.is_dir():
                    _remove(target)
                source.replace(target)
            for path in doomed:
                _remove(path)
        shutil.rmtree(arriving, ignore_errors=True)

    def pack_files(self, fingerprint: str) -> dict[str, int]:
        """The bytes of each file of a dataset, by name."""
        folder = self._datasets[fingerprint]
        paths = (folder / name for name in (CARD, IMAGES, ITEMS, LABELS))
        return {path.name: path.stat().st_size for path in paths if path.is_file()}

    def read_dataset(self, fingerprint: str, name: str, offset: int, size: int) -> bytes:
        """A piece of a dataset's file; empty at its end."""
        return _piece(_inside(self._datasets[fingerprint], name), offset, size)

    def _check(self, trial: int, lease: int) -> None:
        if lease != self._leases[trial]:
            raise Superseded(f"{self._trials[trial]} has gone on elsewhere.")

    def _arriving(self, trial: int) -> Path:
        return self._trials[trial] / _ARRIVING


def forget_arriving(trial: Path) -> None:
    """Remove what a node had sent only a part of."""
    shutil.rmtree(trial / _ARRIVING, ignore_errors=True)


def checked(name: str) -> PurePosixPath:
    """A file's name from another machine, if it stays inside a folder. Raises RunError.

    Allowed are relative names with '/', without '..' and without hidden parts, which are
    locks and files that are being written.
    """
    path = PurePosixPath(name)
    bad = path.is_absolute() or not path.parts or any(c in name for c in "\\:\0")
    if bad or any(part.startswith(".") for part in path.parts):
        raise RunError(
            f"Another machine named a file {name!r}, which is refused.",
            "Names are relative, inside the trial's folder, and not hidden.",
        )
    return path


def files_of(folder: Path) -> dict[str, int]:
    """The bytes of each file in a folder by name, without what is hidden and without links."""
    found = {}
    for place, folders, names in os.walk(folder):
        folders[:] = [n for n in folders if not n.startswith(".")]
        for name in names:
            path = Path(place) / name
            if not name.startswith(".") and path.is_file() and not path.is_symlink():
                found[path.relative_to(folder).as_posix()] = path.stat().st_size
    return found


def _inside(folder: Path, name: str) -> Path:
    """The path of a name in a folder; RunError where a link would lead out of it."""
    path = folder
    for part in checked(name).parts:
        path = path / part
        if path.is_symlink():
            raise RunError(
                f"{path} is a link: another machine may not read or write through it.",
                "Replace it by what it leads to.",
            )
    return path


def _piece(path: Path, offset: int, size: int) -> bytes:
    with storage(path), path.open("rb") as file:
        file.seek(offset)
        return file.read(size)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
