"""The command line: translates words into calls, and errors into two lines of text.

Imports nothing heavy: each command imports what it needs when it runs.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from facegan.errors import FaceganError, nearest
from facegan.version import __version__


class Commands(click.Group):
    """A group that keeps its commands in their order and names the nearest to a wrong one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of a first journey, not of the alphabet."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Add the nearest name to click's error."""
        if self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            ctx.fail(f"There is no command {args[0]!r}. {nearest(args[0], self.commands)}")
        return super().resolve_command(ctx, args)


_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(cls=Commands, context_settings=_SETTINGS)
@click.version_option(__version__, prog_name="facegan")
def cli() -> None:
    """A laboratory for GANs that generate faces: prepare, train, use.

    \b
    facegan demo                                    faces in three minutes
    facegan data import lfw.tgz faces --crop 152    a dataset from an archive
    facegan train dcgan --data faces --run runs/a   a generator from a dataset
    facegan generate runs/a --grid --out faces.png  pictures from a generator
    """


@cli.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("facegan-demo"),
    show_default=True,
    help="Folder for the dataset, the run and the page.",
)
@click.option("--budget", default="3min", show_default=True, help="How long to train.")
def demo(out: Path, budget: str) -> None:
    """Draw portraits, train on them, show what was learned.

    \b
    Example: facegan demo
    """
    from facegan.apps.demo import demo as run_demo

    _finish(run_demo(out, budget=budget))


@cli.group(cls=Commands)
def data() -> None:
    """Make datasets and look at them."""


@data.command("import")
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("pack", type=click.Path(path_type=Path))
@click.option("--resolution", default=64, show_default=True, help="Pixels of a side.")
@click.option(
    "--crop",
    default="full",
    show_default=True,
    help="'full' (the largest centred square), or the side of a centred square.",
)
@click.option("--grey", is_flag=True, help="One channel instead of three.")
@click.option(
    "--labels", type=click.Path(path_type=Path), help="A CSV of numbers, joined by file name."
)
@click.option("--labels-note", help="What the labels are, for the card.")
@click.option(
    "--holdout",
    default=0.1,
    show_default=True,
    help="Share of the pictures kept from training, by whole identities.",
)
@click.option("--licence", help="The pictures' licence, for the card.")
@click.option("--min-size", type=int, help="Drop pictures with a shorter side than this.")
@click.option("--workers", type=int, help="Decoding threads; all cores by default.")
@click.option("--overwrite", is_flag=True, help="Replace an existing pack once this one is whole.")
def data_import(source: Path, pack: Path, grey: bool, **options: Any) -> None:
    """Turn SOURCE into the dataset PACK.

    SOURCE is a folder of pictures, a zip or tar of them, the LFW archive, or a zip in the
    layout of NVlabs (dataset.json). What cannot be used is listed with its reason.

    \b
    Example: facegan data import lfw-deepfunneled.tgz faces --resolution 64 --crop 152
    """
    from facegan.apps.data import import_pack

    given = {name: value for name, value in options.items() if value is not None}
    import_pack(source, pack, channels=1 if grey else 3, **given)


