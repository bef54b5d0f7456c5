"""A folder or an archive of pictures → a dataset.

The source is listed first: that decides who is shown, which pictures are held out and which
label row belongs to which picture, before anything is decoded. Then it is read once as a
stream, decoded in a few threads with little look-ahead, and written in the source's order,
so that the result depends on the source and the options alone.
"""

from __future__ import annotations

import contextlib
import os
import re
import warnings
from collections import deque
from collections.abc import Callable, Container, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from posixpath import basename, splitext
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from facegan.data.align import MEASURES, Alignment, aligned, one_thread_each
from facegan.data.dataset import DROPPED, Dataset
from facegan.data.decode import (
    BACKGROUND,
    FILTER,
    Picture,
    Shape,
    decode,
    decode_whole,
    prepare,
)
from facegan.data.grouping import Treatment, check_treatment, treat_duplicates
from facegan.data.import_log import ImportLog
from facegan.data.labels import Joined, LabelTable
from facegan.data.layouts import Layout, recognise
from facegan.data.recognise import open_source
from facegan.data.skipped import SkippedFile
from facegan.data.sources import Member, Source
from facegan.data.writer import DatasetWriter
from facegan.errors import DataError

_BATCH, _BATCH_BYTES = 64, 8 << 20
_EXTENSIONS = (
    *("jpg", "jpeg", "jpe", "mpo", "png", "webp", "avif", "gif", "bmp", "tif", "tiff"),
    *("ppm", "pgm", "pnm"),
)
# Only such files compete for label rows; `a.txt` beside `a.jpg` does not make row `a` ambiguous.
_PICTURES = {f".{extension}" for extension in _EXTENSIONS}
_ARCHIVE = re.compile(r"\.(zip|tgz|tbz2?|txz|tar(\.\w+)?)$", re.IGNORECASE)

Progress = Callable[[int, int], None]
_Read = tuple[int, bytes | SkippedFile]
# What a file gives: pictures, and why it, or a face in it, gives none.
_Decoded = tuple[int, list[Picture], list[SkippedFile]]


def import_images(
    source: Path | str | Source,
    dataset: Path | str,
    *,
    resolution: int = 64,
    crop: int | Literal["full"] = "full",
    channels: int = 3,
    align: Alignment | None = None,
    labels: Path | str | None = None,
    labels_note: str | None = None,
    holdout: float = 0.1,
    duplicates: Treatment | None = None,
    min_size: int = 16,
    licence: str | None = None,
    workers: int | None = None,
    overwrite: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
) -> Dataset:
    """Make a dataset of the pictures in `source`.

    Args:
        source: a folder tree, a zip, or a tar (plain, gzip, bzip2, xz). The layouts of LFW,
            CelebA and NVlabs' dataset_tool are recognised; their identities, official splits
            and labels are used. Or a `Source`, such as a plug-in's.
        dataset: the folder to make.
        resolution: height and width of the result in pixels, 4 to 1024.
        crop: "full" for the largest centred square, or the side in pixels of a centred square
            of the original; pictures smaller than that are left out.
        channels: 3 for RGB, 1 for grey.
        align: find the faces, turn them upright and cut each in its own square, as these options
            say; `crop` does not apply then. Of the faces of a photograph, which share a split,
            the main one has the name, the identity and the labels of the photograph.
        labels: a CSV of label values by file name; replaces labels that the source brings.
        labels_note: what these labels are: who or what made them, how far to trust them.
        holdout: about this share of the pictures, in [0, 1), is held out of training; chosen
            by a hash of who is shown, so that nobody is on both sides.
        duplicates: what is done about pictures that are nearly the same: "group" keeps them and
            the people they show on one side of the split, "thin" keeps the first of each group,
            "keep" only names them in the card. By default they are grouped, and kept where there
            is an official split.
        min_size: pictures with a side shorter than this many pixels are left out.
        licence: under which terms the pictures may be used.
        workers: decoding threads; by default one for each processor available.
        overwrite: replace a dataset that exists, once the new one is complete.
        seed: which pictures are held out, where no official split says so.
        progress: called after each batch with (files done, files in all).

    Raises:
        DataError: the source, the labels or an option cannot be used, or no picture is usable.
        StorageError: the dataset cannot be written.
    """
    shape = Shape(resolution, crop, channels, min_size)
    _check_options(shape, holdout, workers)
    if duplicates is not None:
        check_treatment(duplicates)
    if align is not None and crop != "full":
        raise DataError(
            f"crop is {crop}, and faces are to be aligned.",
            "An aligned face has its own square: leave crop out, and set the zoom instead.",
        )
    table = LabelTable.from_csv(labels) if labels is not None else None
    origin = open_source(source)
    _check_places(origin.path, Path(dataset))
    members = origin.members()
    layout = recognise(origin, [member.path for member in members if member.refused is None])
    if table is None:
        table, labels_note = layout.labels, labels_note or layout.labels_note
    import_log = ImportLog(members, layout.own_files)
    joined = _join(table, members, import_log) if table is not None else None
    names = table.names if table is not None else ()

    with (
        DatasetWriter(
            dataset, resolution, channels, names, overwrite, MEASURES if align is not None else ()
        ) as writer,
        contextlib.closing(
            _decoded(origin, set(import_log.readable), shape, align, workers)
        ) as batches,
        warnings.catch_warnings(),
        one_thread_each() if align is not None else contextlib.nullcontext(),
    ):
        warnings.simplefilter("ignore")  # decoders warn about what ends up in the card
        for batch in batches:
            rows = _sort_out(batch, import_log)
            paths = [members[index].path for index, _ in rows]
            if rows:
                pictures = [picture for _, picture in rows]
                others = [f"#{each.number + 1}" if each.number else "" for each in pictures]
                writer.add(
                    np.stack([picture.pixels for picture in pictures]),
                    [f"{basename(path)}{face}" for path, face in zip(paths, others, strict=True)],
                    [
                        f"{path}{face}" if face else layout.identity(path)
                        for path, face in zip(paths, others, strict=True)
                    ],
                    [layout.split(path, holdout, seed) for path in paths],
                    paths,
                    None if joined is None else _labels(joined, rows),
                    np.array([picture.measures for picture in pictures], np.float64),
                )
            if progress is not None:
                progress(import_log.done, len(import_log.readable))
        if not import_log.kept:
            raise _nothing_usable(origin, import_log)
        card = _card(origin, layout, shape, align, import_log)
        card["licence"] = licence or "not stated"
        card["split"] = (
            "official"
            if layout.splits
            else f"by a hash of who is shown, seed {seed}, about {holdout:g} held out"
        )
        if table is not None and joined is not None:
            card["labels"] = {
                "source": table.source,
                "note": labels_note or "not stated",
                "matched": int(joined.matched[sorted(set(import_log.kept))].sum()),
                "unused_rows": joined.unused_rows,
            }
        writer.extra(DROPPED, import_log.dropped_csv())
        writer.finish(card)
    made = Dataset.open(dataset)
    return treat_duplicates(made, duplicates or ("keep" if layout.splits else "group"))


