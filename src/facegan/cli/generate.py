"""`facegan generate` as a command."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from facegan.cli.labelled import CONTROLS, Labelled, as_number
from facegan.cli.paths import FILE_PATH
from facegan.errors import FaceganError, nearest


@click.command(cls=Labelled)
@click.argument("source", type=FILE_PATH, required=False)
@click.option(
    "--model", metavar="NAME", help="A bundled or installed model; 'facegan models' lists them."
)
@click.option(
    "--out",
    type=FILE_PATH,
    help="The folder for the images; a .png file for a grid; the dataset with --dataset.  "
    "[default: for a model, a grid in the current folder]",
)
@click.option("-n", "n", default=64, show_default=True, help="Number of images.")
@click.option(
    "--seed", default=0, show_default=True, help="Seed of the first image; the next has seed + 1."
)
@click.option("--grid", is_flag=True, help="Write one image with all of them.")
@click.option("--columns", type=int, help="Number of columns of the grid.")
@click.option(
    "--truncation",
    default=1.0,
    show_default=True,
    metavar="PSI",
    help="Truncation psi: below 1, faces are more typical and less varied.",
)
@click.option(
    "--label",
    "labels",
    multiple=True,
    metavar="NAME=VALUE",
    help="A label of all images, if the generator was trained with labels: 0 to 1 for yes or no, "
    "a quantity in its own unit, or the name of a class. '--NAME VALUE' is the same. 'facegan "
    "models labels SOURCE' lists them.",
)
@click.option("--dataset", is_flag=True, help="Write a dataset for training instead of files.")
@click.option("--pack", "old_name", is_flag=True, hidden=True)
@click.option(
    "--holdout",
    default=0.0,
    show_default=True,
    help="With --dataset: share of the images that is kept out of training.",
)
@click.option("--overwrite", is_flag=True, help="Replace an existing dataset.")
@click.option("--best", is_flag=True, help="Use the best snapshot of a run, not its last.")
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, mps or auto.")
@click.option(
    "--precision",
    type=click.Choice(["fp32", "bf16"]),
    default="fp32",
    show_default=True,
    help="bf16 is up to twice as fast on processors and GPUs with bfloat16 units. Images differ by "
    "less than one of 255 levels on average.",
)
@click.option(
    "--engine",
    type=click.Choice(["torch", "onnx"]),
    default="torch",
    show_default=True,
    help="onnx uses ONNX Runtime on the CPU (extra 'onnx'), which is faster for few images. They "
    "differ by one of 255 levels at most.",
)
@click.pass_context
def generate(
    context: click.Context,
    source: Path | None,
    model: str | None,
    out: Path | None,
    labels: tuple[str, ...],
    old_name: bool,
    **options: Any,
) -> None:
    """Generate images with SOURCE: a run, a generator.safetensors file or a model.

    Without SOURCE, the bundled model writes a grid of faces into the current folder.

    \b
    Example: facegan generate
    Example: facegan generate --model lfw-64 --out faces -n 100 --seed 1000
    Example: facegan generate runs/a --out faces --smiling 1 --age 60
    Example: facegan generate runs/a --dataset -n 20000 --out drawn --precision bf16
    """
    if source is not None and model is not None:
        raise click.UsageError(f"SOURCE ({source}) and --model ({model}): give one of them.")
    if out is None and source is not None and source.exists():
        raise click.UsageError("Missing option '--out': the folder to write into.")
    if old_name:
        click.echo("--pack is called --dataset now.", err=True)
        options["dataset"] = True
    from facegan.apps import models

    found = source if source is not None else models.model_path(model)
    wanted = _labels(labels)
    controls = context.meta[CONTROLS]
    if controls:
        _require_labels(controls, context.command, models.labels(found, bool(options["best"])))
    for name, value in controls:
        _add(wanted, name, value, f"--{name}")
    from facegan.apps.generate import generate as run_generate

    written = run_generate(found, out, labels=wanted, **options)
    what = str(written[0]) if len(written) == 1 else f"{len(written)} pictures in {out}"
    made_by = models.described(found)
    if made_by is None:
        click.echo(f"Wrote {what}.")
        return
    n = options["n"]
    count = f"{n:,} generated face{'s' if n > 1 else ''}, no photograph{'s' if n > 1 else ''}"
    click.echo(f"Wrote {what}: {count}, by {made_by}.")


def _require_labels(
    controls: list[tuple[str, float | str]], command: click.Command, labels: Sequence[Any]
) -> None:
    """Refuse an option that is neither the command's nor a label, with the nearest of both."""
    from facegan.data.conditions import spelling
    from facegan.data.spec import class_groups

    names = [label.name for label in labels]
    groups = class_groups(names)
    names += [*groups, *(word for words in groups.values() for word in words)]
    known = {spelling(name): name.replace("_", "-").lower() for name in names}
    options = [name[2:] for p in command.params for name in p.opts if name.startswith("--")]
    for name, _ in controls:
        if spelling(name) not in known:
            trained = "" if known else " It was trained without labels."
            raise FaceganError(
                f"There is no option --{name}, and the generator knows no label {name!r}.{trained}",
                nearest(name, [*known.values(), *options]),
            )


def _labels(words: tuple[str, ...]) -> dict[str, float | str]:
    """`("Smiling=1", "emotion=happy")` → `{"Smiling": 1.0, "emotion": "happy"}`."""
    found: dict[str, float | str] = {}
    for word in words:
        name, _, value = word.rpartition("=")
        if not name or not value:
            raise FaceganError(
                f"--label {word} is not understood.",
                "Write NAME=VALUE, with a number or the name of a class: --label Smiling=1.",
            )
        number = as_number(value)
        _add(found, name, value if number is None else number, f"--label {name}")
    return found


def _add(found: dict[str, float | str], name: str, value: float | str, said: str) -> None:
    if name in found:
        raise FaceganError(f"{said} is given twice.", "Give it once.")
    found[name] = value
