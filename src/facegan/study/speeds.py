"""How fast the methods of a study train here: what turns machine-seconds into images."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from facegan.data.dataset import Dataset
from facegan.device import Execution
from facegan.recipe import Recipe
from facegan.study.results import Speed
from facegan.training.speed.costs import Cost, measure, measure_again

# A busy moment makes a method look slow, never fast: of several looks, the fastest counts.
_LOOKS = 3
# How fast a step is does not depend on the rates, and at this one nothing diverges: whether a
# method does is for its trials to find out.
_STANDING_STILL = "stages.*.*.lr=1e-12"


@dataclass(frozen=True)
class Subject:
    """A recipe, and the pictures that it is trained on."""

    recipe: Recipe
    dataset: Dataset

    def key(self, execution: Execution) -> str:
        """Equal for whatever trains equally fast: the same computation in the same place."""
        how = execution.described()
        place = [how[name] for name in ("device", "device_name", "threads")]
        text = json.dumps([self.recipe.to_toml(), self.dataset.card.get("fingerprint"), place])
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def measure_speeds(
    subjects: Mapping[str, Sequence[Subject]],
    execution: Execution,
    costs: dict[str, Any],
    say: Callable[[str], None],
    save: Callable[[], None],
) -> dict[str, Speed]:
    """Measure what is not known yet.

    Methods that train alike (an ablation of the data, say) are measured once, now and in every
    later call, so that they get equal budgets. The looks at one method lie apart in time.

    Args:
        subjects: what each method trains, its pretraining second, by name.
        execution: where.
        costs: what is known, by `Subject.key`; what is found is added.
        say: told what was found.
        save: called whenever `costs` has more.

    Returns:
        The speed of each method, by name.

    Raises:
        FaceganError: for a recipe that does not fit the pictures.
    """
    wanted = {
        subject.key(execution): (label, Subject(_still(subject.recipe), subject.dataset))
        for label, parts in subjects.items()
        for subject in parts
    }
    new = {key: found for key, found in wanted.items() if key not in costs}
    if new:
        say(f"Measuring how fast {len(new)} recipes train, one after the other …")
    looks = {key: measure(s.recipe, s.dataset, execution) for key, (_, s) in new.items()}
    for _ in range(_LOOKS - 1):
        for key, (_label, subject) in new.items():
            looks[key] = measure_again(subject.recipe, subject.dataset, execution, looks[key])
    for key, (label, _subject) in new.items():
        costs[key] = looks[key].model_dump()
        say(f"{label}: {looks[key].img_per_s:,.0f} images a second alone.")
    save()
    return {label: _speed(parts, costs, execution) for label, parts in subjects.items()}


def _still(recipe: Recipe) -> Recipe:
    return recipe.override(_STANDING_STILL)


def as_fast(one: Subject, other: Subject) -> Subject:
    """The first of two if they differ in nothing that speed depends on, else the second."""
    same = _still(one.recipe).to_toml() == _still(other.recipe).to_toml()
    return one if same else other


def _speed(parts: Sequence[Subject], costs: Mapping[str, Any], execution: Execution) -> Speed:
    found = [Cost.model_validate(costs[subject.key(execution)]) for subject in parts]
    how = execution.described()
    return Speed(
        img_per_s=found[0].img_per_s,
        batch=found[0].batch,
        precision=found[0].precision,
        threads=int(how["threads"]),
        device=str(how["device_name"]),
        pretraining_img_per_s=found[1].img_per_s if len(found) > 1 else None,
        pretraining_precision=found[1].precision if len(found) > 1 else None,
    )
