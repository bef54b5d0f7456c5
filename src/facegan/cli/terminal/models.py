"""Models on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from facegan.apps.models import Listed
from facegan.cli.terminal import print_table
from facegan.data.spec import Label
from facegan.evaluation.wording import ratio
from facegan.models.readme import options_of
from facegan.models.store import origin_of


def print_models(found: Sequence[Listed]) -> None:
    """A table of models, and under it what its numbers mean."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("model", "recipe", "pixels", "kimg", "FD/real", "labels", "MB"):
        right = title not in ("model", "recipe")
        table.add_column(title, no_wrap=True, justify="right" if right else "left")
    table.add_column("where", no_wrap=True)
    for line in found:
        name, size = Text(line.model.name), f"{line.size / 1e6:.1f}"
        where = "bundled" if line.model.bundled else "installed"
        if origin := origin_of(line.model):
            where += f" from {origin}"
        if line.about is None:
            table.add_row(name, "damaged", "-", "-", "-", "-", size, where)
            continue
        spec = line.about.spec
        table.add_row(
            name,
            Text(line.about.recipe_name[:24]),
            f"{spec.resolution}",
            f"{line.about.images_seen / 1000:g}",
            ratio(line.ratio),
            f"{len(spec.labels) or '-'}",
            size,
            where,
        )
    console = Console(highlight=False)
    print_table(console, table)
    for line in found:
        if line.trouble:
            console.print(line.trouble, markup=False, soft_wrap=True)
    spaces = sorted({line.space for line in found if line.space})
    if spaces:
        text = f"FD/real: FD of the generator over FD of as many real images ({'; '.join(spaces)})."
        console.print(f"\n{text}", markup=False, soft_wrap=True)
    console.print("Details of a model: facegan models card NAME", markup=False)


def print_labels(labels: Sequence[Label], source: str) -> None:
    """The labels of a generator, as options of `facegan generate`."""
    console = Console(highlight=False)
    if not labels:
        console.print(f"{source} was trained without labels.", markup=False, soft_wrap=True)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("option", no_wrap=True)
    table.add_column("takes", overflow="fold")
    for name, takes in options_of(labels):
        table.add_row(Text(name), Text(takes))
    console.print(table)
