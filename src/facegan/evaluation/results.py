"""What an evaluation found, as plain values: to print, to keep in a journal, to compare.

No score stands alone: beside it is the same score of as many real pictures (its floor),
both with an interval, and all that must be equal before two evaluations may be compared.
"""

from __future__ import annotations

from typing import Any, Literal

from facegan.config import Config

ScoreName = Literal["fd", "fd_infinity", "kid", "precision", "recall", "density", "coverage"]
# How each is called in tables, in their order: first what depends least on the number of pictures.
SCORE_TITLES: dict[ScoreName, str] = {
    "fd_infinity": "FD∞",
    "fd": "FD",
    "kid": "KID",
    "precision": "precision",
    "recall": "recall",
    "density": "density",
    "coverage": "coverage",
}
LESS_IS_BETTER: frozenset[ScoreName] = frozenset({"fd", "fd_infinity", "kid"})


class Estimate(Config):
    """A number and its 95 % interval, from resampling the generated pictures.

    Attributes:
        value: the number.
        low: lower end of the interval.
        high: upper end.
    """

    value: float
    low: float
    high: float


class Score(Config):
    """One score of the generated pictures beside the same score of real ones.

    Attributes:
        generated: of the generated pictures.
        real: the floor: of as many real pictures, which are not in the reference. Some show
            people who are in it (see `Evaluation.floors`).
        ratio: generated over real; None where the floor cannot be told from zero.
        others: the floor of other people: of as many real pictures of people none of whom is in
            their reference, which is as large. None where it is not known who is shown, and in
            evaluations of older versions.
        ratio_others: generated over `others`; None as above.
    """

    generated: Estimate
    real: Estimate
    ratio: float | None = None
    others: Estimate | None = None
    ratio_others: float | None = None

    @property
    def best_ratio(self) -> float | None:
        """Over the floor of other people where there is one: what a generator can reach."""
        return self.ratio if self.others is None else self.ratio_others


class FeatureScores(Config):
    """All scores in the space of one extractor.

    Attributes:
        extractor: its name.
        resizer: how pictures reached its size.
        fingerprint: of its weights and preprocessing, SHA-256 (hex).
        scores: by name; those that were not asked for are absent.
    """

    extractor: str
    resizer: str
    fingerprint: str
    scores: dict[ScoreName, Score]


class Faces(Config):
    """In how many pictures a face detector finds a face.

    Attributes:
        detector: its name and the size at which it looked.
        n: pictures looked at, of each kind.
        generated: share of the generated pictures, in [0, 1].
        real: share of real ones.
    """

    detector: str
    n: int
    generated: Estimate
    real: Estimate


class Attribute(Config):
    """How often a known attribute of drawn portraits takes one value.

    Attributes:
        name: of the attribute.
        value: which of its values.
        generated: share among the generated pictures, in [0, 1], as read from them.
        real: share among as many real ones, as read from them.
        truth: the share with which it is drawn.
    """

    name: str
    value: str
    generated: float
    real: float
    truth: float


class Modes(Config):
    """Which combinations of known attributes the generator makes (on `portraits` only).

    Attributes:
        n: pictures read, of each kind.
        modes: how many combinations there are.
        covered: how many of them at least one generated picture shows beyond doubt.
        covered_real: how many occur among as many real ones.
        total_variation: between the generated shares and the truth, in [0, 1].
        total_variation_real: the same of as many real ones: the floor.
        accuracy: of the reader, on portraits that it was not fitted on: the share of pictures
            of which it reads the combination right.
        attributes: every attribute alone.
    """

    n: int
    modes: int
    covered: int
    covered_real: int
    total_variation: Estimate
    total_variation_real: Estimate
    accuracy: float
    attributes: tuple[Attribute, ...]


class Kind(Config):
    """How often faces of one kind are made, as the attribute reader sees them.

    Attributes:
        name: of the kind, such as `Bald` or `not Male, age above 60`.
        generated: share among the generated pictures, in [0, 1].
        real: share among real ones; its interval is over people.
        z: the difference in standard errors; negative where the generator makes too few.
        differs: whether that is more than chance, over all kinds together.
    """

    name: str
    generated: Estimate
    real: Estimate
    z: float
    differs: bool


class Kinds(Config):
    """Which kinds of people the generator makes too seldom, or too often.

    Attributes:
        reader: fingerprint of the reader, SHA-256 (hex).
        n: generated pictures read.
        n_real: real ones.
        kinds: those that at least one picture in 200 shows.
    """

    reader: str
    n: int
    n_real: int
    kinds: tuple[Kind, ...]

    @property
    def left_out(self) -> tuple[Kind, ...]:
        """Those that are made too seldom, the most neglected first."""
        few = [kind for kind in self.kinds if kind.differs and kind.z < 0]
        return tuple(sorted(few, key=lambda kind: kind.generated.value / kind.real.value))

    @property
    def overdone(self) -> tuple[Kind, ...]:
        """Those that are made too often, the most overdone first."""
        many = [kind for kind in self.kinds if kind.differs and kind.z > 0]
        return tuple(sorted(many, key=lambda kind: kind.real.value / kind.generated.value))


