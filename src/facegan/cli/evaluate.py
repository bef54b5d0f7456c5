"""`facegan evaluate` as a command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from facegan.cli.paths import FILE_PATH


@click.command()
@click.argument("source", type=FILE_PATH)
@click.option("--data", required=True, help="The real pictures: a dataset, or 'portraits'.")
@click.option(
    "-n", "n", type=int, help="Generated pictures.  [default: 5000, or half of the real ones]"
)
@click.option(
    "--n-real", type=int, help="Real ones in the reference.  [default: 5n, 2000 to 10000]"
)
@click.option(
    "--reference",
    type=click.Choice(["train", "holdout", "all"]),
    default="train",
    show_default=True,
    help="The split of DATA that the reference comes from.",
)
@click.option(
    "--extractor",
    "extractors",
    multiple=True,
    default=("efflite0", "selfsup"),
    show_default=True,
    metavar="NAME",
    help="A feature space: efflite0, efflite0@64, selfsup, faces, inception, or a TOML file that "
    "describes yours. May be given several times.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--best", is_flag=True, help="Of a run: its best snapshot, not its last.")
@click.option(
    "--copying/--no-copying",
    default=None,
    help="Look for copies of training pictures.  [default: where DATA has held-out ones]",
)
@click.option(
    "--faces/--no-faces",
    default=None,
    help="Look for faces.  [default: where 'facegan[faces]' is installed]",
)
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, mps or auto.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
@click.option(
    "--no-record",
    "record",
    is_flag=True,
    flag_value=False,
    default=True,
    help="Of a run: do not write what was found into its folder.",
)
def evaluate(source: Path, data: str, as_json: bool, **options: Any) -> None:
    """Measure SOURCE beside real pictures: how good, how varied, how much copied.

    SOURCE is a run, a generator.safetensors file, a dataset, or pictures in a folder or archive.

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
