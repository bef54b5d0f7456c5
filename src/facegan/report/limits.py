"""What a page does not tell, which depends on what was measured."""

from __future__ import annotations

from collections.abc import Sequence

from facegan.evaluation.wording import listed
from facegan.runs.reading import Measured

_ANOTHER_SEED = "How another seed would have turned out: this is one run."
_OTHER_SEEDS = (
    "How other seeds would have turned out. Intervals come from the choice of pictures, not from "
    "training again: a small difference between two runs is not one between two methods."
)
_FAIRNESS = (
    "Whether all kinds of people are made equally often and equally well: shares of age, skin or "
    "sex were not measured."
)


def not_told(evaluations: Sequence[Measured], drawn: bool, real: bool, runs: int = 1) -> list[str]:
    """What to know before believing too much of a page.

    Args:
        evaluations: of the run, or of all runs.
        drawn: whether the dataset is drawn, so that no person is in it.
        real: whether the page may show real faces.
        runs: how many the page is about.
    """
    said = [*_quality(evaluations), *_copying(evaluations, drawn)]
    if any(measured.evaluation.copying for measured in evaluations) and not real:
        said.append("What the nearest real pictures look like: they were left out of this page.")
    if not drawn:
        said.append(_FAIRNESS)
    return [*said, _ANOTHER_SEED if runs == 1 else _OTHER_SEEDS]


def _quality(evaluations: Sequence[Measured]) -> list[str]:
    spaces = list(
        dict.fromkeys(s.extractor for m in evaluations for s in m.evaluation.features if s.scores)
    )
    if not spaces:
        return [
            "How good the pictures are. No score was taken: a grid of 64 shows neither rare "
            "failures nor faces that are never made."
        ]
    said = [
        f"How people would judge the pictures. Scores are differences in what {listed(spaces)} "
        f"{'sees' if len(spaces) == 1 else 'see'}, which is not what a person looks at; they "
        "mean nothing beside scores of other extractors, datasets or numbers of pictures."
    ]
    if all(measured.evaluation.training for measured in evaluations):
        most = max(measured.evaluation.n_fake for measured in evaluations)
        said.append(
            f"How the trained generator stands with many pictures: {most:,} were measured at a "
            "time while training, enough to see the way, too few for a figure to quote."
        )
    if all(measured.evaluation.faces is None for measured in evaluations):
        said.append("In how many of the pictures there is a face: none was looked for.")
    return said


def _copying(evaluations: Sequence[Measured], drawn: bool) -> list[str]:
    found = [m.evaluation.copying for m in evaluations if m.evaluation.copying is not None]
    if found:
        seen = found[-1]
        embeddings = listed(embedding.embedding for embedding in seen.embeddings)
        return [
            f"That nothing was copied. {seen.n:,} generated pictures were compared with "
            f"{seen.n_train:,} training pictures in {embeddings}: other pictures, and likenesses "
            "that these do not see, were not looked at."
        ]
    if drawn:
        return ["Whether pictures of the dataset were copied: no copies were looked for."]
    return [
        "Whether a generated face resembles somebody. No copies were looked for; none is a "
        "photograph, but a generator trained on photographs can come close to one of them."
    ]
