"""What is known of an attribute reader: where it comes from, how well it reads, its limits."""

from __future__ import annotations

from statistics import fmean

from pydantic import model_validator

from facegan.config import Config

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
        packs = ", ".join(
            f"{each.name} at {each.resolution} px ({each.fingerprint[:12]}…)" for each in self.packs
        )
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        summary = [
            [
                each.condition,
                f"{self.mean_auc(each):.3f}",
                f"{min(each.auc[name] for name in self.prevalent if name in each.auc):.3f}",
                f"{each.probability_error:.3f}",
                f"{each.age_error:.1f}",
                f"{each.age_correlation:.2f}",
            ]
            for each in self.measured
        ]
        attributes = [
            [
                name,
                *(f"{each.auc[name]:.3f}" if name in each.auc else "–" for each in plain),
                f"{self.positives[name]:,}",
                f"{100 * self.prevalence[name]:.1f} %",
            ]
            for name in sorted(self.prevalence, key=lambda name: -plain[0].auc.get(name, 0))
        ]
        return "\n".join(
            (
                "# Attribute reader",
                "",
                f"Reads {len(self.names) - 1} attributes, as probabilities, and the age, in years, "
                "from pictures of faces of 32 pixels a side or more. One linear map on top of "
                "EfficientNet-Lite0, which stays as ImageNet made it.",
                "",
                f"- trained on: {packs}: {self.pictures:,} pictures of {self.people:,} people",
                f"- pictures: {self.licence}",
                f"- labels: {self.labels}",
                f"- measured on: {self.held_out:,} pictures of {self.held_out_people:,} other "
                "people",
                f"- made by: `{self.command}` ({versions})",
                "",
                "## How well it reads",
                "",
                "AUC: how often it orders a picture with the attribute above one without it (0.5 "
                f"is chance). Averaged over the {len(self.prevalent)} attributes that at least "
                f"{100 * PREVALENT:.0f} % of the training pictures show. Spoilt: moved, turned, "
                "blurred, noisy, tinted, compressed. Off by: mean absolute difference from the "
                "labels, of probabilities and of years.",
                "",
                *_table(
                    ("pictures", "mean AUC", "worst", "off by", "age off by", "correlation"),
                    summary,
                ),
                "",
                *_table(
                    ("AUC", *(each.condition for each in plain), "held-out yes", "in training"),
                    attributes,
                ),
                "",
                "## Limits",
                "",
                *(f"- {limit}" for limit in self.limits),
                "",
            )
        )


def _table(header: tuple[str, ...], rows: list[list[str]]) -> list[str]:
    line = "|---|" + "---:|" * (len(header) - 1)
    return [f"| {' | '.join(header)} |", line, *(f"| {' | '.join(row)} |" for row in rows)]
