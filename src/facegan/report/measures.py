"""Evaluations as rows for tables, and which of them may stand side by side.

An evaluation looks through several instruments: each extractor, the face detector, each
embedding in which copies are sought, the reader of known attributes. What one instrument
gave under the same conditions is a `Track`; only values of equal tracks are compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from facegan.evaluation.results import (
    SCORE_TITLES,
    EmbeddingCopying,
    Estimate,
    Evaluation,
    Faces,
    FeatureScores,
    Modes,
    ScoreName,
)
from facegan.evaluation.wording import (
    Formatted,
    at_n,
    conditions,
    fixed,
    formatted,
    in_unit,
    ratio,
    score_title,
    wanted,
)
from facegan.report.bars import Bar, Scale, bar
from facegan.runs.reading import Measured

Kind = Literal["scores", "faces", "modes", "copying"]
Wanted = Literal["less", "more", "the same"]


# What each score is, and where it comes from.
_EXPLAINED: dict[str, str] = {
    "fd": (
        "Fréchet distance between the two sets of features, each modelled as a normal "
        "distribution. It measures quality and variety together, and is larger for few images "
        "(Heusel et al. 2017, arXiv:1706.08500). It is called FID only with inception "
        "features."
    ),
    "fd_infinity": "FD extrapolated to infinitely many images "
    "(Chong & Forsyth 2020, arXiv:1911.07023).",
    "kid": (
        "unbiased estimate of the squared maximum mean discrepancy with a cubic kernel; "
        "without a difference it is around zero, also below (Bińkowski et al. 2018, "
        "arXiv:1801.01401)."
    ),
    "precision": "share of generated images that lie among the real ones: quality "
    "(Kynkäänniemi et al. 2019, arXiv:1904.06991).",
    "recall": "share of real images that lie among the generated ones: variety (the same paper).",
    "density": "precision that is robust to outliers; it may exceed 1 "
    "(Naeem et al. 2020, arXiv:2002.09797).",
    "coverage": (
        "share of real images with a generated image near by: variety, robust to outliers "
        "(the same paper)."
    ),
}


@dataclass(frozen=True)
class Measure:
    """A measured value beside the same of real pictures.

    Attributes:
        name: in code; of scores as in `ScoreName`.
        title: what was measured, with its unit.
        wanted: whether less is better, more is better, or the same as of real ones.
        generated: of the generated pictures.
        real: of real ones: the floor.
        others: of real ones of other people; None where there is no such floor.
        ratio: generated over the floor of other people, where there is one, otherwise over real;
            or an empty string where that says nothing.
        at: the number of pictures that the ratio is for.
        estimates: both as numbers in the title's unit; None where they are no estimates.
        floor: what `real` is.
    """

    name: str
    title: str
    wanted: Wanted
    generated: Formatted
    real: Formatted
    ratio: str = ""
    estimates: tuple[Estimate, Estimate] | None = None
    floor: str = "real"
    others: Formatted | None = None
    at: str = ""

    @property
    def bar(self) -> Bar | None:
        """Both on a line from zero, where they are numbers."""
        if self.estimates is None:
            return None
        generated, real = self.estimates
        end = max(generated.high, real.high, generated.value, 1.0 if self.wanted == "more" else 0.0)
        scale = Scale(0.0, end if end > 0 else 1.0)
        return bar(scale, [generated.value], (generated.low, generated.high), floor=real.value)


@dataclass(frozen=True)
class Instrument:
    """What an evaluation looked through.

    Attributes:
        kind: what it looks at.
        name: what a reader calls it.
        fingerprint: what must be equal beside the conditions.
        resizer: of an extractor: how pictures reach its size.
    """

    kind: Kind
    name: str
    fingerprint: str
    resizer: str = ""


@dataclass(frozen=True)
class Point:
    """What one instrument gave at one time of a run."""

    images_seen: int
    evaluation: Evaluation
    measures: tuple[Measure, ...]


@dataclass(frozen=True)
class Track:
    """What one instrument gave over a run, always under the same conditions.

    Attributes:
        instrument: through which it was measured.
        points: in the order of training, one at each time, at least one.
    """

    instrument: Instrument
    points: tuple[Point, ...]

    @property
    def last(self) -> Point:
        """The latest."""
        return self.points[-1]

    @property
    def conditions(self) -> str:
        """Under which all of it was measured, in words."""
        said, seen = conditions(self.last.evaluation), self.instrument
        if seen.kind != "scores":
            return said
        return (
            f"{said} Extractor: {seen.name} (fingerprint {seen.fingerprint[:12]}…); {seen.resizer}."
        )

    @property
    def rank(self) -> tuple[bool, int]:
        """Lowest for what says most."""
        return self.last.evaluation.training, -self.last.evaluation.n_fake

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for values that may stand side by side."""
        return _key(self.instrument, self.last.evaluation)


def tracks(evaluations: Iterable[Measured]) -> list[Track]:
    """Sort what was measured by instrument and conditions.

    Args:
        evaluations: in the order of training; of two at the same time the later counts.

    Returns:
        Those taken while training last, those of most pictures first, otherwise in the order
        in which they began.
    """
    found: dict[tuple[object, ...], tuple[Instrument, dict[int, Point]]] = {}
    for measured in evaluations:
        seen, evaluation = measured.images_seen, measured.evaluation
        for instrument, measures in _looks(evaluation):
            key = _key(instrument, evaluation)
            _, points = found.setdefault(key, (instrument, {}))
            points[seen] = Point(seen, evaluation, tuple(measures))
    made = [Track(instrument, tuple(points.values())) for instrument, points in found.values()]
    return sorted(made, key=lambda track: track.rank)


