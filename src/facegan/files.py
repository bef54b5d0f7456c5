"""Writing so that a reader, or a crash, never finds half of a file."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import json
import os
import platform
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facegan.disk import exchange, sync
from facegan.errors import RunError, one_line, storage
from facegan.locks import HeldError, Lock
from facegan.parsing import parse_json

if TYPE_CHECKING:
    from torch import Tensor


def write_bytes(path: Path, content: bytes, name: bool = True) -> None:
    """Write beside `path`, force it to the disk, then rename it into place.

    Args:
        path: the file.
        content: of it.
        name: whether its name is forced to the disk too; not worth the wait for each of many
            pictures, which can be made again.
    """
    with storage(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = _beside(path)
        try:
            with beside.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
            if name:
                sync(path.parent)
        finally:
            beside.unlink(missing_ok=True)


def write_text(path: Path, content: str) -> None:
    """`write_bytes` of UTF-8 text."""
    write_bytes(path, content.encode())


def write_json(path: Path, values: Any) -> None:
    """`write_text` of indented JSON."""
    write_text(path, json.dumps(values, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path, what: str) -> dict[str, Any]:
    """Read a JSON object. `what` names the file in errors."""
    try:
        values = parse_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise RunError(
            f"{what} cannot be read: {one_line(error)}.", f"The file is {path}."
        ) from error
    if not isinstance(values, dict):
        raise RunError(f"{what} is not a JSON object.", f"The file is {path}.")
    return values


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder that appears at `path` complete, or not at all.

    Yields a hidden folder beside it to write into. An older folder at `path` is replaced.
    """
    with storage(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = _beside(path)
        shutil.rmtree(beside, ignore_errors=True)
        try:
            beside.mkdir()
            yield beside
            for file in beside.iterdir():
                sync(file)
            sync(beside)
            if not exchange(beside, path):
                if path.exists():
                    shutil.rmtree(path)
                beside.rename(path)
            sync(path.parent)
        finally:
            shutil.rmtree(beside, ignore_errors=True)


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """A file that appears at `path` complete, or not at all.

    Yields a hidden path beside it to write to. An older file at `path` is replaced.
    """
    with storage(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = _beside(path)
        try:
            yield beside
            sync(beside)
            beside.replace(path)
            sync(path.parent)
        finally:
            beside.unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    """Where this process writes what becomes `path`; what killed ones left there is removed."""
    host = hashlib.sha256(platform.node().encode()).hexdigest()[:8]
    for left in path.parent.glob(f".{glob.escape(path.name)}.{host}-*.part"):
        number = left.name.rpartition(f"{host}-")[2].removesuffix(".part")
        if number.isdecimal() and int(number) != os.getpid() and not _running(int(number)):
            _remove(left)
    return path.with_name(f".{path.name}.{host}-{os.getpid()}.part")


def _running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        pass
    return True


def _remove(path: Path) -> None:
    """Remove a file or a folder; of a link, the link."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def held(
    folder: Path, in_use: RunError, afterwards: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Hold a folder, made if need be, so that no second process writes there.

    Args:
        folder: which.
        in_use: raised where another process holds it.
        afterwards: called when it is let go.
    """
    with storage(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = Lock(folder / ".lock")
        try:
            lock.acquire()
        except HeldError as error:
            hint = f"{in_use.hint} {error.holder}".strip()
            raise type(in_use)(in_use.message, hint) from error
    try:
        yield
    finally:
        lock.release()
        afterwards()


def remove_parts(folder: Path) -> None:
    """Remove what killed writers left in `folder`. Call only while holding the run's lock.

    Where `folder` is a link, nothing is removed: what it leads to may be somebody else's.
    """
    if folder.is_symlink():
        return
    for part in folder.glob(".*.part"):
        _remove(part)


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# Far more than any model needs to describe itself.
_LONGEST_HEADER = 1 << 20


def read_header(path: Path) -> dict[str, Any]:
    """What a safetensors file says before its tensors: name → shape and place, `__metadata__`.

    Reads that part alone, and without PyTorch. Raises RunError if it is no such file.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= min(size - 8, _LONGEST_HEADER):
                raise ValueError(f"a header of {length:,} bytes in a file of {size:,}")
            header = parse_json(file.read(length))
        ends = [header[key]["data_offsets"][1] for key in header.keys() - {"__metadata__"}]
        if max(ends, default=0) != size - 8 - length:
            raise ValueError("it is cut short, or longer than it says")
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise _unreadable(path, error) from error
    return dict(header)


def _unreadable(path: Path, error: Exception) -> RunError:
    return RunError(
        f"{path} is not a readable safetensors file: {one_line(error)}.",
        "Give a run folder, or a generator.safetensors file that facegan wrote.",
    )


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """A file's tensors by name, and its metadata. Raises RunError if it is no such file."""
    from safetensors import SafetensorError, safe_open

    read_header(path)
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            return tensors, file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise _unreadable(path, error) from error


def data_folders() -> list[Path]:
    """Where facegan keeps what a user gave it: $FACEGAN_HOME, or the user's data.

    Returns:
        First where to write; then, where it exists, the place of version 0.1.0
        (`~/.local/share/facegan` on every system), which is still read.
    """
    if "FACEGAN_HOME" in os.environ:
        return [Path(os.environ["FACEGAN_HOME"])]
    from platformdirs import user_data_path

    place = user_data_path("facegan", appauthor=False)
    base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    before = base / "facegan"
    return [place, before] if before != place and before.is_dir() else [place]
