"""`facegan evaluate` as a command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from facegan.cli.paths import FILE_PATH


@click.command()
@click.argument("source", type=FILE_PATH)
@click.option("--data", required=True, help="The real images: a dataset, or 'portraits'.")
@click.option(
    "-n",
    "n",
    type=int,
    help="Number of generated images.  [default: 5000, or half of the real images]",
)
@click.option(
    "--n-real",
    type=int,
    help="Number of real images in the reference.  [default: 5n, between 2000 and 10000]",
)
@click.option(
    "--reference",
    type=click.Choice(["train", "holdout", "all"]),
    default="train",
    show_default=True,
    help="The part of the dataset that the reference is drawn from.",
)
@click.option(
    "--extractor",
    "extractors",
    multiple=True,
    default=("efflite0", "selfsup"),
    show_default=True,
    metavar="NAME",
    help="A feature space: efflite0, efflite0@64, selfsup, faces, inception, or a TOML file for "
    "your own. May be repeated.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Seed of the generated images and of the reference.",
)
@click.option("--best", is_flag=True, help="Use the best snapshot of a run, not its last.")
@click.option(
    "--copying/--no-copying",
    default=None,
    help="Look for copies of training images.  [default: if the dataset has a holdout]",
)
@click.option(
    "--faces/--no-faces",
    default=None,
    help="Count in how many images a face is found.  [default: if 'facegan[faces]' is installed]",
)
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, mps or auto.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
@click.option(
    "--no-record",
    "record",
    is_flag=True,
    flag_value=False,
    default=True,
    help="Do not record the scores in the run's folder.",
)
def evaluate(source: Path, data: str, as_json: bool, **options: Any) -> None:
    """Score SOURCE against real images: quality, variety and copying.

    SOURCE is a run, a model, a generator.safetensors file, a dataset, or a folder or archive of
    images.

    \b
    Example: facegan evaluate runs/a --data faces -n 5000
    """
    from facegan.apps.evaluate import evaluate as run_evaluate

    found = run_evaluate(source, data, **options)
    _write_page_again(source, options["record"])
    if as_json:
        click.echo(found.model_dump_json(exclude_none=True, indent=2))
        return
    from facegan.cli.terminal.scores import print_evaluation

    print_evaluation(found)


def _write_page_again(source: Path, recorded: bool) -> None:
    """What was recorded in a run's folder belongs on the run's page."""
    from facegan.runs.directory import RunDirectory

    if recorded and RunDirectory(source).started:
        from facegan.report.pages import report

        report(source)
