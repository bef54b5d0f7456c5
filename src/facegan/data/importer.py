"""A folder or an archive of pictures → a dataset.

The source is listed first: that decides who is shown, which pictures are held out and which
label row belongs to which picture, before anything is decoded. Then it is read once as a
stream, decoded in a few threads with little look-ahead, and written in the source's order,
so that the result depends on the source and the options alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import warnings
from collections import Counter, deque
from collections.abc import Callable, Container, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from posixpath import basename
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from facegan.data import lmdb_file
from facegan.data.align import MEASURES, Alignment, aligned, one_thread_each
from facegan.data.dataset import CARD, DROPPED, FORMAT, Dataset
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
from facegan.data.import_log import ImportLog, summary
from facegan.data.kinds import ARCHIVE, INSIDE, could_be_picture, side_kind
from facegan.data.labels import NOT_ASKED_FOR, Joined, LabelTable, Reading, Repeats
from facegan.data.layouts import Layout, recognise
from facegan.data.layouts.folders import CLASSES, classes_of, note_on_folders
from facegan.data.layouts.persons import persons
from facegan.data.members import Member, Members, Paths, SkippedFile, packed
from facegan.data.recognise import open_source, sources_within
from facegan.data.sources import FolderSource, Source
from facegan.data.tables import read_table
from facegan.data.writer import DatasetWriter
from facegan.errors import DataError, one_line
from facegan.files import write_json
from facegan.memory import usable_cores
from facegan.version import __version__

_BATCH, _BATCH_BYTES = 64, 8 << 20
# An archive inside is the dataset where it is so much larger than the pictures beside it.
_MUCH_LARGER = 3
_LACKING = "so scores and copies have no faces that were never seen."
_ALL_NEAR = (
    f"All that were to be held out have near duplicates to train on, so none are, {_LACKING} "
    "Hold out a larger share, or import more pictures."
)
_STRICTLY_HELD_OUT = "Or hold out none, or import without strictness."

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
    align: Alignment | bool | None = None,
    labels: Path | str | None = None,
    labels_note: str | None = None,
    columns: Sequence[str] | None = None,
    classes: Sequence[str] = (),
    repeats: Repeats = "refuse",
    identities: str | Path | None = None,
    holdout: float = 0.1,
    duplicates: Treatment | None = None,
    min_size: int = 16,
    licence: str | None = None,
    workers: int | None = None,
    strict: bool = False,
    encoded: bool | None = None,
    overwrite: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
) -> Dataset:
    """Make a dataset of the pictures in `source`.

    Args:
        source: a folder tree, a zip, a tar (plain, gzip, bzip2, xz), the shards of a WebDataset
            (their folder, or `faces-{000000..000009}.tar`), an LMDB of LSUN or Parquet files of
            the Hugging Face hub. Known datasets are recognised; their identities, official splits
            and labels are used. Or a `Source`, such as a plug-in's.
        dataset: the folder to make.
        resolution: height and width of the result in pixels, 4 to 1024.
        crop: "full" for the largest centred square, or the side in pixels of a centred square
            of the original; pictures smaller than that are left out.
        channels: 3 for RGB, 1 for grey.
        align: find the faces, turn them upright and cut each in its own square, as these options
            say, or as usual where it is True; `crop` does not apply then. The faces of a
            photograph share a split; the main one has its name, its identity and its labels.
        labels: a table of labels by file name (CSV, TSV, semicolons, JSON lines), or "folders"
            for classes by the folder that each picture lies in; replaces labels that the source
            brings.
        labels_note: what these labels are: who or what made them, how far to trust them.
        columns: of the table of labels, those to use; all by default.
        classes: columns of the table whose numbers are classes.
        repeats: what becomes of several rows for one picture that differ: "refuse" or "average".
        identities: who is shown: "folders" where each folder holds the pictures of one person,
            "names" where files are called PERSON_NUMBER, or a table with a file and a person in
            each row. By default what the layout tells.
        holdout: about this share of the pictures, in [0, 1), is held out of training; chosen
            by a hash of who is shown, so that nobody is on both sides.
        duplicates: what is done about pictures that are nearly the same: "group" keeps them and
            the people they show on one side of the split, "thin" keeps the first of each group,
            "keep" only names them in the card. By default they are grouped, and kept where there
            is an official split.
        min_size: pictures with a side shorter than this many pixels are left out.
        licence: under which terms the pictures may be used.
        workers: decoding threads; by default one for each processor available.
        strict: make an error of whatever is left out, not used or guessed: files, side files,
            rows and columns of labels, pictures without labels, folders that may be classes,
            lists that were not found; and of a split that holds nobody out.
        encoded: whether pictures are kept as PNGs, a third to a half of the bytes, and decoded when
            they are asked for; by default from 512 pixels a side on.
        overwrite: replace a dataset that exists, once the new one is complete.
        seed: which pictures are held out, where no official split says so.
        progress: called after each batch with (files done, files in all).

    Raises:
        DataError: the source, the labels or an option cannot be used, or no picture is usable.
        StorageError: the dataset cannot be written.
    """
    shape = Shape(resolution, crop, channels, min_size)
    _check_options(shape, holdout, workers, repeats)
    if duplicates is not None:
        check_treatment(duplicates)
    if isinstance(align, bool):
        align = Alignment() if align else None
    if align is not None and crop != "full":
        raise DataError(
            f"crop is {crop}, and faces are to be aligned.",
            "An aligned face has its own square: leave crop out, and set the zoom instead.",
        )
    reading = Reading(None if columns is None else tuple(columns), tuple(classes), repeats)
    table = None
    if labels is not None and labels != CLASSES:
        table = LabelTable.of(read_table(labels), reading)
    origin = open_source(source)
    _check_places(origin.path, Path(dataset))
    origin, members, layout = _listed(origin, None if labels is not None else reading)
    likely = _pictures(origin, members)
    if labels == CLASSES:
        table = classes_of(likely, str(origin.path))
    elif table is None:
        table, labels_note = layout.labels, labels_note or layout.labels_note
        if table is not None and columns is not None:
            table = table.only(columns)
    if table is None and (columns or classes):
        raise DataError(
            f"{origin.path} brings no labels, so there are no columns to choose.",
            "Give the table of labels, too.",
        )
    if identities is not None:
        who, whence = persons(identities, likely)
        layout = replace(layout, identities=who, identities_from=whence)
    if CLASSES in (labels, identities):
        unsaid = note_on_folders(likely)
        layout = replace(layout, notes=tuple(each for each in layout.notes if each != unsaid))
    import_log = ImportLog(members, layout.used, layout.unused, origin.holds_files)
    joined = _join(table, members, import_log, origin) if table is not None else None
    names = table.names if table is not None else ()
    if strict:
        _require_all_used(import_log, joined)
        _require_nothing_guessed(layout, table)

    with (
        DatasetWriter(
            dataset,
            resolution,
            channels,
            names,
            overwrite,
            MEASURES if align is not None else (),
            resume=_content_of(origin, members, shape, align, layout, joined, holdout, seed),
            encoded=encoded,
        ) as writer,
        contextlib.closing(
            _decoded(origin, _left_to_do(writer, import_log), shape, align, workers)
        ) as batches,
        warnings.catch_warnings(),
        one_thread_each() if align is not None else contextlib.nullcontext(),
    ):
        warnings.simplefilter("ignore")  # decoders warn about what ends up in the card
        for batch in batches:
            rows = _sort_out(batch, import_log)
            paths = [members.path(index) for index, _ in rows]
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
            if writer.due:
                writer.note(import_log.news())
            if progress is not None:
                progress(import_log.done, len(import_log.readable))
        if not import_log.kept:
            raise _nothing_usable(origin, import_log)
        if strict and import_log.reasons:
            raise _left_out(import_log.reasons)
        alone = _nobody_held_out(layout, import_log, holdout, seed)
        if strict and alone:
            raise DataError(alone, _STRICTLY_HELD_OUT)
        card = _card(origin, layout, shape, align, import_log)
        if notes := [*layout.notes, *([alone] if alone else [])]:
            card["notes"] = notes
        card["licence"] = licence or "not stated"
        card["split"] = (
            "official"
            if layout.splits
            else f"by a hash of who is shown, seed {seed}, about {holdout:g} held out"
        )
        if table is not None and joined is not None:
            card["labels"] = _about_labels(table, joined, labels_note, import_log)
        writer.extra(DROPPED, import_log.dropped_csv())
        treatment = duplicates or ("keep" if layout.splits else "group")
        expected = "" if alone or not (layout.splits or holdout) else _ALL_NEAR
        writer.finish(card, partial(_treated, treatment, expected, strict))
    return Dataset.open(dataset)


def _treated(treatment: Treatment, none_left: str, strict: bool, made: Path, other: Path) -> Path:
    """Treat near duplicates, and say so where that leaves no picture held out.

    Args:
        treatment: see `treat_duplicates`.
        none_left: what to say then; "" where it was said before, or none were to be held out.
        strict: whether that is an error.
        made: the dataset as it was imported.
        other: a folder for one that is changed.

    Returns:
        The folder of the dataset as it is now.
    """
    path = treat_duplicates(Dataset.open(made), other, treatment)
    dataset = Dataset.open(path)
    if none_left and "holdout" not in dataset.splits:
        if strict:
            raise DataError(none_left, _STRICTLY_HELD_OUT)
        notes = [*dataset.card.get("notes", []), none_left]
        write_json(path / CARD, {**dataset.card, "notes": notes})
    return path


def _listed(origin: Source, reading: Reading | None) -> tuple[Source, Members, Layout]:
    """The source that holds the pictures, its members, and what is known of them.

    Raises:
        DataError: the pictures lie in an archive inside, or in several that could be meant.
    """
    members = packed(origin.members())
    notes: tuple[str, ...] = ()
    if not _pictures(origin, members):
        inner = sources_within(origin, members)
        if inner is not None:
            notes = (f"{origin.name} holds no pictures itself: read was {_within(inner, origin)}.",)
            origin, members = inner, packed(inner.members())
        elif not isinstance(origin, FolderSource) and (
            data := next((m.path for m in members if _needs_a_folder(m.path)), None)
        ):
            raise DataError(
                f"{origin.path} holds {one_line(data, 120)}, which is read from a folder.",
                "Unpack it, and give the folder.",
            )
    _require_none_inside(origin, members)
    usable = members.usable()
    layout = recognise(origin, Paths(members, usable), usable, reading)
    return origin, members, replace(layout, notes=(*notes, *layout.notes))


def _needs_a_folder(path: str) -> bool:
    """Whether a member of an archive is a database or table that could be read outside of it."""
    return basename(path) == lmdb_file.FILE or path.lower().endswith(".parquet")


class _Chosen:
    """Numbers of members, as a byte for each member: a set of a million takes 60 MB."""

    def __init__(self, chosen: npt.NDArray[np.bool_]) -> None:
        self._chosen = chosen

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and number >= 0 and bool(self._chosen[number])


def _left_to_do(writer: DatasetWriter, import_log: ImportLog) -> _Chosen:
    """The members to read: all that can be, or what a killed import left to do."""
    for note in writer.notes:
        import_log.replay(note)
    return _Chosen(import_log.to_do())


def _content_of(
    source: Source,
    members: Members,
    shape: Shape,
    align: Alignment | None,
    layout: Layout,
    joined: Joined | None,
    holdout: float,
    seed: int,
) -> str:
    """What decides each byte of the dataset, as a hash: an import that was killed goes on only if
    nothing of it changed."""
    digest = hashlib.sha256()
    about = (FORMAT, __version__, source.kind, source.sha256, shape, align, holdout, seed)
    digest.update(repr(about).encode("utf-8", "backslashreplace"))
    for member in members:
        said = (
            *(member.path, member.size, member.stamp, layout.identity(member.path)),
            layout.split(member.path, holdout, seed),
        )
        digest.update(repr(said).encode("utf-8", "backslashreplace"))
    if joined is not None:
        digest.update(repr(joined.table.names).encode("utf-8", "backslashreplace"))
        digest.update(joined.rows.tobytes())
        digest.update(np.ascontiguousarray(joined.table.values).data)
    return digest.hexdigest()


def _within(inner: Source, outer: Source) -> str:
    with contextlib.suppress(ValueError):
        path = inner.path.relative_to(outer.path).as_posix()
        return inner.kind if path == "." else f"the {inner.kind} {path}"
    return inner.kind


def _pictures(source: Source, members: Members) -> Paths:
    """The paths of the members that may be pictures, by their names."""
    usable = Paths(members, members.usable())
    if not source.holds_files:
        return usable
    return usable.those(np.fromiter(map(could_be_picture, usable), np.bool_, len(usable)))


def _require_none_inside(source: Source, members: Members) -> None:
    """Refuse an archive inside that holds more than all pictures beside it: it is the dataset."""
    largest: Member | None = None
    pictures = 0
    for member in members:
        kind = side_kind(member.path)
        pictures += member.size if kind is None else 0
        larger = largest is None or member.size > largest.size
        if kind == INSIDE and source.holds_files and larger:
            largest = member
    if largest is not None and largest.size > _MUCH_LARGER * pictures:
        raise DataError(
            f"{source.path} holds an archive, {largest.path}, which is much larger than all the "
            "pictures beside it: the dataset is probably in there.",
            "Unpack it, and give the archive that was inside; or remove it.",
        )


def _check_options(shape: Shape, holdout: float, workers: int | None, repeats: str) -> None:
    rules = [
        (4 <= shape.resolution <= 1024, "resolution", shape.resolution, "4 to 1024 pixels"),
        (shape.crop == "full" or shape.crop >= 1, "crop", shape.crop, "full, or pixels from 1 up"),
        (shape.channels in (1, 3), "channels", shape.channels, "3 (colour) or 1 (grey)"),
        (shape.min_size >= 1, "min-size", shape.min_size, "1 pixel or more"),
        (0 <= holdout < 1, "holdout", holdout, "a share from 0 to below 1, such as 0.1"),
        (workers is None or workers >= 1, "workers", workers, "1 or more"),
        (repeats in ("refuse", "average"), "repeats", repeats, "refuse or average"),
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


def _join(
    table: LabelTable, members: Members, import_log: ImportLog, source: Source
) -> Joined | None:
    """The label values of every member, in order; None if no member could be a picture."""
    asking = import_log.readable
    if source.holds_files:
        readable = Paths(members, asking)
        asking = asking[np.fromiter(map(could_be_picture, readable), np.bool_, len(asking))]
    if not len(asking):
        return None
    joined = table.join(Paths(members, asking))
    rows = np.full(len(members), -1, np.int64)
    rows[asking] = joined.rows
    return Joined(table, rows, joined.unused_rows, joined.loosely)


def _require_all_used(import_log: ImportLog, joined: Joined | None) -> None:
    """Refuse what is known before anything is decoded to be left out or not used."""
    if import_log.reasons:
        raise _left_out(import_log.reasons)
    if joined is None:
        return
    without = int((~joined.matched[import_log.readable]).sum())
    if joined.unused_rows or without:
        raise DataError(
            f"{joined.table.source}: {without:,} pictures have no row, and {joined.unused_rows:,} "
            "rows fit no picture; strictly, neither is allowed.",
            "Mend the table, or import without strictness.",
        )


def _require_nothing_guessed(layout: Layout, table: LabelTable | None) -> None:
    """Refuse what was guessed, or not used though it may be meant."""
    said = list(layout.notes)
    if table is not None:
        unused = {name: why for name, why in table.unused.items() if why != NOT_ASKED_FOR}
        said += [*table.notes, *(f"{name} is not used: {why}." for name, why in unused.items())]
    if said:
        more = f" (and {len(said) - 1} more)" if len(said) > 1 else ""
        raise DataError(
            f"Strictly, nothing may be guessed or left unused: {one_line(said[0], 400)}{more}",
            "Say with options what is meant, mend the source, or import without strictness.",
        )


def _left_out(reasons: Mapping[str, int]) -> DataError:
    found = ", ".join(f"{count:,} × {reason}" for reason, count in reasons.items())
    return DataError(
        f"Files would be left out, and strictly none may be: {found}.",
        "Mend or remove them, or import without strictness.",
    )


def _about_labels(
    table: LabelTable, joined: Joined, note: str | None, import_log: ImportLog
) -> dict[str, Any]:
    """What the card says of the labels, beside what the writer counts."""
    about: dict[str, Any] = {
        "source": table.source,
        "note": note or "not stated",
        "matched": int(joined.matched[np.unique(import_log.kept)].sum()),
        "unused_rows": joined.unused_rows,
    }
    if joined.loosely:
        about["matched_by_another_ending_or_place"] = joined.loosely
    if table.about:
        about["read_as"] = list(table.about)
    if table.unused:
        about["columns_not_used"] = {k: one_line(v) for k, v in table.unused.items()}
    if table.notes:
        about["notes"] = list(table.notes)
    return about


def _decoded(
    source: Source,
    chosen: Container[int],
    shape: Shape,
    alignment: Alignment | None,
    workers: int | None,
) -> Generator[list[_Decoded]]:
    """Read and decode the chosen members, batch by batch, in the source's order."""
    prepare()
    # More threads only take memory.
    workers = workers or min(16, len(usable_cores()))
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


