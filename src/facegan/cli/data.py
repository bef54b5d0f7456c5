"""`facegan data`: make, inspect and change datasets."""

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
    """Make, inspect and change datasets.

    \b
    Example: facegan data portraits drawn -n 1000
    """


@data.command("import")
@click.argument("source", type=FILE_PATH)
@click.argument("dataset", type=FILE_PATH)
@click.option(
    "--resolution",
    type=SIDE,
    default=64,
    show_default=True,
    help="Width and height of the images, in pixels.",
)
@click.option(
    "--crop",
    default="full",
    show_default=True,
    help="The centred square to cut out: 'full' for the largest, or its side in pixels.",
)
@click.option("--grey", is_flag=True, help="Make grey images: one channel instead of three.")
@click.option(
    "--align", is_flag=True, help="Find every face, rotate it upright and crop it as in FFHQ."
)
@click.option(
    "--zoom",
    type=float,
    help="With --align: zoom into the face; 2 crops half the square.  [default: 1]",
)
@click.option(
    "--border",
    type=click.Choice(["reflect", "edge", "refuse"]),
    help="With --align: how to fill the area beyond the photograph; 'refuse' skips such faces.  "
    "[default: reflect]",
)
@click.option(
    "--faces",
    type=click.Choice(["all", "main"]),
    help="With --align: all faces of a photograph, or only the main one.  [default: all]",
)
@click.option(
    "--min-eyes",
    type=float,
    help="With --align: the smallest eye distance, in pixels.  [default: resolution / 8]",
)
@click.option(
    "--max-yaw",
    type=float,
    help="With --align: the largest angle to the side, in degrees.  [default: 40]",
)
@click.option(
    "--labels",
    metavar="FILE",
    help="A table with a row of labels for each file (CSV, TSV, JSON lines), or 'folders' to use "
    "folder names as classes.",
)
@click.option("--labels-note", help="A description of the labels, for the dataset's card.")
@click.option("--columns", metavar="A,B", help="Columns of the table to use.  [default: all]")
@click.option(
    "--classes", metavar="A,B", help="Columns of the table whose numbers are class numbers."
)
@click.option(
    "--repeats",
    type=click.Choice(["refuse", "average"]),
    default="refuse",
    show_default=True,
    help="What to do when one image has several rows that differ.",
)
@click.option(
    "--identities",
    metavar="folders|names|CSV",
    help="Who is in each image: one folder for each person, files named PERSON_NUMBER, or a table "
    "of files and people. Nobody is then in both training and holdout.",
)
@click.option(
    "--holdout",
    default=0.1,
    show_default=True,
    help="Share of the images that is kept out of training.",
)
@click.option(
    "--duplicates",
    type=click.Choice(["group", "thin", "keep"]),
    help="Near duplicates: put them on one side of the split, keep one of each, or only report "
    "them.  [default: group; keep for a dataset with an official split]",
)
@click.option("--licence", help="The licence of the images, for the dataset's card.")
@click.option("--min-size", type=int, help="Skip images whose shorter side has fewer pixels.")
@click.option("--workers", type=int, help="Number of decoding threads.  [default: all cores]")
@click.option(
    "--encoded/--raw",
    default=None,
    help="Store images as PNG, in a third to half of the space.  [default: from 512 pixels]",
)
@click.option(
    "--strict", is_flag=True, help="Stop with an error if any file is skipped or not used."
)
@click.option(
    "--overwrite", is_flag=True, help="Replace an existing dataset when the new one is complete."
)
def data_import(
    source: Path,
    dataset: Path,
    grey: bool,
    columns: str | None,
    classes: str | None,
    **options: Any,
) -> None:
    """Import images from SOURCE into a new dataset.

    SOURCE is a folder of images, a zip or tar of them, or a published dataset as it was
    downloaded: FFHQ, CelebA, LFW, LSUN, AFHQ, UTKFace, NVlabs' zips, WebDataset shards, Parquet.
    Files that are skipped are listed with the reason.

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
@click.option("--out", type=FILE_PATH, help="The image file of the contact sheet.")
@click.option(
    "--split",
    type=click.Choice(["all", "train", "holdout"]),
    default="all",
    show_default=True,
    help="The images to show.",
)
@click.option("--rows", default=8, show_default=True, help="Rows of the contact sheet.")
@click.option("--columns", default=12, show_default=True, help="Columns of the contact sheet.")
@click.option("--seed", default=0, show_default=True, help="Seed for the choice of images.")
@click.option("--verify", is_flag=True, help="Read the whole dataset and compare its fingerprint.")
def data_show(dataset: Path, **options: Any) -> None:
    """Print the card of DATASET and write a contact sheet of its images.

    \b
    Example: facegan data show faces
    """
    from facegan.apps.data import show

    show(dataset, **options)


@data.command("export")
@click.argument("dataset", type=FILE_PATH)
@click.argument("out", type=FILE_PATH)
@click.option(
    "--split",
    type=click.Choice(["all", "train", "holdout"]),
    default="all",
    show_default=True,
    help="The images to write.",
)
@click.option("--no-labels", is_flag=True, help="Leave out the labels.")
@click.option("--overwrite", is_flag=True, help="Replace an existing file.")
def data_export(dataset: Path, out: Path, no_labels: bool, **options: Any) -> None:
    """Export DATASET as a zip for StyleGAN and related code.

    The layout is that of NVlabs' dataset_tool. Labels are class numbers or vectors.

    \b
    Example: facegan data export faces faces.zip
    """
    from facegan.apps.data import export

    export(dataset, out, labels=not no_labels, **options)


@data.command("portraits")
@click.argument("dataset", type=FILE_PATH)
@click.option("-n", "n", default=10_000, show_default=True, help="Number of images.")
@click.option(
    "--resolution", default=64, show_default=True, help="Width and height of the images, in pixels."
)
@click.option("--grey", is_flag=True, help="Make grey images: one channel instead of three.")
@click.option("--seed", default=0, show_default=True, help="Seed of the drawn faces.")
@click.option("--overwrite", is_flag=True, help="Replace an existing dataset.")
def data_portraits(dataset: Path, grey: bool, **options: Any) -> None:
    """Draw a dataset of portraits. They show nobody, and their attributes are known exactly.

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
    help="The new dataset.  [default: DATASET-labelled]",
)
@click.option(
    "--replace", is_flag=True, help="Replace labels of the same name that DATASET already has."
)
@click.option("--overwrite", is_flag=True, help="Replace an existing dataset at --out.")
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, mps or auto.")
def data_label(dataset: Path, **options: Any) -> None:
    """Predict 40 attributes and the age of each face, and write them into a new dataset.

    A network predicts the labels from how a face looks; they are no facts about anybody.
    DATASET itself is not changed. Labels that it already has are kept.

    \b
    Example: facegan data label faces --out labelled-faces
    """
    from facegan.apps.labelling import label

    label(dataset, **options)


