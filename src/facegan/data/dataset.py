"""A dataset on disk, checked when opened and memory-mapped.

    images.npy     uint8 [N,H,W,C]; of large pictures images.bin and offsets.npy (encoded.py)
    items.csv      name, identity, split, source: one line an image; then a column of numbers for
                   each measure that came with the images, empty where one is missing
    labels.npy     float32 [N,L], only where there are labels; NaN where one is missing
    dataset.json   the card: where the images come from and what was done to them
    dropped.csv    name, reason, detail of every file left out, where images were imported

`facegan.data.writer.DatasetWriter` writes one.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from facegan.data.encoded import ENCODED, OFFSETS, EncodedImages, encoded_hash, read_offsets
from facegan.data.rows import RowReader
from facegan.data.spec import ImageSpec
from facegan.errors import DataError, nearest, one_line
from facegan.parsing import parse_json

FORMAT = 1
# Of datasets whose pictures are encoded, which earlier versions cannot read.
FORMAT_ENCODED = 2
IMAGES, ITEMS, LABELS, CARD = "images.npy", "items.csv", "labels.npy", "dataset.json"
DROPPED = "dropped.csv"
ITEM_COLUMNS = ("name", "identity", "split", "source")
SPLITS = ("train", "holdout")

_REBUILD = "Import it again with `facegan data import SOURCE DATASET --overwrite`."
_CHUNK = 1 << 24


class Items(NamedTuple):
    """The columns of items.csv but the splits, one entry an image; the measures by name."""

    names: list[str]
    identities: list[str]
    sources: list[str]
    measures: dict[str, npt.NDArray[np.float64]]


class Dataset:
    """An opened dataset. Make one with `Dataset.open`.

    Attributes:
        path: its folder.
        card: the content of dataset.json.
        images: uint8 [N,H,W,C], read-only, memory-mapped, or decoded where they are indexed; RGB
            or grey.
        labels: float32 [N,L], read-only, memory-mapped, NaN where missing; None without labels.
        label_names: the L names of the columns of `labels`.
        spec: the shape of its images, without labels: which ones networks see is the recipe's.
        fingerprint: SHA-256 (hex) of images, labels and items, as stored in the card.
    """

    def __init__(
        self,
        path: Path,
        card: dict[str, Any],
        images: npt.NDArray[np.uint8],
        labels: npt.NDArray[np.float32] | None,
    ) -> None:
        self.path = path
        self.card = card
        self.images = images
        self.labels = labels
        self.label_names: tuple[str, ...] = tuple(card["label_names"])
        self.spec = ImageSpec(images.shape[1], images.shape[3])
        self.fingerprint: str = card["fingerprint"]

    @classmethod
    def open(cls, path: Path | str, verify: bool = False) -> Dataset:
        """Open the dataset in folder `path`.

        Args:
            path: the folder that holds dataset.json.
            verify: also read every byte and compare with the fingerprint in the card.

        Raises:
            DataError: the folder is not a dataset, or the dataset is damaged or of a newer format.
        """
        path = Path(path)
        card = _read_card(path)
        images = _open_images(path, card)
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1] != images.shape[2]:
            raise DataError(
                f"{path / IMAGES} holds {images.dtype} {list(images.shape)}.",
                f"A dataset's images are uint8 [N,H,W,C] with H equal to W. {_REBUILD}",
            )
        if len(images) == 0 or images.shape[3] not in (1, 3):
            raise DataError(
                f"{path / IMAGES} has shape {list(images.shape)}.",
                f"A dataset has at least one image, of 1 or 3 channels. {_REBUILD}",
            )
        labels = None
        if card["label_names"]:
            labels = _open_array(path / LABELS)
            wanted = (len(images), len(card["label_names"]))
            if labels.dtype != np.float32 or labels.shape != wanted:
                raise DataError(
                    f"{path / LABELS} holds {labels.dtype} {list(labels.shape)}.",
                    f"The images and the card ask for float32 {list(wanted)}. {_REBUILD}",
                )
        # Names hold no line breaks (the writer sees to it), so lines can be counted unparsed.
        lines = sum(block.count(b"\n") for block in _blocks(path / ITEMS)) - 1
        if lines != len(images):
            raise DataError(
                f"{path / ITEMS} lists {lines} images, but {IMAGES} holds {len(images)}.", _REBUILD
            )
        dataset = cls(path, card, images, labels)
        if verify:
            dataset.verify()
        return dataset

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        return f"Dataset({str(self.path)!r}, {len(self)} images, {self.spec})"

    def _repr_png_(self) -> bytes:
        """A contact sheet, which notebooks show."""
        import io

        from PIL import Image

        from facegan.data.grid import contact_sheet

        sheet, target = contact_sheet(self), io.BytesIO()
        Image.fromarray(sheet if sheet.shape[2] == 3 else sheet[:, :, 0]).save(target, "PNG")
        return target.getvalue()

    @property
    def names(self) -> list[str]:
        """The file name of each image."""
        return self._items.names

    @property
    def identities(self) -> list[str]:
        """Whose face each image shows; where nobody knows, the image's own path."""
        return self._items.identities

    @property
    def splits(self) -> list[str]:
        """The split of each image, "train" or "holdout"."""
        return self._splits

    @property
    def sources(self) -> list[str]:
        """The path of each image inside the source that was imported."""
        return self._items.sources

    @property
    def measures(self) -> dict[str, npt.NDArray[np.float64]]:
        """What was measured of each image, by name: float64 [N], NaN where it is missing."""
        return self._items.measures if self.measure_names else {}

    @cached_property
    def measure_names(self) -> tuple[str, ...]:
        """What was measured of the images."""
        header, _ = self._lines()
        return tuple(header[len(ITEM_COLUMNS) :])

    def items(self) -> Iterator[tuple[str, str, str, str]]:
        """Name, identity, split and source of each image, one after another: nothing is kept.

        Raises:
            DataError: a line is damaged, or there are too few or too many.
        """
        return ((row[0], row[1], row[2], row[3]) for row in self._lines()[1])

    def copied(self, rows: npt.NDArray[np.integer]) -> npt.NDArray[np.uint8]:
        """The images of these rows, in memory: uint8 [len(rows),H,W,C].

        Nothing else of the file stays in this process's memory, as it would through the map; the
        system's cache keeps what there is room for, once for all processes.

        Raises:
            DataError: the file cannot be read any more, or was cut short.
        """
        return self._reader(rows)

    @cached_property
    def _reader(self) -> Callable[[npt.NDArray[np.integer]], npt.NDArray[np.uint8]]:
        if isinstance(self.images, EncodedImages):
            return self.images
        return RowReader(self.images)

    @property
    def encoded(self) -> bool:
        """Whether pictures are kept encoded, and decoded when they are asked for."""
        return isinstance(self.images, EncodedImages)

    def indices(self, split: str = "all") -> npt.NDArray[np.int64]:
        """Which images belong to `split` ("train", "holdout" or "all"): int64 [n], ascending."""
        if split == "all":
            return np.arange(len(self), dtype=np.int64)
        if split not in SPLITS:
            raise DataError(f"There is no split {split!r}.", nearest(split, (*SPLITS, "all")))
        return np.flatnonzero(np.array(self.splits) == split).astype(np.int64)

    def verify(self) -> None:
        """Read every byte; raise DataError unless the content has the card's fingerprint."""
        found = fingerprint(
            self.images.shape,
            _hash_images(self.images),
            self.label_names,
            _hash_array(self.labels) if self.labels is not None else "",
            _hash_file(self.path / ITEMS),
        )
        if found != self.fingerprint:
            raise DataError(
                f"{self.path} has changed since it was made: its content has the fingerprint "
                f"{found[:12]}…, its card says {self.fingerprint[:12]}….",
                _REBUILD,
            )

    def _lines(self) -> tuple[list[str], Iterator[list[str]]]:
        """The header of items.csv, and its rows, each checked when it is asked for."""
        path = self.path / ITEMS
        checked = self._checked(path)
        return next(checked), checked

    def _checked(self, path: Path) -> Iterator[list[str]]:
        count = 0
        try:
            with path.open(encoding="utf-8", newline="") as file:
                lines = csv.reader(file)
                header = next(lines, [])
                first = len(ITEM_COLUMNS)
                if tuple(header[:first]) != ITEM_COLUMNS or len(set(header)) < len(header):
                    raise DataError(
                        f"{path} has the columns {one_line(', '.join(header))}.",
                        f"A dataset's are {', '.join(ITEM_COLUMNS)}, then measures. {_REBUILD}",
                    )
                yield header
                for count, row in enumerate(lines, start=1):
                    if len(row) != len(header) or row[2] not in SPLITS:
                        said = one_line(",".join(row))
                        raise DataError(
                            f"{path}, line {count + 1}: {said!r} is not an item.",
                            f"An item is {one_line(', '.join(header))}, its split one of "
                            f"{' or '.join(SPLITS)}. {_REBUILD}",
                        )
                    yield row
        except (OSError, UnicodeDecodeError, csv.Error, ValueError) as error:
            raise DataError(f"{path} cannot be read ({error}).", _REBUILD) from error
        if count != len(self):
            raise DataError(
                f"{path} lists {count} images, but {IMAGES} holds {len(self)}.", _REBUILD
            )

    @cached_property
    def _splits(self) -> list[str]:
        """Read alone: splits are asked for where names, which take more memory, are not."""
        # What is the same text is the same object.
        known = {split: split for split in SPLITS}
        return [known[split] for _, _, split, _ in self.items()]

    @cached_property
    def _items(self) -> Items:
        path = self.path / ITEMS
        header, lines = self._lines()
        first = len(ITEM_COLUMNS)
        measures = header[first:]
        names: list[str] = []
        identities: list[str] = []
        sources: list[str] = []
        values: list[list[str]] = [[] for _ in measures]
        for row in lines:
            name, identity, _, source = row[:first]
            sources.append(source)
            # What is the same text is the same object.
            identities.append(source if identity == source else identity)
            names.append(source if name == source else name)
            for column, value in zip(values, row[first:], strict=True):
                column.append(value)
        numbers = {
            name: _numbers(path, name, column)
            for name, column in zip(measures, values, strict=True)
        }
        return Items(names, identities, sources, numbers)