def _check_options(shape: Shape, holdout: float, workers: int | None) -> None:
    rules = [
        (4 <= shape.resolution <= 1024, "resolution", shape.resolution, "4 to 1024 pixels"),
        (shape.crop == "full" or shape.crop >= 1, "crop", shape.crop, "full, or pixels from 1 up"),
        (shape.channels in (1, 3), "channels", shape.channels, "3 (colour) or 1 (grey)"),
        (shape.min_size >= 1, "min-size", shape.min_size, "1 pixel or more"),
        (0 <= holdout < 1, "holdout", holdout, "a share from 0 to below 1, such as 0.1"),
        (workers is None or workers >= 1, "workers", workers, "1 or more"),
    ]
    for fine, name, value, allowed in rules:
        if not fine:
            raise DataError(f"{name} is {value}.", f"Allowed: {allowed}.")


def _check_places(source: Path, dataset: Path) -> None:
    source, dataset = source.resolve(), dataset.resolve()
    if source == dataset or dataset in source.parents:
        raise DataError(
            f"{source} would be replaced by the dataset made of it.", "Choose another place."
        )
    if source in dataset.parents:
        raise DataError(
            f"{dataset} would lie inside its own source, {source}.", "Choose a place outside."
        )


def _join(table: LabelTable, members: Sequence[Member], import_log: ImportLog) -> Joined | None:
    """The label values of every member, in order; None if no member could be a picture."""
    asking = [i for i in import_log.readable if _could_be_picture(members[i].path)]
    if not asking:
        return None
    joined = table.join([members[index].path for index in asking])
    rows = np.full(len(members), -1, np.int64)
    rows[asking] = joined.rows
    return Joined(table, rows, joined.unused_rows)


def _could_be_picture(path: str) -> bool:
    extension = splitext(path)[1].lower()
    return not extension or extension in _PICTURES


