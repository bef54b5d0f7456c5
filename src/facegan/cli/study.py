"""`facegan study`: compare methods so that the answer can be trusted."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import click

from facegan.cli.paths import FILE_PATH
from facegan.errors import FaceganError, printable


@click.command()
@click.argument("plan", required=False)
@click.option(
    "--data",
    "datasets",
    multiple=True,
    metavar="[NAME=]DATASET",
    help="Use this dataset instead of the plan's; give NAME if the plan has several.",
)
@click.option(
    "--out",
    type=FILE_PATH,
    help="The folder of the study.  [default: studies/NAME]",
)
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    help="Number of seeds of every method.  [default: the plan's]",
)
@click.option("--budget", help="Budget of every trial: 60kimg, 90s, 15min.  [default: the plan's]")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Number of trials at a time.  [default: one for each core or GPU]",
)
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, mps or auto.")
@click.option(
    "--ray",
    metavar="ADDRESS",
    help="Run the trials on a Ray cluster; 'local' starts one on this machine.",
)
@click.option(
    "--storage",
    metavar="URI",
    help="Storage through which the nodes of a cluster share the study: s3://BUCKET/PREFIX.  "
    "[default: its folder, which all nodes must see]",
)
@click.option(
    "--slurm",
    metavar="OPTIONS",
    help="Run the trials as SLURM jobs with these sbatch options: partition=cpu,time=4:00:00; "
    "'local' tries that on this machine.",
)
@click.option("--retry-failed", is_flag=True, help="Repeat trials that failed.")
@click.option("--report", is_flag=True, help="Only write the page and tables again; run nothing.")
@click.option(
    "--figures",
    type=FILE_PATH,
    metavar="DIR",
    help="Only write figures and tables for a paper: PDF, PNG, SVG, CSV, LaTeX; run nothing.",
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Print the trials, their time and memory, and what gains they could detect.",
)
@click.option(
    "--noise",
    metavar="SHARE|STUDY",
    help="For --dry-run: how much FD varies between seeds, as a share or as in the folder of an "
    "earlier study.  [default: OUT, or the published studies]",
)
@click.option("--show", is_flag=True, help="Print the plan and stop.")
def study(
    plan: str | None,
    datasets: tuple[str, ...],
    out: Path | None,
    seeds: int | None,
    budget: str | None,
    workers: int | None,
    device: str,
    ray: str | None,
    storage: str | None,
    slurm: str | None,
    retry_failed: bool,
    report: bool,
    figures: Path | None,
    dry_run: bool,
    noise: str | None,
    show: bool,
) -> None:
    """Compare the methods of PLAN with equal budgets, and judge its claims.

    Each method is trained with several seeds. PLAN is a shipped plan or a TOML file; without one,
    the shipped plans are listed. To resume a study that was stopped, repeat the command. The page
    is OUT/report.html.

    \b
    Example: facegan study quick
    Example: facegan study report --data lfw32 --out studies/lfw
    Example: facegan study my-plan.toml --workers 2
    Example: facegan study report --out studies/lfw --figures paper/figures
    Example: facegan study my-plan.toml --slurm partition=cpu,time=4:00:00
    """
    from facegan.study import run as studies
    from facegan.study.plan import Plan, plan_names, shipped_plan

    if plan is None:
        for name in plan_names():
            click.echo(f"{name:12} {Plan.load(name).title}")
        return
    if show:
        loaded = Plan.load(plan)
        click.echo(
            shipped_plan(plan) if plan in plan_names() else printable(loaded.to_toml()), nl=False
        )
        return
    given = dict(_named(text) for text in datasets)
    adapted = studies.adapted(Plan.load(plan), given, seeds, budget)
    where = out or Path("studies") / adapted.name
    if report:
        from facegan.report.pages import study_report

        click.echo(f"Wrote {study_report(where)}.")
        return
    if figures is not None:
        from facegan.report.figures import study_figures

        click.echo(f"Wrote {len(study_figures(where, figures))} files to {figures}.")
        return
    if dry_run:
        for line in studies.forecast(adapted, workers, studies.noise_of_study(where, noise)):
            click.echo(printable(line))
        return
    from facegan.cli.terminal.study import make_study_watch

    try:
        outcome = studies.study(
            adapted,
            where,
            workers=workers,
            device=device,
            ray=ray,
            storage=storage,
            slurm=slurm,
            retry_failed=retry_failed,
            make_watch=make_study_watch,
        )
    except BaseException as error:
        # What went wrong counts more than a page that could not be written.
        with contextlib.suppress(FaceganError):
            _write_page(where)
        if not isinstance(error, KeyboardInterrupt):
            raise
        click.echo("Stopped; what ran has saved. Run the same command again to go on.", err=True)
        sys.exit(130)
    _write_page(where)
    for line in studies.formatted(outcome):
        click.echo(printable(line))


def _write_page(where: Path) -> None:
    """Write the page of a study, as soon as any trial of it has ended."""
    from facegan.report.pages import study_report
    from facegan.study.folder import StudyFolder

    folder = StudyFolder(where)
    if folder.started and folder.results().results:
        study_report(where)


def _named(text: str) -> tuple[str, str]:
    """`NAME=DATASET`; a path alone has no name."""
    name, separator, place = text.partition("=")
    return (name, place) if separator and "/" not in name else ("", text)
