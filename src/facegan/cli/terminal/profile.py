"""What a person sees of a profile."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from facegan.apps.profile import StepProfile
from facegan.training.speed.operators import Kind

_KINDS: dict[Kind, str] = {
    "products": "convolutions, matrix products",
    "normalisation": "normalisation",
    "updates": "optimizer, average, norms",
    "copies": "copies, conversions, padding",
    "elementwise": "other elementwise, sums",
}
_SHOWN = 12


def print_profile(profile: StepProfile, console: Console | None = None) -> None:
    """Print where a step's time goes, by kind of operator and for the longest operators."""
    console = console or Console()
    execution, roofline = profile.execution, profile.roofline
    how = execution.described()
    console.print(
        f"{profile.recipe.name}: {profile.img_per_s:,.1f} img/s, a step of {profile.images} images "
        f"in {profile.seconds * 1e3:,.1f} ms on {how['device_name']}, {how['precision']}, "
        f"{how['threads']} threads",
        highlight=False,
    )
    console.print(
        f"Ceilings, measured now: matrix product {_rate(roofline.flops)}FLOP/s "
        f"({how['precision']}), copy {_rate(roofline.bytes)}B/s",
        highlight=False,
    )
    console.print(
        f"{_rate(profile.flops / profile.images)}FLOP an image; the whole step reaches "
        f"{profile.arithmetic_share:.0%} of the matrix ceiling. With every operator at its own "
        f"ceiling it would take {profile.limit_share:.0%} of its time. {held(profile)}",
        highlight=False,
    )
    console.print(_by_kind(profile))
    console.print(_by_operator(profile))


def held(profile: StepProfile) -> str:
    """What holds a recipe: where most time lies above what the roofline allows."""
    lost = [(group.seconds - group.least, _KINDS[group.kind]) for group in profile.groups()]
    lost.append((profile.between, "what lies between operators (Python, autograd)"))
    seconds, what = max(lost)
    return f"Most is lost in {what}: {seconds / profile.seconds:.0%}."


def _by_kind(profile: StepProfile) -> Table:
    table = Table(title="By kind of operator", title_justify="left", box=None, pad_edge=False)
    table.add_column("kind")
    for name in ("ms", "share", "FLOP/s", "B/s", "of its ceiling"):
        table.add_column(name, justify="right")
    for group in profile.groups():
        table.add_row(
            _KINDS[group.kind],
            f"{group.seconds * 1e3:,.2f}",
            f"{group.seconds / profile.seconds:.1%}",
            _rate(group.flops / group.seconds) if group.flops else "",
            _rate(group.bytes / group.seconds),
            f"{group.least / group.seconds:.0%}",
        )
    table.add_row(
        "between operators",
        f"{profile.between * 1e3:,.2f}",
        f"{profile.between / profile.seconds:.1%}",
    )
    return table


def _by_operator(profile: StepProfile) -> Table:
    title = f"The {_SHOWN} longest operators of one step"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("operator")
    for name in ("ms", "calls", "of its ceiling"):
        table.add_column(name, justify="right")
    table.add_column("shapes", overflow="fold")
    for each in profile.operators[:_SHOWN]:
        table.add_row(
            each.name.removeprefix("aten."),
            f"{each.seconds * 1e3:,.2f}",
            f"{each.calls:g}",
            f"{profile.least(each) / each.seconds:.0%}",
            each.shapes,
        )
    return table


def _rate(value: float) -> str:
    """Three digits and a prefix, as in `312 G`."""
    for prefix in ("", "k", "M", "G"):
        if value < 1000:
            return f"{value:.3g} {prefix}"
        value /= 1000
    return f"{value:.3g} T"
