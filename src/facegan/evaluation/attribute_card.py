"""What is known of an attribute reader: where it comes from, how well it reads, its limits."""

from __future__ import annotations

from statistics import fmean

from pydantic import model_validator

from facegan.config import Config
from facegan.documents import render
from facegan.evaluation.attribute_calibration import Calibration

# Attributes that fewer of the training pictures show are too rare to be averaged over.
PREVALENT = 0.02


class Measured(Config):
    """How well it reads pictures of people that it was not trained on.

    Attributes:
        condition: what was done to the pictures, such as `64 px` or `64 px, grey`.
        auc: by attribute, of its readings against the labels, which count as yes above 0.5: the
            share of pairs of a yes and a no that it orders right. Absent where there were no yes
            or no no.
        probability_error: mean absolute difference of probabilities read from those of the labels,
            over all attributes.
        age_error: mean absolute error of the age, in years.
        age_correlation: of the age read and that of the labels (Pearson).
    """

    condition: str
    auc: dict[str, float]
    probability_error: float
    age_error: float
    age_correlation: float


class Source(Config):
    """A dataset that it was trained on.

    Attributes:
        name: of the dataset.
        resolution: in pixels.
        fingerprint: of the dataset, SHA-256 (hex).
    """

    name: str
    resolution: int
    fingerprint: str


class AttributeCard(Config):
    """Everything known of a reader: the metadata of its file.

    Attributes:
        names: of the columns that it reads, in their order.
        ages: the lowest and the highest age among the training labels, in years.
        network: SHA-256 (hex) of the EfficientNet-Lite0 that it looks through.
        command: that made it.
        versions: of the packages that made it.
        packs: that it was trained on: the same pictures at several resolutions.
        licence: of the pictures.
        labels: what the labels are.
        pictures: with labels, to train on.
        people: in them.
        held_out: pictures with labels that it was measured on.
        held_out_people: in them, none of whom is in the training pictures.
        prevalence: by attribute, the share of training pictures whose label is above 0.5.
        positives: by attribute, how many held-out pictures have a label above 0.5.
        measured: under several conditions, the first ones the pictures as they are.
        limits: what it must not be used for, and where it fails.
        calibration: of its readings; None in files of older versions.
    """

    names: tuple[str, ...]
    ages: tuple[float, float]
    network: str
    command: str
    versions: dict[str, str]
    packs: tuple[Source, ...]
    licence: str
    labels: str
    pictures: int
    people: int
    held_out: int
    held_out_people: int
    prevalence: dict[str, float]
    positives: dict[str, int]
    measured: tuple[Measured, ...]
    limits: tuple[str, ...]
    calibration: Calibration | None = None

    @model_validator(mode="after")
    def _has_an_age(self) -> AttributeCard:
        if "Age" not in self.names or len(set(self.names)) != len(self.names):
            raise ValueError("its names repeat, or Age is not among them")
        return self

    @property
    def prevalent(self) -> tuple[str, ...]:
        """The attributes that at least 2 % of the training pictures show."""
        return tuple(name for name, share in self.prevalence.items() if share >= PREVALENT)

    def mean_auc(self, measured: Measured) -> float:
        """Over the `prevalent` attributes."""
        return fmean(measured.auc[name] for name in self.prevalent if name in measured.auc)

    def markdown(self) -> str:
        """A model card."""
        plain = [each for each in self.measured if "," not in each.condition]
        return render(
            "facegan.evaluation",
            "attribute_card.md",
            card=self,
            packs=", ".join(
                f"{each.name} at {each.resolution} px ({each.fingerprint[:12]}…)"
                for each in self.packs
            ),
            versions=", ".join(f"{name} {version}" for name, version in self.versions.items()),
            prevalent=PREVALENT,
            plain=plain,
            measured=[
                (
                    each,
                    self.mean_auc(each),
                    min(each.auc[name] for name in self.prevalent if name in each.auc),
                )
                for each in self.measured
            ],
            attributes=sorted(self.prevalence, key=lambda name: -plain[0].auc.get(name, 0)),
        )
