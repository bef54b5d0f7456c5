"""Keeps the keeper's copy of a trial like the node's, and never ahead of itself.

Files of a run appear whole, by renaming; so do checkpoints, which are folders. Only journals
and the log grow. A checkpoint must never reach the keeper before what was written before it:
so checkpoints are listed first, then all else is read, and then those checkpoints are sent,
and take their places last.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from facegan.errors import RunError, storage
from facegan.files import read_json
from facegan.study.execution.keeper import Keeper, checked

# Of a file, sent at once.
PIECE = 4 << 20
# At the end of a trial: nothing may be missing when it can be seen.
_LAST = "result.json"
_SPEC = "trial.json"
# As `facegan.runs` names them, which would bring in PyTorch to say so.
MANIFEST = "manifest.json"
BEST = ("generator.safetensors", "scores.json")

# What changes when a file or a folder is replaced: inode, time of change, size.
_Signature = tuple[int, int, int]


class _Torn(Exception):
    """It was replaced or removed while it was read."""


class Mirror:
    """A trial's folder on a node.

    Args:
        folder: on this node.
        keeper: of the study.
        trial: its index there.
        lease: from `Keeper.begin`.
    """

    def __init__(self, folder: Path, keeper: Keeper, trial: int, lease: int) -> None:
        self.folder = folder
        self._keeper, self._trial, self._lease = keeper, trial, lease
        self._known: dict[str, _Signature | None] = {}

    def fetch(self, files: Mapping[str, int]) -> None:
        """Take over what the keeper has of the trial."""
        for name in files:
            path = self.folder.joinpath(*checked(name).parts)
            path.parent.mkdir(parents=True, exist_ok=True)
            with storage(path), path.open("wb") as file:
                while piece := self._keeper.read(self._trial, name, file.tell(), PIECE):
                    file.write(piece)
        self._known = dict(self._listed(whole=True) | self._listed(whole=False))

    def send(self, ended: bool = False) -> None:
        """Send what changed since the last call.

        Args:
            ended: whether nothing writes here any more; only then the result is sent, and the
                last line of a journal although it may be cut short.
        """
        folders = self._listed(whole=True)
        files = self._listed(whole=False)
        here = folders | files
        result = files.pop(_LAST, None)
        # What was there before another file is in its place before it.
        order = [*sorted(files, key=lambda name: files[name][1]), *sorted(folders)]
        if ended and result is not None:
            order.append(_LAST)
        to_device: dict[str, _Signature | None] = {}
        missed: set[PurePosixPath] = set()
        for name in order:
            if self._known.get(name) == here[name]:
                continue
            try:
                if name in folders:
                    self._send_folder(name, here[name])
                    whole = True
                else:
                    whole = self._send(name, ended)
            except (_Torn, FileNotFoundError, NotADirectoryError):
                missed.add(PurePosixPath(name).parent)
            else:
                to_device[name] = here[name] if whole else None
        # An old checkpoint goes only when the newer ones beside it have arrived.
        gone = [
            name
            for name in self._known
            if name not in here
            and PurePosixPath(name).parent not in missed
            and not (self.folder / name).exists()
        ]
        if to_device or gone or missed:
            self._keeper.commit(self._trial, self._lease, list(to_device), gone)
        self._known.update(to_device)
        for name in gone:
            del self._known[name]

    def _send(self, name: str, ended: bool) -> bool:
        """Send a file; whether all of it was sent."""
        path = self.folder / name
        if ended or not _grows(path):
            self._send_pieces(name)
            return True
        content = path.read_bytes()
        lines = content[: content.rfind(b"\n") + 1]
        for offset in range(0, max(len(lines), 1), PIECE):
            self._write(name, offset, lines[offset : offset + PIECE])
        return lines == content

    def _send_folder(self, name: str, listed: _Signature) -> None:
        """Send a folder that appeared whole, unless it is removed or replaced meanwhile."""
        path = self.folder / name
        for inside in _parts(path):
            self._send_pieces(f"{name}/{inside}")
        if _signature(path) != listed:
            raise _Torn

    def _send_pieces(self, name: str) -> None:
        # An open file stays the same although another takes its place.
        with (self.folder / name).open("rb") as file:
            offset, piece = 0, b"first"
            while piece:
                piece = file.read(PIECE)
                self._write(name, offset, piece)
                offset += len(piece)

    def _write(self, name: str, offset: int, content: bytes) -> None:
        self._keeper.write(self._trial, self._lease, name, offset, content)

    def _listed(self, whole: bool) -> dict[str, _Signature]:
        """What there is to send: the folders that appear whole, or the files beside them."""
        found = {}
        for path in _walk(self.folder):
            name = path.relative_to(self.folder).as_posix()
            if path.is_dir() == whole and name != _SPEC:
                # What is gone by now was not there.
                with contextlib.suppress(FileNotFoundError):
                    found[name] = _signature(path)
        return found


def _walk(folder: Path) -> Iterator[Path]:
    """Files, and folders that appear whole; nothing hidden, and no links."""
    with contextlib.suppress(FileNotFoundError):
        for path in sorted(folder.iterdir()):
            if path.name.startswith(".") or path.is_symlink():
                continue
            if path.is_dir() and not _appears_whole(path):
                yield from _walk(path)
            elif path.is_dir() or path.is_file():
                yield path


def _appears_whole(folder: Path) -> bool:
    return folder.name == "best" or folder.parent.name == "checkpoints"


def _parts(folder: Path) -> Sequence[str]:
    """What such a folder must have; one that is being removed has less."""
    if folder.name == "best":
        return BEST
    try:
        manifest = read_json(folder / MANIFEST, "The manifest")
        return [*manifest["sha256"], MANIFEST]
    except (RunError, KeyError, TypeError) as error:
        raise _Torn from error


def _grows(path: Path) -> bool:
    return path.suffix == ".jsonl" or path.name == "log.txt"


def _signature(path: Path) -> _Signature:
    status = path.stat()
    return (status.st_ino, status.st_mtime_ns, 0 if path.is_dir() else status.st_size)