def fingerprint(
    shape: Sequence[int],
    images_sha256: str,
    label_names: Sequence[str],
    labels_sha256: str,
    items_sha256: str,
) -> str:
    """The fingerprint of a dataset's content: SHA-256 (hex) over the hashes of its parts."""
    parts = [list(shape), images_sha256, list(label_names), labels_sha256, items_sha256]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def is_dataset(path: Path) -> bool:
    """Whether folder `path` looks like a dataset, whole or damaged."""
    return (path / CARD).is_file() and (path / ITEMS).is_file()


def put_aside(path: Path) -> Path:
    """Where a dataset at `path` waits while a new one takes its place."""
    return path.with_name(f".{path.name}.replaced")


def _read_card(path: Path) -> dict[str, Any]:
    try:
        there = path.exists()
    except OSError as error:  # a name that no file can have
        raise DataError(f"{path}: {error.strerror}.", "Give a dataset's folder.") from error
    if not there:
        hint = (
            "Make one with `facegan data import SOURCE DATASET` or "
            "`facegan data portraits DATASET`."
        )
        if put_aside(path).exists():
            hint = f"Its replacement was interrupted; rename {put_aside(path)} to have the old one."
        raise DataError(f"There is no dataset at {path}.", hint)
    if not path.is_dir():
        raise DataError(
            f"{path} is a file, not a dataset.",
            "A dataset is a folder; make one from images or an archive with "
            "`facegan data import SOURCE DATASET`.",
        )
    if not (path / CARD).is_file():
        raise DataError(
            f"{path} is not a dataset: it has no {CARD}.",
            "If it is a folder of images, import it first: `facegan data import SOURCE DATASET`.",
        )
    try:
        card = parse_json(_read_bytes(path / CARD))
    except ValueError as error:
        raise DataError(f"{path / CARD} is not JSON ({one_line(error)}).", _REBUILD) from error
    if not isinstance(card, dict) or not isinstance(card.get("format"), int):
        raise DataError(
            f"{path / CARD} is not the card of a dataset: it states no format.",
            "If this is a dataset made by another tool, import it first: "
            "`facegan data import SOURCE DATASET`.",
        )
    if card["format"] > FORMAT_ENCODED:
        raise DataError(
            f"{path} was made by a newer facegan (format {card['format']}; this one reads "
            f"{FORMAT_ENCODED}).",
            "Update facegan, or import the images again with this one.",
        )
    if not isinstance(card.get("counts"), dict):
        raise DataError(f"{path / CARD} lacks the counts of its pictures.", _REBUILD)
    names, mark = card.get("label_names"), card.get("fingerprint")
    if not isinstance(mark, str) or not isinstance(names, list):
        raise DataError(f"{path / CARD} lacks the fingerprint or the label names.", _REBUILD)
    if not all(isinstance(name, str) for name in names):
        raise DataError(f"{path / CARD}: the label names are not all text.", _REBUILD)
    return card


