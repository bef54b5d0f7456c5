"""Where all nodes of a cluster reach a study: a folder on a shared disk, or a store such as S3.

On a shared disk a trial is performed in its own folder, and nothing is copied. Through a store
its folder travels as one tar file, sent anew after each checkpoint: a single file appears whole
or not at all, so a node may be lost at any moment.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import secrets
import shutil
import socket
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from facegan.cache import cache_folder
from facegan.data.dataset import CARD, IMAGES, ITEMS, LABELS, Dataset
from facegan.data.encoded import ENCODED, OFFSETS
from facegan.errors import DataError, DeviceError, FaceganError, StorageError, storage
from facegan.files import new_folder, write_text
from facegan.study.execution.process import progress

_MARK = ".reach"
_PIECE = 4 << 20

# Called while a trial is performed, and with True when nothing writes there any more.
Keep = Callable[[bool], None]


class SharedFolder:
    """A disk that the study and all nodes have at the same path.

    Args:
        folder: of the study's trials.
    """

    def __init__(self, folder: Path) -> None:
        self._mark, self._token = folder / _MARK, secrets.token_hex(8)
        write_text(self._mark, self._token)

    def close(self) -> None:
        """Leave nothing behind."""
        self._mark.unlink(missing_ok=True)

    def missing(self) -> tuple[str, str] | None:
        """On a node: what is wrong and what to do, where it does not see the study."""
        with contextlib.suppress(OSError):
            if self._mark.read_text("utf-8") == self._token:
                return None
        return (
            f"it does not see the study's folder {self._mark.parent}",
            "Put the study into a folder that all nodes share, at the same path; or give a "
            "storage that all reach, such as s3://BUCKET/PREFIX.",
        )

    def send(self, trial: Path, state: str) -> None:
        """Hand a trial to the nodes. They have it already."""

    def collect(self, trial: Path, state: str) -> None:
        """Take back what a node left. It is here already."""

    def recover(self, trial: Path) -> None:
        """Take up what a study that was killed did not collect."""

    @contextlib.contextmanager
    def opened(self, trial: Path, state: str) -> Iterator[tuple[Path, Keep]]:
        """On a node: the folder to perform the trial in."""
        yield trial, lambda ended: None

    def add_dataset(self, dataset: Dataset) -> None:
        """Let nodes have a dataset that one of them does not find."""
        raise DataError(
            f"A node does not find the dataset {dataset.path}, or another one is there.",
            "Put it on the shared disk, at the same path on all nodes.",
        )

    def dataset(self, fingerprint: str) -> Path | None:
        """On a node: a dataset that is not where the study has it."""
        return None


class Store:
    """A prefix in a store, or in a folder, through pyarrow's file systems.

    Args:
        uri: such as `s3://bucket/prefix` or `gs://bucket/prefix`; of S3, the credentials come
            from the environment of each machine, and so may `AWS_ENDPOINT_URL`.

    Raises:
        DeviceError: pyarrow is not installed.
        StorageError: there is no such store, or it cannot be written.
    """

    def __init__(self, uri: str) -> None:
        self._uri, self._token = uri, secrets.token_hex(8)
        with self._reached():
            self._write(f"{_MARK}/{self._token}", lambda stream: stream.write(b""))

    def close(self) -> None:
        """Leave nothing behind but trials that were not collected, and datasets."""
        with contextlib.suppress(StorageError):
            self._delete(f"{_MARK}/{self._token}")

    def missing(self) -> tuple[str, str] | None:
        """On a node: what is wrong and what to do, where it does not reach the store."""
        try:
            if self._exists(f"{_MARK}/{self._token}"):
                return None
        except FaceganError as error:
            return error.message, error.hint
        return f"under {self._uri} it sees another store", "Check the endpoint that it uses."

    def send(self, trial: Path, state: str) -> None:
        """Hand a trial to the nodes."""
        with tempfile.TemporaryFile() as tar, self._reached():
            dataset(trial, tar)
            tar.seek(0)
            self._write(state, lambda stream: shutil.copyfileobj(tar, stream, _PIECE))

    def collect(self, trial: Path, state: str) -> None:
        """Take back what a node left, and remove it from the store."""
        with new_folder(trial) as beside:
            self._fetch(state, beside)
        self._delete(state)

    def recover(self, trial: Path) -> None:
        """Take up what a study that was killed did not collect."""
        for state in self._listed(folder_of(trial)):
            with tempfile.TemporaryDirectory() as scratch:
                self._fetch(state, Path(scratch))
                same = _content(Path(scratch) / "trial.json") == _content(trial / "trial.json")
                further = progress(Path(scratch)) > progress(trial)
            if same and further:
                self.collect(trial, state)
            else:
                self._delete(state)

    @contextlib.contextmanager
    def opened(self, trial: Path, state: str) -> Iterator[tuple[Path, Keep]]:
        """On a node: the folder to perform the trial in, which is sent after each checkpoint."""
        with _scratch() as folder:
            self._fetch(state, folder)
            sent = wholes(folder)

            def keep(ended: bool) -> None:
                nonlocal sent
                now = wholes(folder)
                if ended or now != sent:
                    self.send(folder, state)
                    sent = now

            yield folder, keep

    def add_dataset(self, dataset: Dataset) -> None:
        """Let nodes have a dataset that one of them does not find."""
        # The card last: then all of it is there.
        for name in (IMAGES, ENCODED, OFFSETS, ITEMS, LABELS, CARD):
            path, target = dataset.path / name, f"datasets/{dataset.fingerprint}/{name}"
            if path.exists() and not self._exists(target):
                with path.open("rb") as file, self._reached():
                    self._write(target, functools.partial(shutil.copyfileobj, file, length=_PIECE))

    def dataset(self, fingerprint: str) -> Path | None:
        """On a node: a dataset that is not where the study has it, fetched once and kept."""
        from filelock import FileLock

        place = f"datasets/{fingerprint}"
        target = cache_folder() / place
        with storage(target):
            target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_name(f".{fingerprint}.lock")):
            if not target.exists():
                if not self._exists(f"{place}/{CARD}"):
                    return None
                with new_folder(target) as beside:
                    for name in self._listed(place):
                        with self._read(name) as stream, (beside / Path(name).name).open("wb") as f:
                            shutil.copyfileobj(stream, f, _PIECE)
                    if Dataset.open(beside, verify=True).fingerprint != fingerprint:
                        raise DataError(f"{self._uri}/{place} holds another dataset.")
        return target

    # Names are below the prefix.

    @contextlib.contextmanager
    def _reached(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:  # as pyarrow's are
            raise StorageError(
                f"The storage {self._uri} cannot be used: {error}",
                "Check its name, the credentials and the endpoint in the environment, and that "
                "bucket and prefix may be read and written.",
            ) from error

    def _at(self, name: str) -> tuple[Any, str]:
        try:
            from pyarrow import fs
        except ImportError as error:
            raise DeviceError(
                f"pyarrow is not installed ({error}).", "Install it: pip install 'facegan[ray]'."
            ) from error
        files, prefix = fs.FileSystem.from_uri(self._uri)
        return files, f"{prefix.rstrip('/')}/{name}"

    def _write(self, name: str, fill: Callable[[Any], object]) -> None:
        files, path = self._at(name)
        # A stream that breaks off may leave what it has: only what is whole gets the name.
        part = f"{path}.{secrets.token_hex(4)}.part"
        files.create_dir(path.rpartition("/")[0], recursive=True)
        with files.open_output_stream(part) as stream:
            fill(stream)
        files.move(part, path)

    @contextlib.contextmanager
    def _read(self, name: str) -> Iterator[Any]:
        with self._reached():
            files, path = self._at(name)
            with files.open_input_stream(path) as stream:
                yield stream

    def _fetch(self, state: str, folder: Path) -> None:
        with self._read(state) as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
            tar.extractall(folder, filter="data")

    def _exists(self, name: str) -> bool:
        with self._reached():
            files, path = self._at(name)
            return bool(files.get_file_info(path).is_file)

    def _listed(self, folder: str) -> list[str]:
        from pyarrow import fs

        with self._reached():
            files, path = self._at(folder)
            found = files.get_file_info(fs.FileSelector(path, allow_not_found=True))
            names = sorted(info.base_name for info in found if info.is_file)
            return [f"{folder}/{name}" for name in names if not name.endswith(".part")]

    def _delete(self, name: str) -> None:
        with self._reached():
            files, path = self._at(name)
            files.delete_file(path)


Place = SharedFolder | Store


@contextlib.contextmanager
def _scratch() -> Iterator[Path]:
    """A folder in the cache, removed at the end; what killed processes left is removed now."""
    from filelock import FileLock, Timeout

    folders = cache_folder() / "trials"
    with storage(folders):
        folders.mkdir(parents=True, exist_ok=True)
    for old in folders.glob("*.lock"):
        with contextlib.suppress(Timeout, OSError), FileLock(old, timeout=0):
            shutil.rmtree(old.with_suffix(""), ignore_errors=True)
            old.unlink()
    folder = folders / f"{socket.gethostname().partition('.')[0]}-{secrets.token_hex(6)}"
    with FileLock(folder.with_suffix(".lock")) as lock:
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            Path(lock.lock_file).unlink(missing_ok=True)


def folder_of(trial: Path) -> str:
    """Where the states of a trial are, below a store's prefix that several studies may share."""
    study = hashlib.sha256(f"{socket.gethostname()}:{trial}".encode()).hexdigest()[:12]
    return "/".join(("trials", *trial.parts[-3:], study))


def dataset(trial: Path, file: Any) -> None:
    """Write a trial's folder as a tar file, as it was at one moment: not what is hidden.

    Checkpoints and the best snapshot are folders that appear whole; if one does meanwhile, all
    is read anew. So no journal is older than the checkpoint beside it.
    """
    while True:
        before = wholes(trial)
        file.seek(0)
        file.truncate()
        with contextlib.suppress(FileNotFoundError):
            with tarfile.open(fileobj=file, mode="w") as tar:
                for path in sorted(trial.rglob("*")):
                    name = path.relative_to(trial)
                    hidden = any(part.startswith(".") for part in name.parts)
                    if not hidden and not path.is_symlink():
                        tar.add(path, str(name), recursive=False)
            if wholes(trial) == before:
                return


def wholes(trial: Path) -> dict[Path, tuple[int, int]]:
    """The folders of a trial that appear whole, and what changes when one is replaced."""
    found = {}
    for path in (*trial.glob("*/checkpoints/[0-9]*k"), *trial.glob("*/best")):
        with contextlib.suppress(FileNotFoundError):
            status = path.stat()
            found[path] = (status.st_ino, status.st_mtime_ns)
    return found


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None