@data.command("doctor")
@click.argument("dataset", type=FILE_PATH)
@click.option("--out", type=FILE_PATH, help="The HTML file.  [default: DATASET-doctor.html]")
@click.option(
    "--show", default=12, show_default=True, help="Number of images shown for each problem."
)
@click.option(
    "--names/--no-names",
    default=None,
    help="Check whether faces of one name look alike.  [default: if 'facegan[faces]' is installed]",
)
def data_doctor(dataset: Path, out: Path | None, show: int, names: bool | None) -> None:
    """Find what in DATASET would hurt training, and show the worst images.

    The result is a page. It looks for blur, exposure, small faces, pose, faces that are cut off or
    not found, grey images, compression, near duplicates, odd identities, unbalanced labels, and
    holdout images that are also in training. Nothing is changed.

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
@click.option(
    "--drop", multiple=True, help="Leave out images for which this is true: 'sharpness<200'."
)
@click.option("--keep", multiple=True, help="Leave out images for which this is false.")
@click.option(
    "--duplicates",
    type=click.Choice(["group", "thin", "keep"]),
    default="keep",
    show_default=True,
    help="Near duplicates: put them on one side of the split, keep one of each, or keep all.",
)
@click.option(
    "--as-labels",
    help="Measures to add as labels, for conditional training: yaw,brightness.",
)
@click.option("--overwrite", is_flag=True, help="Replace an existing dataset at OUT.")
def data_filter(dataset: Path, out: Path, as_labels: str | None, **options: Any) -> None:
    """Write a new dataset OUT with those images of DATASET that meet conditions.

    A condition compares a column with a number: a measure of 'facegan data doctor', a label, or a
    column of items.csv. OUT has all measures as columns. DATASET itself is not changed.

    \b
    Example: facegan data filter faces clean --drop 'sharpness<200' --drop 'yaw>30'
    """
    from facegan.apps.dataset_doctor import filter_dataset
    from facegan.cli.terminal.examination import print_filtered

    names = [name.strip() for name in (as_labels or "").split(",") if name.strip()]
    print_filtered(filter_dataset(dataset, out, as_labels=names, **options))
