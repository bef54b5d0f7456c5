"""Writing a dataset: in batches, beside its place, and renamed into it when complete.

    with DatasetWriter("faces", resolution=64, channels=3) as writer:
        writer.add(images, names, identities, splits, sources)   # as often as needed
        writer.finish({"name": "faces", "licence": "mine"})

Until `finish` returns, nothing stands at the target; whatever goes wrong, an earlier dataset
there stays as it was.
"""

from __future__ import annotations

import csv
import glob
import io
import json
import math
import os
import secrets
import shutil
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from facegan.data.append import GrowingArray, HashedFile, write_synced
from facegan.data.dataset import (
    CARD,
    DROPPED,
    FORMAT,
    FORMAT_ENCODED,
    IMAGES,
    ITEM_COLUMNS,
    ITEMS,
    LABELS,
    SPLITS,
    fingerprint,
    is_dataset,
    put_aside,
)
from facegan.data.encoded import ENCODED, FROM_RESOLUTION, OFFSETS, EncodedFile
from facegan.data.statistics import Statistics, count_classes, describe_labels
from facegan.disk import exchange, sync
from facegan.errors import DataError, storage
from facegan.locks import HeldError, Lock
from facegan.parsing import parse_json
from facegan.version import __version__

# What a writer notes of how far it is, while the dataset is not whole.
NOTES = "notes.jsonl"
_TREATED = "treated"
# Bytes of pictures between two notes, and pictures read again at a time.
_NOTE_EVERY = 64 << 20
_AGAIN = 256
# All that a dataset's folder may hold where it is to be replaced.
_WRITTEN = frozenset({IMAGES, ENCODED, OFFSETS, ITEMS, LABELS, CARD, DROPPED})


class BeingWrittenError(DataError):
    """Another process is writing the same dataset."""


