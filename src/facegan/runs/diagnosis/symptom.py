"""What a symptom is, and the phrases that several of them share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal, NamedTuple

from facegan.optimizers import Player
from facegan.runs.diagnosis.evidence import Line, Past

Kind = Literal[
    "saturation",
    "imbalance",
    "overfitting",
    "collapse",
    "divergence",
    "plateau",
    "artefacts",
    "no face",
    "idle",
]

# What lasts for this share of a run is believed. (Four snapshots of the usual twenty, less the
# rounding to whole steps.)
LASTING = 0.145
HELPS = "What usually helps, in a new run: "


class Words(NamedTuple):
    """A sentence with the evidence, and what usually helps."""

    said: str
    helps: str


class Symptom(ABC):
    """Something to look out for. It is shown every line, and may repeat itself."""

    kind: Kind

    @abstractmethod
    def see(self, line: Line, past: Past) -> Words | None:
        """What to say, where the evidence is enough. `past` includes the line."""


def kimg(images: float) -> str:
    """`12.5 kimg`."""
    return f"{images / 1000:g} kimg"


def whole_kimg(images: float) -> str:
    """`12kimg`: a budget."""
    return f"{max(round(images / 1000), 1)}kimg"


def percent(share: float) -> str:
    """`12 %`."""
    return f"{100 * share:.0f} %"


def lowered(past: Past, player: Player) -> str:
    """``stages.*.generator.lr=5e-05``: a quarter of the highest rate so far."""
    return _setting(player, past.rates.get(player, 0.0) / 4)


def rates(past: Past, ahead: Player, behind: Player) -> str:
    """Equal rates where the network that is ahead learns faster, otherwise a lower one for it."""
    rate = past.rates.get(ahead, 0.0)
    if past.rates.get(behind, rate) < rate:
        return (
            f"the same learning rate for the {behind} as for the {ahead} ({_setting(behind, rate)})"
        )
    return f"a lower learning rate for the {ahead} ({lowered(past, ahead)})"


def penalty(past: Past) -> str:
    """A penalty, or more of it."""
    if past.penalised:
        return "a stronger penalty (`method.penalty.gamma` or `method.penalty.weight`)"
    return "a penalty on the discriminator (`method.penalty.kind=r1`)"


def pairs(past: Past) -> str:
    """A loss that compares pairs, unless it does; led by `, ` where there is something to say."""
    if "relativistic" in past.loss:
        return ""
    return ", a loss that compares pairs (`method.loss=relativistic`)"


def convolutions(past: Past) -> str:
    """Convolutions, where the generator is known to have none."""
    if past.generator != "mlp":
        return ""
    return ", or convolutional networks (the recipe dcgan)"


def _setting(player: Player, rate: float) -> str:
    name = f"stages.*.{player}.lr"
    return f"`{name}={rate:.2g}`" if rate > 0 else f"`{name}`"
