"""An evaluation as tables on the terminal: no score without its floor."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from facegan.evaluation.results import (
    LESS_IS_BETTER,
    SCORE_TITLES,
    Agreement,
    Copying,
    Estimate,
    Evaluation,
    FeatureScores,
    Modes,
)
from facegan.evaluation.wording import formatted, ratio


def print_evaluation(evaluation: Evaluation) -> None:
    """Everything that was found, with what it takes to judge it."""
    console = Console(highlight=False)
    say = lambda text: console.print(text, markup=False, soft_wrap=True)  # noqa: E731
    say(
        f"{evaluation.source}: {evaluation.n_fake:,} pictures of {evaluation.resolution}×"
        f"{evaluation.resolution} beside {evaluation.n_real:,} real ones of {evaluation.dataset} "
        f"({evaluation.reference}), seed {evaluation.seed}."
    )
    for space in evaluation.features:
        say("")
        console.print(_scores(space))
        say(f"{space.extractor}: {space.resizer}")
    say("")
    say(
        "Beside each value its 95 % interval (resampling). Floor: as many real pictures in the "
        "place of the generated ones. Compare with other evaluations only where dataset, numbers, "
        "extractor and seed are the same."
    )
    if evaluation.caveat is not None:
        say("")
        say(evaluation.caveat)
    if evaluation.faces is not None:
        found = evaluation.faces
        say("")
        say(
            f"Faces found in {formatted(found.generated, percent=True)} of the generated pictures, in "
            f"{formatted(found.real, percent=True)} of real ones ({found.detector}, n {found.n:,})."
        )
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
    fid = space.extractor == "inception"
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(space.extractor, no_wrap=True)
    for column in ("generated", "", "floor", "", "ratio"):
        table.add_column(column, justify="right", no_wrap=True)
    for name, title in SCORE_TITLES.items():
        if name not in space.scores:
            continue
        score = space.scores[name]
        arrow = "↓" if name in LESS_IS_BETTER else "↑"
        title = title.replace("FD", "FID") if fid else title
        generated, real = score.generated, score.real
        if name == "kid":  # as it is usually given
            title, generated, real = "KID × 10³", _thousandfold(generated), _thousandfold(real)
        cells = [
            cell
            for found in map(formatted, (generated, real))
            for cell in (found.value, found.between)
        ]
        table.add_row(f"{title} {arrow}", *cells, ratio(score.ratio))
    return table


def _thousandfold(found: Estimate) -> Estimate:
    return Estimate(value=1000 * found.value, low=1000 * found.low, high=1000 * found.high)


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
        generated = formatted(label.generated)
        real = None if label.real is None else formatted(label.real)
        table.add_row(
            label.name,
            *(generated.value, generated.between),
            *(("–", "") if real is None else (real.value, real.between)),
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