def _decoded(
    source: Source,
    chosen: Container[int],
    shape: Shape,
    alignment: Alignment | None,
    workers: int | None,
) -> Generator[list[_Decoded]]:
    """Read and decode the chosen members, batch by batch, in the source's order."""
    prepare()
    workers = workers or _processors()
    waiting: deque[Future[list[_Decoded]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for batch in _batches(source.read(chosen), shape):
                waiting.append(pool.submit(_decode_batch, batch, shape, alignment))
                if len(waiting) > 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _batches(reading: Iterator[_Read], shape: Shape) -> Iterator[list[_Read]]:
    """Groups small enough that many of them fit in memory, as files and as images."""
    image_bytes = shape.resolution * shape.resolution * shape.channels
    longest = min(_BATCH, max(1, _BATCH_BYTES // image_bytes))
    batch: list[_Read] = []
    held = 0
    for index, content in reading:
        batch.append((index, content))
        held += len(content) if isinstance(content, bytes) else 0
        if len(batch) == longest or held > _BATCH_BYTES:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def _decode_batch(batch: list[_Read], shape: Shape, alignment: Alignment | None) -> list[_Decoded]:
    decoded: list[_Decoded] = []
    for index, content in batch:
        try:
            if not isinstance(content, bytes):
                decoded.append((index, [], [content]))
            elif alignment is None:
                decoded.append((index, [decode(content, shape)], []))
            else:
                decoded.append((index, *_decode_faces(content, shape, alignment)))
        except SkippedFile as unusable:
            decoded.append((index, [], [unusable]))
    return decoded


def _decode_faces(
    content: bytes, shape: Shape, alignment: Alignment
) -> tuple[list[Picture], list[SkippedFile]]:
    """The aligned faces of a file, and those that cannot be used."""
    import cv2

    photograph, conversions = decode_whole(content, replace(shape, channels=3))
    try:
        found, left_out = aligned(photograph, shape.resolution, alignment)
    except cv2.error as error:  # one photograph is no reason to lose the others
        raise SkippedFile("cannot be aligned", " ".join(str(error).split())) from error
    pictures = []
    for face in found:
        pixels = face.pixels
        if shape.channels == 1:
            pixels = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[:, :, None].astype(np.uint8)
        changed = [*conversions, "enlarged"] if face.square.side < shape.resolution else conversions
        pictures.append(Picture(pixels, tuple(changed), face.number, face.measures))
    return pictures, left_out


def _labels(joined: Joined, rows: Sequence[tuple[int, Picture]]) -> npt.NDArray[np.float32]:
    """The labels of rows: a file's are those of its main face, and nothing is known of others."""
    values = joined.values([index for index, _ in rows])
    values[[picture.number > 0 for _, picture in rows]] = np.nan
    return values


def _processors() -> int:
    """Processors that this process may use; more threads than 16 only take memory."""
    if hasattr(os, "sched_getaffinity"):
        return min(16, len(os.sched_getaffinity(0)))
    return min(16, os.cpu_count() or 1)


def _sort_out(batch: list[_Decoded], import_log: ImportLog) -> list[tuple[int, Picture]]:
    """Enter a batch into the ledger; the pictures in it, each with the number of its member."""
    rows = []
    for index, pictures, left_out in batch:
        for why in left_out:
            import_log.drop(index, why)
        for picture in pictures:
            import_log.keep(index, picture.conversions)
            rows.append((index, picture))
    return rows


def _nothing_usable(source: Source, import_log: ImportLog) -> DataError:
    found = ", ".join(f"{count} × {reason}" for reason, count in import_log.reasons.items())
    passed = f"; {source.junk} hidden or system files were passed over" if source.junk else ""
    return DataError(
        f"{source.path} holds no usable picture: {found or 'it is empty'}{passed}.",
        "Pictures are JPEG, PNG, WebP, AVIF, GIF, BMP, TIFF or PPM files; --min-size and --crop "
        "set how large they must be.",
    )


def _card(
    source: Source,
    layout: Layout,
    shape: Shape,
    alignment: Alignment | None,
    import_log: ImportLog,
) -> dict[str, Any]:
    card: dict[str, Any] = {
        "name": _ARCHIVE.sub("", source.name),
        "source": source.name,
        "source_kind": source.kind,
        "layout": layout.name,
        "crop": shape.crop if alignment is None else "aligned",
        "filter": FILTER,
        "background": list(BACKGROUND),
        "min_size": shape.min_size,
        "identities_from": layout.identities_from,
        "counts": {**import_log.counts, "junk": source.junk},
        "dropped": import_log.reasons,
        "conversions": dict(sorted(import_log.conversions.items())),
    }
    if alignment is not None:
        card["alignment"] = alignment.about(shape.resolution)
        card["filter"] = "sampled at the photograph's scale, then OpenCV area"
    if source.sha256:
        card["source_sha256"] = source.sha256
    return card
