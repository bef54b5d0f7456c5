"""The command line: translates words into calls, and errors into two lines of text.

Imports nothing heavy: each command imports what it needs when it runs.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
from pathlib import Path
from typing import Any

import click

from facegan.cli.data import data
from facegan.cli.doctor import doctor
from facegan.cli.editing import directions, edit, film, invert
from facegan.cli.evaluate import evaluate
from facegan.cli.generate import generate
from facegan.cli.group import Commands, Typed
from facegan.cli.models import models
from facegan.cli.paths import FILE_PATH
from facegan.cli.recipes import recipes
from facegan.cli.serving import export, serve, studio
from facegan.cli.study import study
from facegan.cli.wording import as_typed
from facegan.errors import ConnectionLost, FaceganError, UnknownKindError, printable
from facegan.loggers import LOGGERS
from facegan.plugins import load_noted
from facegan.runs.extension import SCHEDULES, Schedules
from facegan.version import __version__

_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(cls=Commands, context_settings=_SETTINGS)
@click.version_option(__version__, prog_name="facegan")
def cli() -> None:
    """A laboratory for GANs that generate faces: prepare, train, measure, use.

    \b
    facegan demo                                    faces in three to six minutes
    facegan data import lfw.tgz faces --crop 152    a dataset from an archive
    facegan train dcgan --data faces --run runs/a   a generator from a dataset
    facegan evaluate runs/a --data faces            how good, how varied, how much copied
    facegan generate                                faces from the generator in the box
    facegan generate runs/a --grid --out faces.png  pictures from your own
    facegan report runs/a                           what happened, as a page
    facegan study quick                             which method is better, and how surely
    """


@cli.command()
@click.option(
    "--out",
    type=FILE_PATH,
    default=Path("facegan-demo"),
    show_default=True,
    help="Folder for the dataset, the run and the page.",
)
@click.option("--budget", help="How long to train.  [default: 3min, or longer on a slow machine]")
def demo(out: Path, budget: str | None) -> None:
    """Draw portraits, train on them, show what was learned.

    \b
    Example: facegan demo
    """
    from facegan.cli.demonstration import demo as run_demo

    _say_how_it_ended(run_demo(out, budget=budget))


cli.add_command(data)
cli.add_command(evaluate)
cli.add_command(recipes)


@cli.command()
@click.argument("recipe")
@click.option(
    "--data",
    "dataset",
    required=True,
    help="A dataset, or 'portraits' (also portraits:COUNT@RESOLUTION).",
)
@click.option("--run", type=FILE_PATH, help="The run's folder.")
@click.option(
    "--mix",
    multiple=True,
    metavar="DATASET",
    help="A further dataset, for each share in data.mix.",
)
@click.option(
    "--from",
    "start_from",
    type=FILE_PATH,
    metavar="MODEL",
    help="Begin with the weights of a run, a generator's file or a model, wherever they fit.",
)
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
    "--processes",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Share each batch between so many processes.",
)
@click.option(
    "--threads", type=int, help="Of the processor, for each process.  [default: all cores]"
)
@click.option(
    "--extend",
    type=click.Choice(SCHEDULES),
    default="keep",
    show_default=True,
    help="With a larger budget than before, schedules keep their length or are stretched.",
)
@click.option(
    "--log",
    "loggers",
    multiple=True,
    metavar="TRACKER",
    help=f"Send curves and sample grids to {', '.join(LOGGERS)}, or none.  "
    "[default: tensorboard, where installed]",
)
@click.option(
    "--dry-run", is_flag=True, help="Print recipe, sizes, memory and time; train nothing."
)
@click.option("--profile", is_flag=True, help="Print where a step's time goes; keep nothing of it.")
def train(
    recipe: str,
    dataset: str,
    run: Path | None,
    mix: tuple[str, ...],
    start_from: Path | None,
    budget: str | None,
    settings: tuple[str, ...],
    device: str,
    processes: int,
    threads: int | None,
    extend: Schedules,
    loggers: tuple[str, ...],
    dry_run: bool,
    profile: bool,
) -> None:
    """Train RECIPE (a name from 'facegan recipes', or a TOML file).

    The same command again goes on where an interrupted run was saved; with a larger budget, it
    goes on beyond the end.

    \b
    Example: facegan train dcgan --data faces --run runs/a --budget 10min
    Example: facegan train dcgan --data faces --run runs/b --from runs/a
    Example: facegan train dcgan --data faces --run runs/a --log tensorboard --log wandb
    Example: facegan train dcgan --data faces --run runs/c --mix portraits --set data.mix=[0.3]
    """
    from facegan.recipe import Recipe

    resolved = Recipe.load(recipe).override(*settings)
    if budget is not None:
        resolved = resolved.with_budget(budget)
    if dry_run:
        from facegan.apps.recipes import forecast
        from facegan.cli.terminal.train import print_forecast

        print_forecast(forecast(resolved, dataset, device, mix))
        return
    if profile:
        from facegan.apps.profile import profile as take_profile
        from facegan.cli.terminal.profile import print_profile

        print_profile(take_profile(resolved, dataset, device=device, threads=threads, mix=mix))
        return
    if run is None:
        raise click.UsageError("Missing option '--run': the folder to train in.")
    from facegan.apps.train import train as run_train
    from facegan.cli.terminal.train import make_reporter

    _finish(
        run_train(
            resolved,
            dataset,
            run,
            device=device,
            threads=threads,
            processes=processes,
            mix=mix,
            start_from=start_from,
            extend=extend,
            loggers=[] if "none" in loggers else list(loggers) or None,
            reporter=make_reporter(),
        )
    )


cli.add_command(generate)
cli.add_command(directions)
cli.add_command(edit)
cli.add_command(film)
cli.add_command(invert)
cli.add_command(studio)
cli.add_command(export)
cli.add_command(serve)
cli.add_command(models)
cli.add_command(study)
cli.add_command(doctor)


@cli.command()
@click.argument("runs", nargs=-1, required=True, type=FILE_PATH, metavar="RUN...")
@click.option(
    "--out",
    type=FILE_PATH,
    help="The page.  [default: RUN/report.html; of several, comparison.html]",
)
@click.option(
    "--without-real",
    is_flag=True,
    help="Leave real faces and their names out, so that the page can be published.",
)
@click.option(
    "--figures",
    type=FILE_PATH,
    metavar="DIR",
    help="Instead of the page, write figures and tables for a paper: PDF, PNG, SVG, CSV, LaTeX.",
)
def report(
    runs: tuple[Path, ...], out: Path | None, without_real: bool, figures: Path | None
) -> None:
    """Tell what happened in RUN, or compare several: one page that opens offline.

    Training writes the page of its run when it ends or is interrupted.

    \b
    Example: facegan report runs/a
    Example: facegan report runs/a runs/b --out comparison.html
    Example: facegan report runs/a runs/b --figures paper/figures
    """
    from facegan.report import pages

    if figures is not None:
        from facegan.report.figures import run_figures

        click.echo(f"Wrote {len(run_figures(runs, figures))} files to {figures}.")
        return

    if len(runs) == 1:
        written = pages.report(runs[0], out, real=not without_real)
    else:
        written = pages.compare(runs, out or Path("comparison.html"), real=not without_real)
    click.echo(f"Wrote {written}.")


def _finish(outcome: Any) -> None:
    """Write the run's page and say how training ended."""
    if not _speaks():
        return
    from facegan.report.pages import report as write_page

    write_page(outcome.run)
    _say_how_it_ended(outcome)