class Spectrum(Config):
    """The power of generated pictures over that of real ones, by spatial frequency.

    Attributes:
        n: generated pictures.
        n_real: real ones.
        frequencies: in cycles a side, ascending.
        ratios: 1 where there is as much detail of this size; at each frequency.
        checkered: the same where both directions alternate from pixel to pixel.
    """

    n: int
    n_real: int
    frequencies: tuple[int, ...]
    ratios: tuple[Estimate, ...]
    checkered: Estimate


class Neighbour(Config):
    """The closest real picture of a split.

    Attributes:
        index: its place in the dataset.
        name: its name in the dataset.
        distance: to the generated picture, in the embedding that found the pair.
        mirrored: whether the generated picture was mirrored to come so close.
    """

    index: int
    name: str
    distance: float
    mirrored: bool


class Pair(Config):
    """A generated picture and what it comes closest to.

    Attributes:
        seed: of the generated picture; its number where the source is no generator.
        embedding: in which the pair was found.
        closeness: the share of held-out pictures that come as close to the training set or
            closer, in [0, 1]: 0 means that no held-out picture does.
        train: closest in the training split.
        holdout: closest in the holdout.
        part: by which part of the picture, where it was searched by parts.
        moved: whether it was shifted, turned or enlarged to come so close.
    """

    seed: int
    embedding: str
    closeness: float
    train: Neighbour
    holdout: Neighbour
    part: str | None = None
    moved: bool = False


EmbeddingVerdict = Literal["copied", "attracted", "typical", "unlike", "chance"]


class EmbeddingCopying(Config):
    """How close generated pictures come to the training set, in one embedding.

    Attributes:
        embedding: its name.
        authentic: AuthPct: share of generated pictures that are further from their nearest
            training picture than that one is from its own nearest (Alaa et al. 2022).
        authentic_real: the same of held-out pictures: what is to be expected without copying.
        closer: probability that a generated picture is closer to the training set than a
            held-out one (the rank-sum statistic of Meehan et al. 2020, as a share; 0.5 where
            nothing is copied).
        closer_low: lower end of the calibrated null: between the two ends lies `closer` for
            95 % of draws of held-out pictures against others.
        closer_high: its upper end.
        z: the rank-sum statistic in standard deviations of that null; positive means closer.
        closer_holdout: the same as `closer`, towards the holdout. Smooth or typical faces raise
            both; copies of training pictures raise `closer` alone.
        near: how many generated pictures lie closer to the training set than 99 % of the
            held-out pictures do.
        near_expected: how many would by chance.
        near_mirrored: how many of `near` do so mirrored only.
        near_holdout: the same as `near`, towards the holdout.
        verdict: `copied`: it takes copies to explain the numbers. `attracted`: closer to the
            training set than chance usually gives. `typical`: as close to the holdout, so no sign
            of copying. `unlike`: further away than real images. `chance`: explained by chance.
            None in evaluations of older versions.
    """

    embedding: str
    authentic: Estimate
    authentic_real: Estimate
    closer: float
    closer_low: float
    closer_high: float
    z: float
    closer_holdout: float
    near: int
    near_expected: float
    near_mirrored: int
    near_holdout: int
    verdict: EmbeddingVerdict | None = None


CopyVerdict = Literal["chance", "copied", "typical", "unclear"]


class CopySearchResult(Config):
    """What a search for copies found, wherever and however moved they may lie.

    Attributes:
        n: generated pictures looked up.
        real: real pictures looked up among those of other people: the yardstick.
        one_in: one of so many of these reaches the level.
        expected: how many generated pictures would, by chance.
        to_train: how many do by a match with a training picture.
        to_holdout: how many by a match with a held-out picture, which cannot have been copied.
        holdout_share: of the pictures that were searched, the share that is held out.
        chance: probability of so many or more where nothing is copied.
        sides: probability of so few matches with the holdout where nothing is copied.
        mirrored: how many of `to_train` match mirrored.
        moved: how many of them match shifted, turned or enlarged.
        parts: how many of them match by which part of the picture.
        verdict: `chance` explains what was found; training pictures were `copied`; faces are so
            `typical` that they match the holdout as much; `unclear`: too many for chance, and too
            few for the holdout to tell.
    """

    n: int
    real: int
    one_in: int
    expected: float
    to_train: int
    to_holdout: int
    holdout_share: float
    chance: float
    sides: float
    mirrored: int
    moved: int
    parts: dict[str, int]
    verdict: CopyVerdict


