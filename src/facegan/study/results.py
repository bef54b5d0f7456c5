"""What a study found, as plain values: to judge, to print, to keep."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from facegan.config import Config
from facegan.evaluation.results import Evaluation, ScoreName
from facegan.study.claims import Axis
from facegan.study.plan import Plan
from facegan.study.tuning import Tuned

Count = Annotated[int, Field(ge=0)]


class Key(Config):
    """Which trial: one method on one dataset from one seed.

    Attributes:
        dataset: its name in the plan.
        method: its name in the plan; `ignm-without-attention` for an ablation.
        seed: of weights, latents and the order of images.
    """

    dataset: str
    method: str
    seed: Count

    def __str__(self) -> str:
        return f"{self.dataset}/{self.method}/seed-{self.seed}"


class Speed(Config):
    """How fast a method trains on a dataset, measured once, before the trials, and alone.

    Attributes:
        img_per_s: images shown to the discriminator in a second, over the whole run.
        batch: with which it was measured; smaller than the recipe's where that would take
            minutes, and then the speed is on the slow side.
        precision: in which it was measured and every trial computes: `fp32` or `bf16`.
        threads: of the processor, for one trial.
        device: in words.
        pretraining_img_per_s: of the method's pretraining, where it has one.
        pretraining_precision: in which that computes.
    """

    img_per_s: Annotated[float, Field(gt=0)]
    batch: Annotated[int, Field(ge=1)]
    precision: Literal["fp32", "bf16"]
    threads: Annotated[int, Field(ge=1)]
    device: str
    pretraining_img_per_s: Annotated[float, Field(gt=0)] | None = None
    pretraining_precision: Literal["fp32", "bf16"] | None = None


class CurvePoint(Config):
    """The cheap score that is taken on the way.

    Attributes:
        images: shown to the discriminator so far, pretraining included.
        seconds: the same in machine-seconds (see `TrialResult.seconds`).
        fd: Fréchet distance, in the space and at the n of the plan's curve.
        low: lower end of its 95 % interval.
        high: upper end.
    """

    images: Count
    seconds: float
    fd: float
    low: float
    high: float

    def cost(self, axis: Axis) -> float:
        """What was spent so far, in kimg or machine-seconds."""
        return self.images / 1000 if axis == "kimg" else self.seconds


class TrialFinding(Config):
    """What the diagnosis of a trial's run found (see `facegan.runs.diagnosis`).

    Attributes:
        kind: of trouble, such as `collapse`.
        images: shown to the discriminator when the evidence was enough.
        said: a sentence with the evidence; empty where only the kind was kept.
    """

    kind: str
    images: Count
    said: str = ""


class TrialResult(Config):
    """How one trial ended.

    Attributes:
        key: which.
        status: `finished`, or `failed`: then no score counts, and the trial is a failure.
        error: why it failed, in words.
        images: shown to the discriminator in all, pretraining included.
        seconds: machine-seconds of training: the images at the speed measured alone. They
            do not depend on what else the machine did meanwhile.
        wall_seconds: that training and measuring took in fact; what was lost when a trial was
            killed, and done again, is not in it.
        generator: numbers to learn in the generator.
        discriminator: numbers to learn in the discriminator.
        evaluation: what was measured at the end; None where the trial failed.
        curve: what was measured on the way, in the order of training.
        found: by the diagnosis of its run; None where nobody looked.
    """

    key: Key
    status: Literal["finished", "failed"]
    error: str = ""
    images: Count = 0
    seconds: float = 0.0
    wall_seconds: float = 0.0
    generator: Count = 0
    discriminator: Count = 0
    evaluation: Evaluation | None = None
    curve: tuple[CurvePoint, ...] = ()
    found: tuple[TrialFinding, ...] | None = None

    def score(self, name: ScoreName) -> float | None:
        """A score in the space of the plan's first extractor; None where there is none."""
        if self.evaluation is None or not self.evaluation.features:
            return None
        found = self.evaluation.features[0].scores.get(name)
        return None if found is None else found.generated.value

    def floor(self, name: ScoreName) -> float | None:
        """The same score of as many real pictures."""
        if self.evaluation is None or not self.evaluation.features:
            return None
        found = self.evaluation.features[0].scores.get(name)
        return None if found is None else found.real.value


class StudyResults(Config):
    """A study so far.

    Attributes:
        plan: what was to be done.
        keys: all its trials, in the order in which they are run.
        results: of those that have ended.
        speeds: of each method on each dataset, under `dataset/method`.
        outside: trials in the folder that the plan no longer has.
        retried: failures that were tried again.
        first: the plan as it was when the first result came; None where that is not known, or
            no result has come.
        recipes: the first eight digits of the SHA-256 of each method's recipe in full, with what
            is mixed in and its pretraining, under `dataset/method`.
        tuned: what the search before the comparison found, under `dataset/method`; empty where
            the plan has none.
    """

    plan: Plan
    keys: tuple[Key, ...]
    results: tuple[TrialResult, ...]
    speeds: dict[str, Speed]
    outside: Count = 0
    retried: Count = 0
    first: Plan | None = None
    recipes: dict[str, str] = Field(default_factory=dict)
    tuned: dict[str, Tuned] = Field(default_factory=dict)

    def of(self, dataset: str, method: str) -> dict[int, TrialResult]:
        """The trials of a method on a dataset that have ended, by seed."""
        return {
            result.key.seed: result
            for result in self.results
            if result.key.dataset == dataset and result.key.method == method
        }

    def rows(self) -> list[dict[str, Any]]:
        """One for each trial that has ended: what it cost, and its scores."""
        found = []
        for result in self.results:
            row = {**result.key.model_dump(), "status": result.status, "error": result.error}
            row |= {name: getattr(result, name) for name in ("images", "seconds", "wall_seconds")}
            if result.evaluation is not None and result.evaluation.features:
                scores = result.evaluation.features[0].scores
                row |= {name: score.generated.value for name, score in scores.items()}
            found.append(row)
        return found

    @property
    def complete(self) -> bool:
        """Whether every trial has ended."""
        return len(self.results) == len(self.keys)
