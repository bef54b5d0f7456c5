"""What a page does not tell, which depends on what was measured: each thing with a code."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from facegan.evaluation.wording import listed
from facegan.runs.reading import Measured
from facegan.study.results import StudyResults

# (code, what to know before believing too much of the page)
Limit = tuple[str, str]

_ANOTHER_SEED = "How another seed would have turned out: this is one run."
_OTHER_SEEDS = (
    "How other seeds would have turned out. Intervals come from the choice of pictures, not from "
    "training again: a small difference between two runs is not one between two methods."
)
_FAIRNESS = (
    "Whether all kinds of people are made equally often and equally well: shares of age, skin or "
    "sex were not measured."
)
_FAIRNESS_READ = (
    "Whether all kinds of people are made equally well, and kinds that the attribute reader has "
    "no name for, such as ethnicity: only shares of what it reads were compared."
)
_UNKNOWN = (
    "Who is shown in the real pictures. Where two show one person, one may have been held out and "
    "the other trained on: then the holdout is closer to the training set than strangers are, and "
    "copies stand out less."
)


def limits_of(
    evaluations: Sequence[Measured], drawn: bool, real: bool, runs: int = 1
) -> list[Limit]:
    """What the page of a run, or of several, cannot tell.

    Args:
        evaluations: of the run, or of all runs.
        drawn: whether the dataset is drawn, so that no person is in it.
        real: whether the page may show real faces.
        runs: how many the page is about.
    """
    said = [*_quality(evaluations), _copying(evaluations, drawn)]
    if any(measured.evaluation.copying for measured in evaluations) and not real:
        text = "What the nearest real pictures look like: they were left out of this page."
        said.append(("left-out", text))
    if any(m.evaluation.floors == "unknown" for m in evaluations) and not drawn:
        said.append(("people-unknown", _UNKNOWN))
    if not drawn:
        read = any(m.evaluation.kinds is not None for m in evaluations)
        said.append(("fairness", _FAIRNESS_READ if read else _FAIRNESS))
    return [*said, ("seeds", _ANOTHER_SEED if runs == 1 else _OTHER_SEEDS)]


def _quality(evaluations: Sequence[Measured]) -> Iterator[Limit]:
    spaces = list(
        dict.fromkeys(s.extractor for m in evaluations for s in m.evaluation.features if s.scores)
    )
    if not spaces:
        yield (
            "no-score",
            "How good the pictures are. No score was taken: a grid of 64 shows neither rare "
            "failures nor faces that are never made.",
        )
        return
    yield (
        "people",
        f"How people would judge the pictures. Scores are differences in what {listed(spaces)} "
        f"{'sees' if len(spaces) == 1 else 'see'}, which is not what a person looks at; they "
        "mean nothing beside scores of other extractors, datasets or numbers of pictures.",
    )
    if all(measured.evaluation.training for measured in evaluations):
        most = max(measured.evaluation.n_fake for measured in evaluations)
        yield (
            "while-training",
            f"How the trained generator stands with many pictures: {most:,} were measured at a "
            "time while training, enough to see the way, too few for a figure to quote.",
        )
    looked = (m.evaluation.faces or m.evaluation.clear_faces for m in evaluations)
    if not any(looked):
        yield "no-faces", "In how many of the pictures there is a face: none was looked for."


def _copying(evaluations: Sequence[Measured], drawn: bool) -> Limit:
    found = [m.evaluation.copying for m in evaluations if m.evaluation.copying is not None]
    if found:
        seen = found[-1]
        embeddings = listed(embedding.embedding for embedding in seen.embeddings)
        return (
            "copying",
            f"That nothing was copied. {seen.n:,} generated pictures were compared with "
            f"{seen.n_train:,} training pictures in {embeddings}: other pictures, and likenesses "
            "that these do not see, were not looked at.",
        )
    if drawn:
        return (
            "no-copies-drawn",
            "Whether pictures of the dataset were copied: no copies were looked for.",
        )
    return (
        "no-copies",
        "Whether a generated face resembles somebody. No copies were looked for; none is a "
        "photograph, but a generator trained on photographs can come close to one of them.",
    )


def limits_of_study(results: StudyResults) -> Iterator[Limit]:
    """What the page of a study cannot tell."""
    plan = results.plan
    n = len(plan.seeds)
    space, *others = plan.measure.extractors
    yield (
        "budget",
        f"How the methods compare under another budget: every trial had {plan.budget}. One that "
        "learns slowly and ends better loses here.",
    )
    search = plan.tuning
    yield (
        "settings",
        "How they compare with other settings. "
        + (
            "Each was taken as the plan has it, and tuning can outweigh the choice of a method "
            "(Lucic et al. 2018, arXiv:1711.10337)."
            if search is None
            else f"Each was searched by {search.trials} trials of {search.budget} over "
            f"{listed(search.ranges)}, and a longer search may favour another."
        ),
    )
    yield (
        "people",
        f"How people would judge the pictures. Verdicts rest on what {space} sees"
        + (
            f"; {listed(others)} may see it otherwise."
            if others
            else ", one feature space among many."
        ),
    )
    yield (
        "datasets",
        "What holds for other faces than those of "
        f"{listed(plan.datasets)}, or at another resolution.",
    )
    if any(re.match(r"portraits([:@]|$)", place) is None for place in plan.datasets.values()):
        yield (
            "fairness",
            "Whether a generated face resembles somebody, and whether all kinds of people are "
            "made equally often and equally well: neither was looked at.",
        )
    if n == 1:
        yield "one-seed", "Whether any difference would outlast another seed: there is one seed."
    elif n < 10:
        yield (
            "few-seeds",
            f"Small differences: with {n} seeds only large and steady ones can be told from "
            "chance.",
        )
    if not results.complete:
        yield "waiting", "How the waiting trials will end: every figure may still change."
    if any(trial.status == "failed" for trial in results.results):
        yield (
            "failed",
            "What failed trials would have scored. Medians are over those that finished, which "
            "flatters a method that fails often: read them beside the number of failures.",
        )
