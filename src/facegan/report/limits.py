"""What a page does not tell, which depends on what was measured: each thing with a code."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from facegan.evaluation.wording import listed
from facegan.runs.reading import Measured
from facegan.study.results import StudyResults

# (code, what to know before believing too much of the page)
Limit = tuple[str, str]

_ANOTHER_SEED = "How another seed would have turned out. This is one run."
_OTHER_SEEDS = (
    "How other seeds would have turned out. Intervals come from the choice of images, not from "
    "repeated training. A small difference between two runs is no difference between methods."
)
_FAIRNESS = (
    "Whether all groups of people are generated equally often and equally well. Shares by age, "
    "skin or sex were not measured."
)
_FAIRNESS_READ = (
    "Whether all groups of people are generated equally well. Only the shares of attributes that "
    "the attribute reader predicts were compared; ethnicity, for example, is not among them."
)
_UNKNOWN = (
    "Who is in the real images. If two images show one person, one may be in the holdout and the "
    "other in training. Then the holdout is closer to the training set than images of strangers "
    "are, and copies stand out less."
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
        text = "What the nearest real images look like. They were left out of this page."
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
            "How good the images are. There are no scores, and a grid of 64 shows neither rare "
            "failures nor faces that are never generated.",
        )
        return
    yield (
        "people",
        f"How people would judge the images. Scores are distances between features of "
        f"{listed(spaces)}, which is not what a person looks at. They cannot be compared with "
        "scores of other extractors, datasets or numbers of images.",
    )
    if all(measured.evaluation.training for measured in evaluations):
        most = max(measured.evaluation.n_fake for measured in evaluations)
        yield (
            "while-training",
            f"How the generator scores with many images. During training {most:,} were measured at "
            "a time: enough to see the trend, too few for a figure to publish.",
        )
    looked = (m.evaluation.faces or m.evaluation.clear_faces for m in evaluations)
    if not any(looked):
        yield "no-faces", "How many of the images show a face. No detector was used."


def _copying(evaluations: Sequence[Measured], drawn: bool) -> Limit:
    found = [m.evaluation.copying for m in evaluations if m.evaluation.copying is not None]
    if found:
        seen = found[-1]
        embeddings = listed(embedding.embedding for embedding in seen.embeddings)
        return (
            "copying",
            f"That nothing was copied. {seen.n:,} generated images were compared with "
            f"{seen.n_train:,} training images in {embeddings}. Other images, and similarities "
            "that these features do not capture, were not examined.",
        )
    if drawn:
        return (
            "no-copies-drawn",
            "Whether images of the dataset were copied. No search for copies was made.",
        )
    return (
        "no-copies",
        "Whether a generated face resembles a real person. No search for copies was made. No image "
        "is a photograph, but a generator can come close to one that it was trained on.",
    )


def limits_of_study(results: StudyResults) -> Iterator[Limit]:
    """What the page of a study cannot tell."""
    plan = results.plan
    n = len(plan.seeds)
    space, *others = plan.measure.extractors
    yield (
        "budget",
        f"How the methods compare with another budget. Every trial had {plan.budget}; a method "
        "that learns slowly but ends better loses here.",
    )
    search = plan.tuning
    yield (
        "settings",
        "How they compare with other settings. "
        + (
            "Each has the settings of the plan, and tuning can matter more than the choice of a "
            "method (Lucic et al. 2018, arXiv:1711.10337)."
            if search is None
            else f"Each was tuned with {search.trials} trials of {search.budget} over "
            f"{listed(search.ranges)}; a longer search may favour another method."
        ),
    )
    yield (
        "people",
        f"How people would judge the images. Verdicts rest on features of {space}"
        + (f"; {listed(others)} may disagree." if others else ", one feature space among many."),
    )
    yield (
        "datasets",
        f"What holds for other datasets than {listed(plan.datasets)}, or at another resolution.",
    )
    if any(re.match(r"portraits([:@]|$)", place) is None for place in plan.datasets.values()):
        yield (
            "fairness",
            "Whether a generated face resembles a real person, and whether all groups of people "
            "are generated equally often and equally well. Neither was measured.",
        )
    if n == 1:
        yield (
            "one-seed",
            "Whether a difference would remain with another seed. There is only one seed.",
        )
    elif n < 10:
        yield (
            "few-seeds",
            f"Small differences. With {n} seeds, only large and consistent ones can be told from "
            "chance.",
        )
    if not results.complete:
        yield "waiting", "How the waiting trials will end. Every figure may still change."
    if any(trial.status == "failed" for trial in results.results):
        yield (
            "failed",
            "What failed trials would have scored. Medians are over those that finished, which "
            "favours a method that fails often. Consider the number of failures too.",
        )