class Copying(Config):
    """What was seen of copying. Never a pass mark.

    Attributes:
        n: generated pictures looked at.
        n_train: training pictures searched.
        n_holdout: held-out pictures searched, and calibrated on.
        embeddings: what each embedding saw.
        pairs: the closest pairs over all embeddings, closest first.
        said: what was seen, in a few sentences.
        searched: what the search for moved, mirrored, mixed and partial copies found; None in
            evaluations of older versions.
        people: whether it is known who is shown; None in evaluations of older versions.
        few: whether the holdout shows so few people that the comparison is weak; None in
            evaluations of older versions.
    """

    n: int
    n_train: int
    n_holdout: int
    embeddings: tuple[EmbeddingCopying, ...]
    pairs: tuple[Pair, ...]
    said: str
    searched: CopySearchResult | None = None
    people: bool | None = None
    few: bool | None = None


class LabelAgreement(Config):
    """How well one label can be read back from pictures.

    Attributes:
        name: of the label.
        measure: `AUC` where it is yes or no: the probability that a picture that was to have it
            is read as having it more than one that was not to; 0.5 is chance. `correlation`
            (Pearson) where it is a quantity.
        generated: between the labels asked for and those read from the generated pictures.
        real: between the labels of real pictures and those read from them: what a perfect
            generator would get. None where they lack the label, or do not differ in it.
        error: of a quantity, the mean absolute difference in its unit; None for yes or no.
        error_real: the same of real pictures.
    """

    name: str
    measure: Literal["AUC", "correlation"]
    generated: Estimate
    real: Estimate | None = None
    error: float | None = None
    error_real: float | None = None


class Agreement(Config):
    """How well generated pictures show what was asked for, as the attribute reader sees them.

    Attributes:
        reader: fingerprint of the reader, SHA-256 (hex).
        n: generated pictures read.
        n_real: real ones.
        labels: those that the generator was asked for, and the reader knows.
        left_out: labels that the reader knows, but in which what was asked for hardly differs.
    """

    reader: str
    n: int
    n_real: int
    labels: tuple[LabelAgreement, ...]
    left_out: tuple[str, ...]


class Evaluation(Config):
    """Everything that one evaluation found.

    Attributes:
        source: what was evaluated, in words (a run at some kimg, a file, a dataset, a folder).
        dataset: name of the real pictures.
        dataset_fingerprint: SHA-256 (hex) of their dataset.
        reference: the split that the reference comes from.
        n_real: real pictures in the reference.
        n_fake: generated pictures, and real ones in the floor.
        floors: who is shown in the floor `Score.real`: `shared`, some people of the reference
            (then `Score.others` is the other floor); `apart`, nobody of the reference; `unknown`.
            None in evaluations of older versions.
        seed: of the choice of real pictures, and the first seed of the generated ones.
        resolution: side of the pictures that were compared, in pixels.
        training: whether it was taken while training.
        features: scores for each extractor.
        faces: how many pictures show a face.
        clear_faces: how many show a face that a sharper detector is sure of.
        modes: what of the known truth was covered.
        kinds: which kinds of people are made too seldom.
        spectrum: how much detail of each size there is.
        copying: how close to the training set.
        agreement: of generated pictures with the labels that were asked for.
        caveat: what to know before any of the scores is read, where there is something.
    """

    source: str
    dataset: str
    dataset_fingerprint: str
    reference: Literal["train", "holdout", "all"]
    n_real: int
    n_fake: int
    seed: int
    resolution: int
    floors: Literal["shared", "apart", "unknown"] | None = None
    training: bool = False
    features: tuple[FeatureScores, ...] = ()
    faces: Faces | None = None
    clear_faces: Faces | None = None
    modes: Modes | None = None
    kinds: Kinds | None = None
    spectrum: Spectrum | None = None
    copying: Copying | None = None
    agreement: Agreement | None = None
    caveat: str | None = None

    def rows(self) -> list[dict[str, Any]]:
        """One for each score: value, interval, the same of real pictures, their ratio."""
        found = [
            (space.extractor, name, score.generated, score.real, score.ratio)
            for space in self.features
            for name, score in space.scores.items()
        ]
        if self.faces is not None:
            faces = self.faces
            found.append((faces.detector, "faces", faces.generated, faces.real, None))  # type: ignore[arg-type]
        return [
            {
                "space": space,
                "score": name,
                "generated": generated.value,
                "low": generated.low,
                "high": generated.high,
                "real": real.value,
                "real_low": real.low,
                "real_high": real.high,
                "ratio": ratio,
            }
            for space, name, generated, real, ratio in found
        ]

    def line(self, images_seen: int) -> dict[str, object]:
        """The evaluation as a line of a run's journal."""
        return {"images_seen": images_seen, "evaluation": self.model_dump(exclude_none=True)}

    def conditions(self) -> dict[str, object]:
        """What must be equal before any two scores may be compared, by name."""
        return {
            "dataset": self.dataset_fingerprint,
            "reference": self.reference,
            "n_real": self.n_real,
            "n_fake": self.n_fake,
            "seed": self.seed,
            "resolution": self.resolution,
        }