def of_kind(found: Sequence[Track], kind: Kind) -> list[Track]:
    """The tracks of one kind."""
    return [track for track in found if track.instrument.kind == kind]


def explained(found: Iterable[Track]) -> list[tuple[str, str]]:
    """Each score of these tracks with what it is, by its title."""
    titles = {
        measure.title: _EXPLAINED[measure.name]
        for track in found
        for point in track.points
        for measure in point.measures
    }
    return list(titles.items())


def _key(instrument: Instrument, evaluation: Evaluation) -> tuple[object, ...]:
    conditions = sorted(evaluation.conditions().items())
    return (instrument.kind, instrument.name, instrument.fingerprint, *conditions)


def _looks(evaluation: Evaluation) -> Iterator[tuple[Instrument, Iterable[Measure]]]:
    for space in evaluation.features:
        instrument = Instrument("scores", space.extractor, space.fingerprint, space.resizer)
        if space.scores:
            yield instrument, _scores(space, evaluation.n_fake)
    if (faces := evaluation.faces) is not None:
        yield Instrument("faces", faces.detector, str(faces.n)), [_faces(faces)]
    if (clear := evaluation.clear_faces) is not None:
        yield Instrument("faces", clear.detector, str(clear.n)), [_faces(clear)]
    if (modes := evaluation.modes) is not None:
        yield Instrument("modes", "known attributes", f"{modes.n} of {modes.modes}"), _modes(modes)
    if (copying := evaluation.copying) is not None:
        against = f"{copying.n} of {copying.n_train}, {copying.n_holdout}"
        for embedding in copying.embeddings:
            yield Instrument("copying", embedding.embedding, against), _copying(embedding)


def _scores(space: FeatureScores, n: int) -> Iterator[Measure]:
    name: ScoreName
    for name in (name for name in SCORE_TITLES if name in space.scores):
        score = space.scores[name]
        generated, real = in_unit(name, score.generated), in_unit(name, score.real)
        yield Measure(
            name,
            score_title(name, space.extractor),
            wanted(name),
            formatted(generated),
            formatted(real),
            ratio(score.best_ratio),
            (generated, real),
            others=None if score.others is None else formatted(in_unit(name, score.others)),
            at=at_n(name, n),
        )


def _faces(faces: Faces) -> Measure:
    return Measure(
        "faces",
        "images with a face",
        "more",
        formatted(faces.generated, percent=True),
        formatted(faces.real, percent=True),
    )


def _modes(modes: Modes) -> Iterator[Measure]:
    every = f"of {modes.modes:,}"
    yield Measure(
        "covered",
        "combinations that occur",
        "more",
        Formatted(f"{modes.covered:,}", every),
        Formatted(f"{modes.covered_real:,}", every),
    )
    yield Measure(
        "total_variation",
        "total variation from the truth",
        "less",
        formatted(modes.total_variation),
        formatted(modes.total_variation_real),
    )


def _copying(seen: EmbeddingCopying) -> Iterator[Measure]:
    """Each statistic towards the training set, and towards the holdout for comparison."""
    yield Measure(
        "closer",
        "closer to the training set than holdout images are",
        "the same",
        Formatted(fixed(seen.closer, 3), f"z = {fixed(seen.z, 1)}"),
        Formatted(f"{fixed(seen.closer_low, 3)} – {fixed(seen.closer_high, 3)}"),
        floor="by chance",
    )
    yield Measure(
        "closer_holdout",
        "the same, towards the holdout",
        "the same",
        Formatted(fixed(seen.closer_holdout, 3)),
        Formatted("0.5"),
        floor="by chance",
    )
    mirrored = f"{seen.near_mirrored:,} of them mirrored" if seen.near_mirrored else ""
    by_chance = Formatted(fixed(seen.near_expected, 0 if seen.near_expected >= 10 else 1))
    yield Measure(
        "near",
        "closer than 99 % of holdout images",
        "the same",
        Formatted(f"{seen.near:,}", mirrored),
        by_chance,
        floor="by chance",
    )
    yield Measure(
        "near_holdout",
        "as many, towards the holdout",
        "the same",
        Formatted(f"{seen.near_holdout:,}"),
        by_chance,
        floor="by chance",
    )
    yield Measure(
        "authentic",
        "authentic (AuthPct)",
        "the same",
        formatted(seen.authentic, percent=True),
        formatted(seen.authentic_real, percent=True),
        floor="held out",
    )


def shares(modes: Modes | None) -> list[tuple[str, list[tuple[str, float, float, float]]]]:
    """Attributes with (value, generated, real, truth) for each of their values, all as shares."""
    found: dict[str, list[tuple[str, float, float, float]]] = {}
    for one in modes.attributes if modes is not None else ():
        name, value = (text.replace("_", " ") for text in (one.name, one.value))
        found.setdefault(name, []).append((value, one.generated, one.real, one.truth))
    return list(found.items())