@data.command("show")
@click.argument("pack", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Where to draw the contact sheet.")
@click.option(
    "--split", type=click.Choice(["all", "train", "holdout"]), default="all", show_default=True
)
@click.option("--rows", default=8, show_default=True, help="Rows of the sheet.")
@click.option("--columns", default=12, show_default=True, help="Columns of the sheet.")
@click.option("--seed", default=0, show_default=True, help="Which pictures are chosen.")
@click.option("--verify", is_flag=True, help="Read every byte and compare the fingerprint.")
def data_show(pack: Path, **options: Any) -> None:
    """Print the card of PACK and draw a contact sheet.

    \b
    Example: facegan data show faces
    """
    from facegan.apps.data import show

    show(pack, **options)


@data.command("portraits")
@click.argument("pack", type=click.Path(path_type=Path))
@click.option("-n", "n", default=10_000, show_default=True, help="How many pictures.")
@click.option("--resolution", default=64, show_default=True, help="Pixels of a side.")
@click.option("--grey", is_flag=True, help="One channel instead of three.")
@click.option("--seed", default=0, show_default=True)
@click.option("--overwrite", is_flag=True, help="Replace an existing pack.")
def data_portraits(pack: Path, grey: bool, **options: Any) -> None:
    """Draw a dataset of portraits from known parameters: nobody's face, no licence needed.

    \b
    Example: facegan data portraits drawn -n 20000 --resolution 128
    """
    from facegan.apps.data import draw_portraits

    draw_portraits(pack, channels=1 if grey else 3, **options)


@cli.group(cls=Commands, invoke_without_command=True)
@click.pass_context
def recipes(context: click.Context) -> None:
    """List the methods that can be trained, with their sources.

    \b
    Example: facegan recipes show dcgan
    """
    if context.invoked_subcommand is None:
        from facegan.apps.console import print_recipes

        print_recipes()


@recipes.command("show")
@click.argument("name")
@click.option("--set", "settings", multiple=True, metavar="A.B=VALUE", help="Change one value.")
def recipes_show(name: str, settings: tuple[str, ...]) -> None:
    """Print the recipe NAME (or a file's) in full, every default included.

    \b
    Example: facegan recipes show dcgan --set generator.channels=32
    """
    from facegan.recipe import Recipe

    click.echo(Recipe.load(name).override(*settings).to_toml(), nl=False)


@cli.command()
@click.argument("recipe")
@click.option(
    "--data",
    "dataset",
    required=True,
    help="A pack, or 'portraits' (also portraits:COUNT@RESOLUTION).",
)
@click.option("--run", type=click.Path(path_type=Path), help="The run's folder.")
@click.option("--budget", help="200kimg, 10min, 2h, …  [default: the recipe's]")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="A.B=VALUE",
    help="Change one value of the recipe, as in --set training.batch=32.",
)
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, mps or auto.")
@click.option(
    "--processes", default=1, show_default=True, help="Share each batch between so many processes."
)
@click.option(
    "--threads", type=int, help="Of the processor, for each process.  [default: all cores]"
)
@click.option(
    "--dry-run", is_flag=True, help="Print recipe, sizes, memory and time; train nothing."
)
def train(
    recipe: str,
    dataset: str,
    run: Path | None,
    budget: str | None,
    settings: tuple[str, ...],
    device: str,
    processes: int,
    threads: int | None,
    dry_run: bool,
) -> None:
    """Train RECIPE (a name from 'facegan recipes', or a TOML file).

    The same command again goes on where an interrupted run was saved.

    \b
    Example: facegan train dcgan --data faces --run runs/a --budget 10min
    """
    from facegan.recipe import Recipe

    if processes > 1 and "WORLD_SIZE" not in os.environ:
        from facegan.apps.processes import run_processes

        sys.exit(run_processes(processes, sys.argv[1:]))
    resolved = Recipe.load(recipe).override(*settings)
    if budget is not None:
        resolved = resolved.with_budget(budget)
    if dry_run:
        from facegan.apps.console import print_forecast
        from facegan.apps.recipes import forecast

        print_forecast(forecast(resolved, dataset, device))
        return
    if run is None:
        raise click.UsageError("Missing option '--run': the folder to train in.")
    from facegan.apps.console import make_reporter
    from facegan.apps.train import train as run_train

    _finish(
        run_train(resolved, dataset, run, device=device, threads=threads, reporter=make_reporter())
    )


@cli.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="A folder; with --grid also a .png file.",
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
@click.option("--device", default="auto", show_default=True)
def generate(source: Path, out: Path, **options: Any) -> None:
    """Generate pictures from SOURCE, a run's folder or a generator.safetensors file.

    \b
    Example: facegan generate runs/a --out faces -n 100 --seed 0
    """
    from facegan.apps.generate import generate as run_generate

    written = run_generate(source, out, **options)
    what = str(written[0]) if len(written) == 1 else f"{len(written)} pictures in {out}"
    click.echo(f"Wrote {what}.")


def _finish(outcome: Any) -> None:
    """Say how training ended; an interruption leaves with its signal's usual status."""
    if not _speaks():
        return
    if outcome.finished:
        click.echo(f"Done: {outcome.images_seen / 1000:g} kimg in {outcome.run}.")
        return
    from facegan.apps.train import run_again_hint

    click.echo(run_again_hint(outcome), err=True)
    sys.exit(130 if outcome.stopped_by == "SIGINT" else 143)


def _speaks() -> bool:
    """Whether this is the process that talks, of several that share a batch."""
    return os.environ.get("RANK", "0") == "0"


def main() -> None:
    """Entry point: prints what a person can act on, and no traceback, for known errors."""
    from facegan.startup import tune_process

    tune_process()
    try:
        cli(prog_name="facegan")
    except FaceganError as error:
        if _speaks():
            click.echo(f"error: {error.message}", err=True)
            if error.hint:
                click.echo(error.hint, err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        click.echo("Interrupted; nothing half-written was left behind.", err=True)
        sys.exit(130)