def _numbers(path: Path, name: str, cells: Sequence[str]) -> npt.NDArray[np.float64]:
    """A column of measures."""
    try:
        return np.array([float(cell) if cell else np.nan for cell in cells], np.float64)
    except ValueError as error:
        raise DataError(
            f"{path}, column {one_line(name, 40)}: {one_line(error)}.",
            f"A measure is a number, or empty where it is missing. {_REBUILD}",
        ) from error


def _open_array(path: Path) -> npt.NDArray[Any]:
    """A read-only memory map of `path`, a whole .npy file."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing.", _REBUILD) from error
    except Exception as error:  # NumPy evaluates headers, and lets out whatever that gives
        raise DataError(f"{path} is damaged or cut short ({one_line(error)}).", _REBUILD) from error
    if not isinstance(array, np.memmap):
        raise DataError(f"{path} is not a .npy array.", _REBUILD)
    if not array.flags.c_contiguous or path.stat().st_size != array.offset + array.nbytes:
        raise DataError(f"{path} is damaged: its size does not fit its header.", _REBUILD)
    return array


def _open_images(path: Path, card: dict[str, Any]) -> npt.NDArray[np.uint8]:
    """The images, or what gives them as an array would."""
    if (encoding := card.get("encoding")) is None:
        return _open_array(path / IMAGES)
    sides = (card.get("resolution"), card.get("channels"))
    if encoding != "png" or not all(type(side) is int and 0 < side < 1 << 15 for side in sides):
        raise DataError(f"{path / CARD}: pictures encoded as {encoding!r:.40}.", _REBUILD)
    offsets = read_offsets(path / OFFSETS)
    return cast(Any, EncodedImages(path / ENCODED, offsets, *cast(tuple[int, int], sides)))


def _hash_images(images: npt.NDArray[np.uint8]) -> str:
    if not isinstance(images, EncodedImages):
        return _hash_array(images)
    digest = hashlib.sha256()
    for block in images.blocks():
        digest.update(block)
    return encoded_hash(digest.hexdigest(), images.offsets)


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing.", _REBUILD) from error
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}).", _REBUILD) from error


def _blocks(path: Path) -> Iterator[bytes]:
    """The content of a file, a few megabytes at a time."""
    try:
        with path.open("rb") as file:
            while block := file.read(_CHUNK >> 2):
                yield block
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing.", _REBUILD) from error
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}).", _REBUILD) from error


def _hash_file(path: Path) -> str:
    digest = hashlib.sha256()
    for block in _blocks(path):
        digest.update(block)
    return digest.hexdigest()


def _hash_array(array: npt.NDArray[Any]) -> str:
    digest = hashlib.sha256()
    flat = array.reshape(-1).view(np.uint8)
    for start in range(0, flat.size, _CHUNK):
        digest.update(flat[start : start + _CHUNK].data)
    return digest.hexdigest()
