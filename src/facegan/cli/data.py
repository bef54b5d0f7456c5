"""The commands that make datasets and look at them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from facegan.cli.group import Commands
from facegan.cli.paths import FILE_PATH
from facegan.errors import DataError


class _Side(click.ParamType):
    """Pixels of a side: 64, or 64x64."""

    name = "integer"

    def convert(self, value: Any, param: Any, ctx: Any) -> int:
        """Read it; a picture that is not square is refused with what to do."""
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"(-?[0-9]{1,9})(?:\s*[x×]\s*([0-9]{1,9}))?", value, re.ASCII | re.I)
        if match is None:
            self.fail(f"{value!r} is not a number of pixels, such as 64.", param, ctx)
        if match[2] and int(match[2]) != int(match[1]):
            raise DataError(
                f"--resolution is {value}: pictures are square here.",
                "Give one number, such as --resolution 64: the centre is cropped. To keep all of "
                "a picture, pad it to a square first.",
            )
        return int(match[1])


SIDE = _Side()


@click.group(cls=Commands)
def data() -> None:
    """Make datasets and look at them.

    \b
    Example: facegan data portraits drawn -n 1000
    """


@data.command("import")
@click.argument("source", type=FILE_PATH)
@click.argument("dataset", type=FILE_PATH)
@click.option("--resolution", type=SIDE, default=64, show_default=True, help="Pixels of a side.")
@click.option(
    "--crop",
    default="full",
    show_default=True,
    help="'full' (the largest centred square), or the side of a centred square.",
)
@click.option("--grey", is_flag=True, help="One channel instead of three.")
@click.option(
    "--align", is_flag=True, help="Find the faces, turn them upright, cut each in FFHQ's square."
)
@click.option("--zoom", type=float, help="With --align: 2 for half the square.  [default: 1]")
@click.option(
    "--border",
    type=click.Choice(["reflect", "edge", "refuse"]),
    help="With --align: what is beyond the photograph's edge; 'refuse' leaves such faces out.  "
    "[default: reflect]",
)
@click.option(
    "--faces",
    type=click.Choice(["all", "main"]),
    help="With --align: all faces of a photograph, or the large one in its middle.  [default: all]",
)
@click.option(
    "--min-eyes",
    type=float,
    help="With --align: the least distance between the eyes, in pixels.  [default: resolution / 8]",
)
@click.option(
    "--max-yaw", type=float, help="With --align: degrees to the side, at most.  [default: 40]"
)
@click.option(
    "--labels",
    metavar="FILE",
    help="A table of labels by file name (CSV, TSV, JSON lines), or 'folders': their names are "
    "classes.",
)
@click.option("--labels-note", help="What the labels are, for the card.")
@click.option("--columns", metavar="A,B", help="Of the table, the columns to use; all by default.")
@click.option("--classes", metavar="A,B", help="Columns of the table whose numbers are classes.")
@click.option(
    "--repeats",
    type=click.Choice(["refuse", "average"]),
    default="refuse",
    show_default=True,
    help="Of rows for one picture that differ.",
)
@click.option(
    "--identities",
    metavar="folders|names|CSV",
    help="Who is shown: one person a folder, files called PERSON_NUMBER, or a list of files and "
    "persons. The holdout is by people.",
)
@click.option(
    "--holdout",
    default=0.1,
    show_default=True,
    help="Share of the pictures kept from training, by whole identities.",
)
@click.option(
    "--duplicates",
    type=click.Choice(["group", "thin", "keep"]),
    help="Near duplicates: on one side of the split, thinned to one, or only told of.  "
    "[default: group; keep where the split is official]",
)
@click.option("--licence", help="The pictures' licence, for the card.")
@click.option("--min-size", type=int, help="Drop pictures with a shorter side than this.")
@click.option("--workers", type=int, help="Decoding threads; all cores by default.")
@click.option(
    "--encoded/--raw",
    default=None,
    help="Keep pictures as PNGs, in a third to a half of the bytes.  [default: from 512 pixels on]",
)
@click.option("--strict", is_flag=True, help="Refuse if anything is left out or not used.")
@click.option(
    "--overwrite", is_flag=True, help="Replace an existing dataset once this one is whole."
)
def data_import(
    source: Path,
    dataset: Path,
    grey: bool,
    columns: str | None,
    classes: str | None,
    **options: Any,
) -> None:
    """Turn SOURCE into the dataset DATASET.

    SOURCE is a folder of pictures, a zip or tar of them, or a dataset as it is published: FFHQ,
    CelebA, LFW, LSUN, AFHQ, UTKFace, NVlabs' zips, WebDataset shards, Parquet. What cannot be
    used is listed with its reason.

    \b
    Example: facegan data import lfw-deepfunneled.tgz faces --resolution 64 --crop 152
             facegan data import photographs faces --resolution 128 --align
    """
    from facegan.apps.data import import_dataset

    given = {name: value for name, value in options.items() if value is not None}
    for name, said in (("columns", columns), ("classes", classes)):
        if said is not None:
            given[name] = [each.strip() for each in said.split(",") if each.strip()]
    import_dataset(source, dataset, channels=1 if grey else 3, **given)


@data.command("show")
@click.argument("dataset", type=FILE_PATH)
@click.option("--out", type=FILE_PATH, help="Where to draw the contact sheet.")
@click.option(
    "--split", type=click.Choice(["all", "train", "holdout"]), default="all", show_default=True
)
@click.option("--rows", default=8, show_default=True, help="Rows of the sheet.")
@click.option("--columns", default=12, show_default=True, help="Columns of the sheet.")
@click.option("--seed", default=0, show_default=True, help="Which pictures are chosen.")
@click.option("--verify", is_flag=True, help="Read every byte and compare the fingerprint.")
def data_show(dataset: Path, **options: Any) -> None:
    """Print the card of DATASET and draw a contact sheet.

    \b
    Example: facegan data show faces
    """
    from facegan.apps.data import show

    show(dataset, **options)


@data.command("export")
@click.argument("dataset", type=FILE_PATH)
@click.argument("out", type=FILE_PATH)
@click.option(
    "--split", type=click.Choice(["all", "train", "holdout"]), default="all", show_default=True
)
@click.option("--no-labels", is_flag=True, help="Leave labels out.")
@click.option("--overwrite", is_flag=True, help="Replace a file at OUT.")
def data_export(dataset: Path, out: Path, no_labels: bool, **options: Any) -> None:
    """Write DATASET as the zip OUT, in the layout of NVlabs' dataset_tool.

    StyleGAN and its kin train on it; labels are class numbers or vectors.

    \b
    Example: facegan data export faces faces.zip
    """
    from facegan.apps.data import export

    export(dataset, out, labels=not no_labels, **options)


@data.command("portraits")
@click.argument("dataset", type=FILE_PATH)
@click.option("-n", "n", default=10_000, show_default=True, help="How many pictures.")
@click.option("--resolution", default=64, show_default=True, help="Pixels of a side.")
@click.option("--grey", is_flag=True, help="One channel instead of three.")
@click.option("--seed", default=0, show_default=True)
@click.option("--overwrite", is_flag=True, help="Replace an existing dataset.")
def data_portraits(dataset: Path, grey: bool, **options: Any) -> None:
    """Draw a dataset of portraits from known parameters: nobody's face, no licence needed.

    \b
    Example: facegan data portraits drawn -n 20000 --resolution 128
    """
    from facegan.apps.data import draw_portraits

    draw_portraits(dataset, channels=1 if grey else 3, **options)


@data.command("label")
@click.argument("dataset", type=FILE_PATH)
@click.option(
    "--out",
    type=FILE_PATH,
    help="The dataset to make.  [default: DATASET-labelled]",
)
@click.option("--replace", is_flag=True, help="Read labels that DATASET has already anew.")
@click.option("--overwrite", is_flag=True, help="Replace another dataset at --out.")
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, mps or auto.")
def data_label(dataset: Path, **options: Any) -> None:
    """Read 40 attributes and the age from the faces of DATASET, into a new dataset.

    The labels are a network's readings: how a face looks to it, and no facts about anybody.
    DATASET stays as it is, and labels that it has are kept.

    \b
    Example: facegan data label faces --out labelled-faces
    """
    from facegan.apps.labelling import label

    label(dataset, **options)


@data.command("doctor")
@click.argument("dataset", type=FILE_PATH)
@click.option("--out", type=FILE_PATH, help="The page.  [default: DATASET-doctor.html]")
@click.option("--show", default=12, show_default=True, help="Pictures of each finding.")
@click.option(
    "--names/--no-names",
    default=None,
    help="Compare names with faces.  [default: where 'facegan[faces]' is installed]",
)
def data_doctor(dataset: Path, out: Path | None, show: int, names: bool | None) -> None:
    """Say what in DATASET would hurt training, with a page that shows the worst of each kind.

    Blur, exposure, size, pose, faces that are cut off or not found, grey, compression, near
    duplicates, identities, labels, and whether the holdout is known from training. Nothing is
    changed.

    \b
    Example: facegan data doctor faces
    """
    from facegan.apps.dataset_doctor import examine_dataset
    from facegan.cli.terminal.examination import print_examination
    from facegan.report.doctor_page import write_doctor_page

    opened, found = examine_dataset(dataset, show=show, names=names)
    folder = opened.path.resolve()
    page = out if out is not None else folder.with_name(f"{folder.name}-doctor.html")
    print_examination(opened, found, write_doctor_page(opened, found, page))


@data.command("filter")
@click.argument("dataset", type=FILE_PATH)
@click.argument("out", type=FILE_PATH)
@click.option("--drop", multiple=True, help="Leave pictures out where this holds: 'sharpness<200'.")
@click.option("--keep", multiple=True, help="Leave pictures out where this does not hold.")
@click.option(
    "--duplicates",
    type=click.Choice(["group", "thin", "keep"]),
    default="keep",
    show_default=True,
    help="Near duplicates: on one side of the split, thinned to one, or as they are.",
)
@click.option(
    "--as-labels",
    help="Measures that become labels too, to condition networks on them: yaw,brightness.",
)
@click.option("--overwrite", is_flag=True, help="Replace another dataset at OUT.")
def data_filter(dataset: Path, out: Path, as_labels: str | None, **options: Any) -> None:
    """Write those pictures of DATASET that conditions leave into the dataset OUT.

    A condition compares a column with a number: a measure of 'facegan data doctor', a label, or a
    column of items.csv. OUT has all measures as columns. DATASET stays as it is.

    \b
    Example: facegan data filter faces clean --drop 'sharpness<200' --drop 'yaw>30'
    """
    from facegan.apps.dataset_doctor import filter_dataset
    from facegan.cli.terminal.examination import print_filtered

    names = [name.strip() for name in (as_labels or "").split(",") if name.strip()]
    print_filtered(filter_dataset(dataset, out, as_labels=names, **options))
