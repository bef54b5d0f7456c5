"""An evaluation as tables on the terminal: no score without its floor."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from facegan.cli.terminal import print_table
from facegan.errors import printable
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
    at_n,
    conditions,
    faces_sentence,
    floor_title,
    formatted,
    in_unit,
    kinds_sentence,
    ratio,
    score_title,
    spectrum_sentence,
)

# Who is shown by the real images of the floors.
_FLOORS = {
    "shared": " Of the same people as the reference, or of others; ratios use others.",
    "apart": " They show people who are not in the reference.",
    "unknown": " It is not known who is in them.",
}


def print_evaluation(evaluation: Evaluation) -> None:
    """Everything that was found, with what it takes to judge it."""
    console = Console(highlight=False)

    def say(text: str) -> None:
        console.print(printable(text), markup=False, soft_wrap=True)

    say(f"{evaluation.source}: {conditions(evaluation)}")
    for space in evaluation.features:
        say("")
        print_table(console, _scores(space, evaluation))
        say(f"{space.extractor}: {space.resizer}")
    say("")
    say(
        "Intervals are 95 % (resampling). Real: the same score of as many real images, the floor."
        f"{_FLOORS.get(evaluation.floors or '', '')} {COMPARABLE}"
    )
    if evaluation.caveat is not None:
        say("")
        say(evaluation.caveat)
    if evaluation.faces is not None:
        say("")
        say(faces_sentence(evaluation.faces))
    if evaluation.clear_faces is not None:
        say("")
        say(faces_sentence(evaluation.clear_faces))
    if evaluation.modes is not None:
        say("")
        say(_modes(evaluation.modes))
    if evaluation.kinds is not None:
        say("")
        say(kinds_sentence(evaluation.kinds))
    if evaluation.spectrum is not None:
        say("")
        say(spectrum_sentence(evaluation.spectrum))
    if evaluation.agreement is not None:
        say("")
        print_table(console, _agreement(evaluation.agreement))
        say(
            "Agreement of requested labels with those that the attribute reader predicts: AUC, for "
            "which chance is 0.5; for quantities, the correlation. Beside it, of holdout images."
        )
    if evaluation.copying is not None:
        say("")
        print_table(console, _copying(evaluation.copying))
        say(evaluation.copying.said)


def _scores(space: FeatureScores, evaluation: Evaluation) -> Table:
    two = any(score.others is not None for score in space.scores.values())
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(space.extractor, no_wrap=True)
    floors = ["same people", "others"] if two else [floor_title(evaluation.floors)]
    for column in ("generated", "", *floors, "ratio", "at"):
        table.add_column(column, justify="right", no_wrap=True)
    for name in SCORE_TITLES:
        if name not in space.scores:
            continue
        score = space.scores[name]
        generated = formatted(in_unit(name, score.generated))
        real = [
            formatted(None if each is None else in_unit(name, each)).value
            for each in (score.real, *([score.others] if two else []))
        ]
        title = f"{score_title(name, space.extractor)} {arrow(name)}"
        at = "" if score.best_ratio is None else at_n(name, evaluation.n_fake)
        cells = (generated.value, generated.between, *real, ratio(score.best_ratio), at)
        table.add_row(title, *cells)
    return table


def _modes(modes: Modes) -> str:
    generated, real = modes.total_variation, modes.total_variation_real
    return (
        f"Variety: {modes.covered} of {modes.modes} combinations of attributes occur (in as many "
        f"dataset images: {modes.covered_real}). Total variation distance from the true shares "
        f"{formatted(generated)}, for dataset images {formatted(real).value}. The network that "
        f"reads the attributes is right in {100 * modes.accuracy:.1f} % of images."
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