class DatasetWriter:
    """Writes one dataset; a context manager. Memory stays bounded by the batches given to `add`.

    Args:
        path: the folder to make. Its parents are made where missing.
        resolution: height and width of every image, in pixels.
        channels: 3 (RGB) or 1 (grey).
        label_names: the names of the label columns; empty for a dataset without labels.
        overwrite: replace a dataset that stands at `path`, once the new one is complete.
            A folder that is not a dataset is never replaced.
        measures: the names of what is measured of each image.
        resume: what decides the content, as one word: a writer of the same dataset that was killed
            is taken up where it made its last note, if its word was the same. "" for none.
        encoded: whether pictures are kept as PNGs, a third to a half of the bytes; by default from
            512 pixels a side on.

    Attributes:
        notes: of a writer that was taken up: what it noted, in order; else empty.

    Raises:
        DataError: `path` is taken, or another process is writing it.
        StorageError: the disk is full or the folder cannot be written.
    """

    def __init__(
        self,
        path: Path | str,
        resolution: int,
        channels: int,
        label_names: Sequence[str] = (),
        overwrite: bool = False,
        measures: Sequence[str] = (),
        resume: str = "",
        encoded: bool | None = None,
    ) -> None:
        if resolution < 1 or channels not in (1, 3):
            raise ValueError(f"resolution {resolution}, channels {channels}")
        if len(set(label_names)) != len(label_names):
            raise ValueError(f"label names repeat: {list(label_names)}")
        if len({*ITEM_COLUMNS, *measures}) != len(ITEM_COLUMNS) + len(measures):
            raise ValueError(f"names of measures repeat: {list(measures)}")
        self.path = Path(path).resolve()
        self.label_names = tuple(label_names)
        self.measures = tuple(measures)
        self.overwrite = overwrite
        self._shape = (resolution, resolution, channels)
        if not self.path.name:
            raise DataError(
                f"{self.path} cannot become a dataset.",
                "Give another name, such as that of a folder in it.",
            )
        self._partial = self.path.with_name(f".{self.path.name}.partial-{secrets.token_hex(4)}")
        self._replaced = put_aside(self.path)
        self._lock: Lock | None = None
        self._count = self._noted = 0
        self._statistics = Statistics(channels)
        self._encoded = resolution >= FROM_RESOLUTION if encoded is None else encoded
        self._resume = resume
        self.notes: list[Any] = []

    def __enter__(self) -> Self:
        with storage(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lock = Lock(self.path.with_name(f".{self.path.name}.lock"))
            try:
                lock.acquire()
            except HeldError as error:
                raise BeingWrittenError(
                    f"Another process is writing {self.path} now.",
                    f"Wait for it, or choose another name. {error.holder}".strip(),
                ) from error
            self._lock = lock
        try:
            with storage(self.path):
                self._put_back()
                try:
                    self._check_target()
                except DataError:
                    self._clear_leftovers(all_of_them=False)
                    raise
                taken_up = bool(self._resume) and self._take_up()
                self._clear_leftovers()
                if taken_up:
                    return self
                self._partial.mkdir()
                self._images: GrowingArray | EncodedFile
                if self._encoded:
                    self._images = EncodedFile(self._partial / ENCODED, self._shape)
                else:
                    self._images = GrowingArray(self._partial / IMAGES, np.uint8, self._shape)
                self._labels = (
                    GrowingArray(self._partial / LABELS, np.float32, (len(self.label_names),))
                    if self.label_names
                    else None
                )
                self._items = HashedFile(self._partial / ITEMS)
                self._items.write(_csv_lines([(*ITEM_COLUMNS, *self.measures)]))
                if self._resume:
                    write_synced(self._partial / NOTES, _note({"resume": self._resume}))
        except BaseException:
            self._release()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._release()

    def add(
        self,
        images: npt.NDArray[np.uint8],
        names: Sequence[str],
        identities: Sequence[str],
        splits: Sequence[str],
        sources: Sequence[str],
        labels: npt.NDArray[np.float32] | None = None,
        measures: npt.NDArray[np.floating] | None = None,
    ) -> None:
        """Append a batch.

        Args:
            images: uint8 [n,H,W,C].
            names: n file names.
            identities: n names of the persons shown.
            splits: n times "train" or "holdout".
            sources: n places that the images come from.
            labels: float32 [n,L], NaN where missing; None for a batch without any.
            measures: [n,M], NaN where missing, kept to six digits; None for a batch without any.
        """
        count = len(images)
        if images.dtype != np.uint8 or images.shape[1:] != self._shape:
            raise ValueError(f"images are {images.dtype} {images.shape}, not {self._shape}")
        columns = (names, identities, splits, sources)
        if any(len(column) != count for column in columns) or not set(splits) <= set(SPLITS):
            raise ValueError("names, identities, splits and sources must fit the images")
        if labels is None:
            labels = np.full((count, len(self.label_names)), np.nan, np.float32)
        if labels.shape != (count, len(self.label_names)):
            raise ValueError(f"labels are {labels.shape}, not {(count, len(self.label_names))}")
        if measures is None:
            measures = np.full((count, len(self.measures)), np.nan)
        if measures.shape != (count, len(self.measures)):
            raise ValueError(f"measures are {measures.shape}, not {(count, len(self.measures))}")
        rows = [
            [*map(escaped, row), *("" if np.isnan(each) else f"{each:.6g}" for each in numbers)]
            for *row, numbers in zip(*columns, measures.tolist(), strict=True)
        ]
        with storage(self.path):
            self._images.append(images)
            self._items.write(_csv_lines(rows))
            if self._labels is not None:
                self._labels.append(labels)
        self._statistics.add(images, identities, splits)
        self._count += count

    @property
    def due(self) -> bool:
        """Whether so much was added since the last note that another is worth its time."""
        rows = self._count - self._noted
        return bool(self._resume) and rows * math.prod(self._shape) >= _NOTE_EVERY

    def note(self, state: Any) -> None:
        """Note how far the work is: a writer that is killed from now on can be taken up here.

        Args:
            state: what whoever writes must know to go on, beside what was noted before; as JSON
                has it.
        """
        with storage(self.path):
            for part in (self._images, self._labels, self._items):
                if part is not None:
                    part.synced()
            line = {
                "rows": self._count,
                "bytes": self._images.length,
                "items": self._items.length,
                "state": state,
            }
            with (self._partial / NOTES).open("ab") as file:
                file.write(_note(line))
                file.flush()
                os.fsync(file.fileno())
        self._noted = self._count

    def _take_up(self) -> bool:
        """Go on with what a killed writer left of the same content, as far as it is whole."""
        for leftover in self._leftovers():
            lines = _read_notes(leftover / NOTES)
            if len(lines) < 2 or lines[0] != {"resume": self._resume}:
                continue
            try:
                leftover.rename(self._partial)
                last = lines[-1]
                self._count = self._noted = int(last["rows"])
                if self._encoded:
                    self._images = EncodedFile(
                        self._partial / ENCODED, self._shape, self._count, int(last["bytes"])
                    )
                else:
                    self._images = GrowingArray(
                        self._partial / IMAGES, np.uint8, self._shape, self._count
                    )
                self._labels = None
                if self.label_names:
                    self._labels = GrowingArray(
                        self._partial / LABELS,
                        np.float32,
                        (len(self.label_names),),
                        self._count,
                    )
                self._items = HashedFile(self._partial / ITEMS, int(last["items"]))
                self._count_again()
            except (OSError, ValueError, KeyError, TypeError):
                self._release_parts()
                shutil.rmtree(self._partial, ignore_errors=True)
                self._count = self._noted = 0
                self._statistics = Statistics(self._shape[2])
                continue
            self.notes = [line["state"] for line in lines[1:]]
            return True
        return False

    def _count_again(self) -> None:
        """The statistics of what a killed writer wrote."""
        with (self._partial / ITEMS).open(encoding="utf-8", newline="") as file:
            lines = csv.reader(file)
            next(lines)
            count = 0
            while some := list(islice(lines, _AGAIN)):
                if count + len(some) > self._count:
                    raise ValueError(f"more items than {self._count}")
                self._statistics.add(
                    self._images.rows(count, count + len(some)),
                    [row[ITEM_COLUMNS.index("identity")] for row in some],
                    [row[ITEM_COLUMNS.index("split")] for row in some],
                )
                count += len(some)
        if count != self._count:
            raise ValueError(f"{count} items, not {self._count}")

    def extra(self, name: str, text: str) -> None:
        """Put one more file, `name` with content `text`, into the dataset."""
        with storage(self.path):
            write_synced(self._partial / name, text.encode())

    def finish(
        self, card: Mapping[str, Any], treated: Callable[[Path, Path], Path] | None = None
    ) -> None:
        """Complete the dataset and move it into place.

        Args:
            card: what to say of the data beyond what the writer knows: name, source, licence, ….
                The writer adds format, created_with, resolution, channels, label_names,
                fingerprint, mean and std (train split, values in [0,1], one a channel),
                and to `counts`: kept, train, holdout, identities, duplicates,
                duplicates_across_splits (pictures equal to the last byte); and to `labels`:
                `columns`, with mean, lowest, highest and missing of each, and `classes`, how many
                pictures are of each.
            treated: what is done with the whole dataset before anybody finds it. It is given the
                folder and another one to write into, and says which of the two is the dataset.

        Raises:
            DataError: there is no image in the train split.
        """
        if not self._statistics.counts["train"]:
            raise DataError(
                f"None of {self._count} images is in the train split: there is nothing to learn "
                "from.",
                "Give more images, or keep fewer back (`holdout`).",
            )
        with storage(self.path):
            self._images.complete(self._count)
            self._items.close()
            if self._labels is not None:
                self._labels.complete(self._count)
            text = json.dumps(self._complete(card), indent=1, ensure_ascii=False, allow_nan=False)
            write_synced(self._partial / CARD, (text + "\n").encode())
            folder, other = self._partial, self._partial / _TREATED
            if treated is not None:
                shutil.rmtree(other, ignore_errors=True)
                folder = treated(folder, other)
            # Up to here, a writer that is killed can be taken up.
            (self._partial / NOTES).unlink(missing_ok=True)
            sync(folder)
            self._move_into_place(folder)
            sync(self.path.parent)

    def _complete(self, card: Mapping[str, Any]) -> dict[str, Any]:
        mean, std = self._statistics.mean_and_std()
        complete = {
            "format": FORMAT_ENCODED if self._encoded else FORMAT,
            "created_with": f"facegan {__version__}",
            **{key: value for key, value in card.items() if key != "encoding"},
            **({"encoding": "png"} if self._encoded else {}),
            "resolution": self._shape[0],
            "channels": self._shape[2],
            "counts": {**card.get("counts", {}), **self._statistics.counts},
            "mean": mean,
            "std": std,
            "label_names": list(self.label_names),
            "fingerprint": fingerprint(
                (self._count, *self._shape),
                self._images.sha256,
                self.label_names,
                self._labels.sha256 if self._labels is not None else "",
                self._items.sha256,
            ),
        }
        if self._labels is not None:
            columns = describe_labels(self._partial / LABELS, self.label_names)
            complete["labels"] = {**card.get("labels", {}), "columns": columns}
            if classes := count_classes(self._partial / LABELS, self.label_names):
                complete["labels"]["classes"] = classes
        return complete

    def _check_target(self) -> None:
        if not self.path.exists() or (self.path.is_dir() and not any(self.path.iterdir())):
            return
        if not self.path.is_dir():
            raise DataError(f"{self.path} is a file.", "Choose another name for the dataset.")
        if not is_dataset(self.path):
            raise DataError(
                f"{self.path} is a folder that is not a dataset; it is never replaced.",
                "Choose another name for the dataset.",
            )
        if not self.overwrite:
            raise DataError(
                f"{self.path} already holds a dataset.",
                "Choose another name, or replace it with `overwrite`.",
            )
        others = sorted({entry.name for entry in self.path.iterdir()} - _WRITTEN)
        if others:
            more = f" and {len(others) - 3} more" if len(others) > 3 else ""
            raise DataError(
                f"{self.path} holds what does not belong to its dataset and would be lost with it: "
                f"{', '.join(map(escaped, others[:3]))}{more}.",
                "Move that elsewhere, or choose another name for the dataset.",
            )

    def _clear_leftovers(self, all_of_them: bool = True) -> None:
        """Remove what killed processes left behind; holding the lock, no live one owns it.

        Args:
            all_of_them: also those that could be taken up.
        """
        for leftover in self._leftovers():
            if leftover != self._partial and (
                all_of_them or len(_read_notes(leftover / NOTES)) < 2
            ):
                shutil.rmtree(leftover)

    def _put_back(self) -> None:
        """Undo half of an exchange that a killed process left behind."""
        if self._replaced.exists():
            if self.path.exists():
                shutil.rmtree(self._replaced)
            else:
                self._replaced.rename(self.path)

    def _leftovers(self) -> list[Path]:
        return sorted(self.path.parent.glob(f".{glob.escape(self.path.name)}.partial-*"))

    def _move_into_place(self, folder: Path) -> None:
        if exchange(folder, self.path):
            return  # what was there is thrown away as what is not in place
        if is_dataset(self.path):
            self.path.rename(self._replaced)
        try:
            if self.path.is_dir():
                self.path.rmdir()
            folder.rename(self.path)
        except OSError:
            if self._replaced.exists():
                self._replaced.rename(self.path)
            raise
        shutil.rmtree(self._replaced, ignore_errors=True)

    def _release_parts(self) -> None:
        for name in ("_images", "_labels", "_items"):
            part = getattr(self, name, None)
            if part is not None:
                part.abandon()

    def _release(self) -> None:
        """Let go of everything; what is not in place by now is thrown away."""
        self._release_parts()
        shutil.rmtree(self._partial, ignore_errors=True)
        if self._lock is not None:
            self._lock.release(remove=True)
            self._lock = None


def _note(line: Mapping[str, Any]) -> bytes:
    return json.dumps(line, separators=(",", ":")).encode() + b"\n"


def _read_notes(path: Path) -> list[Any]:
    """The whole lines of a writer's notes, up to the first that is none."""
    found: list[Any] = []
    try:
        with path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    break
                found.append(parse_json(line))
    except (OSError, ValueError):
        pass
    return found


def escaped(name: str) -> str:
    """`name` on one line of valid UTF-8: control characters and stray bytes are escaped."""
    text = name.encode("utf-8", "backslashreplace").decode("utf-8")
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or c == " " else c.encode("unicode_escape").decode() for c in text
    )


def _csv_lines(rows: Sequence[Sequence[str]]) -> bytes:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue().encode()