def _say_how_it_ended(outcome: Any) -> None:
    """In a line; an interruption leaves with its signal's usual status."""
    if outcome.finished:
        with contextlib.suppress(OSError):
            click.echo(f"Done: {outcome.images_seen / 1000:g} kimg in {outcome.run}.")
        return
    from facegan.apps.train import run_again_hint

    with contextlib.suppress(OSError):  # the terminal may be what was lost
        click.echo(run_again_hint(outcome), err=True)
    stopped_by = getattr(signal, outcome.stopped_by or "", signal.SIGTERM)
    sys.exit(128 + int(stopped_by))


def _speaks() -> bool:
    """Whether this is the process that talks, of several that share a batch."""
    return os.environ.get("RANK", "0") == "0"


def main() -> None:
    """Entry point: prints what a person can act on, and no traceback, for known errors."""
    from facegan.startup import leave, tune_process

    tune_process()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a plain terminal may lack × and …
    status = _run()
    # What is left in a pipe that closed, or beside a full disk, is nobody's traceback.
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError, io.UnsupportedOperation):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            status = status or 1
    if os.environ.get("WORLD_SIZE", "1") not in ("", "1"):
        leave(status)
    sys.exit(status)


def _short(text: str) -> str:
    """An error that quotes what others wrote stays readable: so many lines, so long."""
    lines = [line if len(line) <= 1000 else f"{line[:1000]}…" for line in text.split("\n")]
    return "\n".join([*lines[:60], *(["…"] if len(lines) > 60 else [])])


def _run() -> int:
    """Run the command line; returns the exit status."""
    typed = Typed(cli)
    try:
        load_noted()
        # Outside its standalone mode, click returns the status of --help and --version.
        return cli(prog_name="facegan", standalone_mode=False, obj=typed) or 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except FaceganError as error:
        # Of several machines, each says itself that it lost another.
        alone = isinstance(error, ConnectionLost) and os.environ.get("LOCAL_RANK") == "0"
        if _speaks() or alone:
            more = isinstance(error, UnknownKindError)
            plugin = "On the command line: --plugin FILE.py, or a module's name." if more else ""
            for text in filter(None, (f"error: {error.message}", error.hint, plugin)):
                text = as_typed(text, typed.command, cli)
                with contextlib.suppress(OSError):
                    click.echo(_short(printable(text)), err=True)
        return error.exit_code
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        with contextlib.suppress(OSError):
            click.echo(printable(f"error: {where}{error.strerror or error}."), err=True)
            click.echo(
                "Look after that file or its disk, and run the same command again.", err=True
            )
        return 1
    except (KeyboardInterrupt, click.Abort):
        click.echo("Interrupted; nothing half-written was left behind.", err=True)
        return 130
