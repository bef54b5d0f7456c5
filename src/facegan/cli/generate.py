"""`facegan generate` as a command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from facegan.errors import FaceganError


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="A folder; with --grid also a .png file; with --pack the dataset.",
)
@click.option("-n", "n", default=64, show_default=True, help="How many pictures.")
@click.option("--seed", default=0, show_default=True, help="Of the first; the next has seed + 1.")
@click.option("--grid", is_flag=True, help="One picture of all of them.")
@click.option("--columns", type=int, help="Columns of the grid.")
@click.option(
    "--truncation",
    default=1.0,
    show_default=True,
    metavar="PSI",
    help="Less than 1: more typical, less varied.",
)
@click.option(
    "--label",
    "labels",
    multiple=True,
    metavar="NAME=VALUE",
    help="Of a generator trained with labels: what all pictures have, 0 to 1 for yes or no, or "
    "a quantity in its own unit.",
)
@click.option("--pack", is_flag=True, help="A dataset to train on or mix in, instead of files.")
@click.option(
    "--holdout", default=0.0, show_default=True, help="Of a dataset: share kept from training."
)
@click.option("--overwrite", is_flag=True, help="Replace an existing dataset.")
@click.option("--best", is_flag=True, help="Of a run: its best snapshot, not its last.")
@click.option("--device", default="auto", show_default=True)
def generate(source: Path, out: Path, labels: tuple[str, ...], **options: Any) -> None:
    """Generate pictures from SOURCE, a run's folder or a generator.safetensors file.

    \b
    Example: facegan generate runs/a --out faces -n 100 --seed 0
    Example: facegan generate runs/a --out faces --label Smiling=1 --label age=60
    Example: facegan generate runs/a --pack -n 20000 --out drawn
    """
    wanted = _labels(labels)
    from facegan.apps.generate import generate as run_generate

    written = run_generate(source, out, labels=wanted, **options)
    what = str(written[0]) if len(written) == 1 else f"{len(written)} pictures in {out}"
    click.echo(f"Wrote {what}.")


def _labels(words: tuple[str, ...]) -> dict[str, float]:
    """`("Smiling=1",)` → `{"Smiling": 1.0}`."""
    found: dict[str, float] = {}
    for word in words:
        name, _, value = word.rpartition("=")
        try:
            number = float(value)
        except ValueError:
            name = ""
        if not name:
            raise FaceganError(
                f"--label {word} is not understood.",
                "Write NAME=VALUE, with a number: --label Smiling=1.",
            )
        if name in found:
            raise FaceganError(f"--label {name} is given twice.", "Give it once.")
        found[name] = number
    return found
