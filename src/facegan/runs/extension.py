"""Runs that train for longer than they were begun for, and what their provenance says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

from facegan.budget import MOST_IMAGES
from facegan.errors import RunError

# What becomes of schedules and stages, which run over the progress of a run.
Schedules = Literal["keep", "stretch"]
SCHEDULES: tuple[str, ...] = get_args(Schedules)


@dataclass(frozen=True)
class Extension:
    """One time that a run was given a larger budget.

    Attributes:
        images_seen: where the run was.
        budget: from then on, as it was written.
        images: in the whole run from then on.
        before: the budget before.
        images_before: in the whole run before.
        schedules: `keep`: they have the length that they had, and stay at their last values
            after it; `stretch`: from here on they run over the whole, longer run.
        measured_img_per_s: the speed that a budget of time was turned into images with.
    """

    images_seen: int
    budget: str
    images: int
    before: str
    images_before: int
    schedules: Schedules
    measured_img_per_s: float | None = None

    def sentence(self) -> str:
        """What happened, in one sentence."""
        longer = f"{self.images_before / 1000:g} → {self.images / 1000:g} kimg"
        how = (
            "schedules keep their length, and stay at their last values after it"
            if self.schedules == "keep"
            else "schedules are stretched over the whole run"
        )
        return f"Extended at {self.images_seen / 1000:g} kimg: {longer}; {how}."


@dataclass(frozen=True)
class Length:
    """How long a run is, in images shown to the discriminator.

    Attributes:
        total: in the whole run.
        schedules: over which schedules and stages run.
        begun: that it was begun for: ticks, snapshots and evaluations are as far apart as they
            would have been in that run.
    """

    total: int
    schedules: int
    begun: int

    @classmethod
    def plain(cls, images: int) -> Length:
        """Of a run that was never extended."""
        return cls(images, images, images)

    @classmethod
    def of(cls, provenance: Mapping[str, Any]) -> Length:
        """Of a run, as its provenance has it."""
        total, done = int(provenance["plan"]["images"]), extensions(provenance)
        begun = done[0].images_before if done else total
        stretched = [each.images for each in done if each.schedules == "stretch"]
        return cls(total, stretched[-1] if stretched else begun, begun)


def extensions(provenance: Mapping[str, Any]) -> list[Extension]:
    """The extensions of a run in their order. Raises RunError where they cannot be read."""
    try:
        found = [Extension(**each) for each in provenance.get("extensions", [])]
        counts = [n for each in found for n in (each.images_seen, each.images, each.images_before)]
        words = [word for each in found for word in (each.budget, each.before)]
        if (
            all(type(count) is int and 0 <= count <= MOST_IMAGES for count in counts)
            and all(isinstance(word, str) for word in words)
            and all(each.schedules in SCHEDULES for each in found)
        ):
            return found
    except TypeError:
        pass
    raise RunError(
        "What the run's provenance.json says of its extensions cannot be read.",
        "The folder was changed by hand; begin again in another one.",
    )


def budget_of(provenance: Mapping[str, Any], begun_with: str) -> str:
    """The budget that a run has now; `begun_with` where it was never extended."""
    done = extensions(provenance)
    return done[-1].budget if done else begun_with


def extended(provenance: Mapping[str, Any], by: Extension) -> dict[str, Any]:
    """The provenance of a run with one more extension."""
    plan = {**provenance["plan"], "images": by.images}
    done = [asdict(each) for each in [*extensions(provenance), by]]
    return {**provenance, "plan": plan, "extensions": done}


def rewound(provenance: Mapping[str, Any], images_seen: int) -> dict[str, Any]:
    """The provenance of a run that goes on from before it was extended.

    Where the newest checkpoints are damaged, what was computed after an older one is computed
    again, under the schedules of now: so the extension happened there.
    """
    done = extensions(provenance)
    moved = [replace(each, images_seen=min(each.images_seen, images_seen)) for each in done]
    if moved == done:
        return dict(provenance)
    return {**provenance, "extensions": [asdict(each) for each in moved]}
