"""An evaluation as tables on the terminal: no score without its floor."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from facegan.evaluation.results import (
    SCORE_TITLES,
    Agreement,
    Copying,
    Evaluation,
    FeatureScores,
    Modes,
)
from facegan.evaluation.wording import (
    COMPARABLE,
    arrow,
    conditions,
    faces_found,
    formatted,
    in_unit,
    ratio,
    score_title,
)


def print_evaluation(evaluation: Evaluation) -> None:
    """Everything that was found, with what it takes to judge it."""
    console = Console(highlight=False)
    say = lambda text: console.print(text, markup=False, soft_wrap=True)  # noqa: E731
    say(f"{evaluation.source}: {conditions(evaluation)}")
    for space in evaluation.features:
        say("")
        console.print(_scores(space))
        say(f"{space.extractor}: {space.resizer}")
    say("")
    say(
        "Beside each value its 95 % interval (resampling). Floor: as many real pictures in the "
        f"place of the generated ones. {COMPARABLE}"
    )
    if evaluation.caveat is not None:
        say("")
        say(evaluation.caveat)
    if evaluation.faces is not None:
        say("")
        say(faces_found(evaluation.faces))
    if evaluation.modes is not None:
        say("")
        say(_modes(evaluation.modes))
    if evaluation.agreement is not None:
        say("")
        console.print(_agreement(evaluation.agreement))
        say(
            "Agreement: labels asked for and labels read back by the attribute reader (AUC, 0.5 is "
            "chance; of quantities the correlation); beside it the same of held-out pictures."
        )
    if evaluation.copying is not None:
        say("")
        console.print(_copying(evaluation.copying))
        say(evaluation.copying.said)


def _scores(space: FeatureScores) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(space.extractor, no_wrap=True)
    for column in ("generated", "", "floor", "", "ratio"):
        table.add_column(column, justify="right", no_wrap=True)
    for name in SCORE_TITLES:
        if name not in space.scores:
            continue
        score = space.scores[name]
        cells = [
            cell
            for each in (score.generated, score.real)
            for found in (formatted(in_unit(name, each)),)
            for cell in (found.value, found.between)
        ]
        title = f"{score_title(name, space.extractor)} {arrow(name)}"
        table.add_row(title, *cells, ratio(score.ratio))
    return table


def _modes(modes: Modes) -> str:
    generated, real = modes.total_variation, modes.total_variation_real
    return (
        f"Known truth: {modes.covered} of {modes.modes} combinations of attributes occur "
        f"(among as many real pictures: {modes.covered_real}). Total variation from the truth "
        f"{formatted(generated)}, of real pictures {formatted(real).value}. The reader is right in "
        f"{100 * modes.accuracy:.1f} % of pictures."
    )


def _agreement(found: Agreement) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("label", no_wrap=True)
    for column in ("agreement", "", "real", "", "off by", "real"):
        table.add_column(column, justify="right", no_wrap=True)
    for label in found.labels:
        generated, real = formatted(label.generated), formatted(label.real)
        table.add_row(
            label.name,
            *(generated.value, generated.between, real.value, real.between),
            *("" if e is None else f"{e:.1f}" for e in (label.error, label.error_real)),
        )
    return table


def _copying(copying: Copying) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("copying", no_wrap=True)
    for column in ("authentic", "held-out", "closer", "to holdout", "near", "by chance"):
        table.add_column(column, justify="right", no_wrap=True)
    for seen in copying.embeddings:
        table.add_row(
            seen.embedding,
            f"{100 * seen.authentic.value:.1f} %",
            f"{100 * seen.authentic_real.value:.1f} %",
            f"{seen.closer:.3f}",
            f"{seen.closer_holdout:.3f}",
            f"{seen.near:,}",
            f"{seen.near_expected:.0f}",
        )
    return table
