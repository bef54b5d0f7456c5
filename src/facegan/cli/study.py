"""`facegan study`: compare methods so that the answer can be trusted."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command()
@click.argument("plan", required=False)
@click.option(
    "--data",
    "datasets",
    multiple=True,
    metavar="[NAME=]DATASET",
    help="Take this dataset in place of the plan's; NAME where it has several.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="The study's folder.  [default: studies/NAME]",
)
@click.option("--seeds", type=click.IntRange(min=1), help="How many.  [default: the plan's]")
@click.option("--budget", help="Of every trial: 60kimg, 90s, 15min.  [default: the plan's]")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Trials at once.  [default: one for each core, or each GPU]",
)
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, mps or auto.")
@click.option(
    "--ray", metavar="ADDRESS", help="Run the trials on a Ray cluster; 'local' starts one here."
)
@click.option("--retry-failed", is_flag=True, help="Perform failed trials again.")
@click.option("--report", is_flag=True, help="Only write page and tables anew; run nothing.")
@click.option("--dry-run", is_flag=True, help="Print the trials and what they take; run nothing.")
@click.option("--show", is_flag=True, help="Print the plan.")
def study(
    plan: str | None,
    datasets: tuple[str, ...],
    out: Path | None,
    seeds: int | None,
    budget: str | None,
    workers: int | None,
    device: str,
    ray: str | None,
    retry_failed: bool,
    report: bool,
    dry_run: bool,
    show: bool,
) -> None:
    """Compare the methods of PLAN: equal budgets, several seeds, a verdict on each claim.

    PLAN is a shipped plan or a TOML file; without one, the shipped plans are listed. Stopped
    at any time, the same command goes on. The page is OUT/report.html.

    \b
    Example: facegan study quick
    Example: facegan study report --data lfw32 --out studies/lfw
    Example: facegan study my-plan.toml --workers 2
    """
    from facegan.study import run as studies
    from facegan.study.plan import Plan, plan_names, shipped_plan

    if plan is None:
        for name in plan_names():
            click.echo(f"{name:12} {Plan.load(name).title}")
        return
    if show:
        loaded = Plan.load(plan)
        click.echo(shipped_plan(plan) if plan in plan_names() else loaded.to_toml(), nl=False)
        return
    given = dict(_named(text) for text in datasets)
    adapted = studies.adapted(Plan.load(plan), given, seeds, budget)
    where = out or Path("studies") / adapted.name
    if report:
        click.echo(f"Wrote {studies.study_report(where)}.")
        return
    if dry_run:
        for line in studies.forecast(adapted, workers):
            click.echo(line)
        return
    from facegan.cli.terminal.study import make_study_watch

    try:
        outcome = studies.study(
            adapted,
            where,
            workers=workers,
            device=device,
            ray=ray,
            retry_failed=retry_failed,
            make_watch=make_study_watch,
        )
    except KeyboardInterrupt:
        click.echo("Stopped; what ran has saved. Run the same command again to go on.", err=True)
        sys.exit(130)
    for line in studies.formatted(outcome):
        click.echo(line)


def _named(text: str) -> tuple[str, str]:
    """`NAME=DATASET`; a path alone has no name."""
    name, separator, place = text.partition("=")
    return (name, place) if separator and "/" not in name else ("", text)