def _sort_out(batch: list[_Decoded], import_log: ImportLog) -> list[tuple[int, Picture]]:
    """Note a batch in the log; the pictures in it, each with the number of its member."""
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
    links = "Links are not followed: put the files themselves there. "
    return DataError(
        f"{source.path} holds no usable picture: {found or 'it is empty'}{passed}.",
        f"{links if 'link' in import_log.reasons else ''}"
        "Pictures are JPEG, PNG, WebP, AVIF, GIF, BMP, TIFF or PPM files; `min_size` and `crop` "
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
        "name": ARCHIVE.sub("", source.name),
        "source": source.name,
        "source_kind": source.kind,
        "layout": layout.name,
        "crop": shape.crop if alignment is None else "aligned",
        "filter": FILTER,
        "background": list(BACKGROUND),
        "min_size": shape.min_size,
        "identities_from": layout.identities_from,
        "counts": {**import_log.counts, "junk": source.junk},
        "side_files": {
            "used": summary(layout.used),
            "not_used": summary(dict.fromkeys(import_log.side_files, "") | dict(layout.unused)),
        },
        "dropped": import_log.reasons,
        "conversions": dict(sorted(import_log.conversions.items())),
    }
    if alignment is not None:
        card["alignment"] = alignment.about(shape.resolution)
        card["filter"] = "sampled at the photograph's scale, then OpenCV area"
    if source.sha256:
        card["source_sha256"] = source.sha256
    for name, by_path in layout.counted.items():
        found = Counter(by_path[path] for path in import_log.kept_paths if path in by_path)
        card[name] = dict(found.most_common())
    return card


def _nobody_held_out(layout: Layout, import_log: ImportLog, holdout: float, seed: int) -> str:
    """What to say where some were to be held out, and none are; "" otherwise."""
    if layout.splits:
        trained_on = all(layout.splits.get(p) == "train" for p in import_log.kept_paths)
        said = f"All pictures are of the official training set: nothing is held out, {_LACKING}"
        return said if trained_on else ""
    held_out = any(layout.split(p, holdout, seed) == "holdout" for p in import_log.kept_paths)
    if not holdout or held_out:
        return ""
    return (
        f"About {holdout:g} were to be held out, but of so few people nobody is, {_LACKING} "
        "Hold out a larger share, or import more pictures."
    )
