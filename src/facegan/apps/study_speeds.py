"""How fast the methods of a study train here: what turns machine-seconds into images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from facegan.apps.costs import Cost, measure, measure_again
from facegan.apps.datasets import open_dataset
from facegan.data.pack import Pack
from facegan.errors import FaceganError, TrainingError
from facegan.recipe import Recipe
from facegan.study.plan import Method, Plan
from facegan.study.results import Speed
from facegan.study.trial import beside
from facegan.training.execution import Execution

# A busy moment makes a method look slow, never fast: of several looks, the fastest counts.
_LOOKS = 3


def measure_speeds(
    plan: Plan,
    packs: Mapping[str, Pack],
    execution: Execution,
    speeds: dict[str, Any],
    say: Callable[[str], None],
) -> dict[str, str]:
    """Measure what is not in `speeds` yet, and put it there under `dataset/method`.

    Methods that train alike (an ablation of the data, say) are measured once, so that they
    get equal budgets. The looks at one method lie apart in time.

    Returns:
        What was said of methods whose numbers diverged in their first steps.

    Raises:
        FaceganError: for a recipe that does not fit the pictures.
    """
    diverged: dict[str, str] = {}
    costs: dict[str, Cost] = {}
    subjects: dict[str, tuple[Recipe, Pack]] = {}
    named: dict[str, list[str]] = {}
    for dataset, pack in packs.items():
        for name, method in plan.all_methods().items():
            label = f"{dataset}/{name}"
            if label in speeds:
                continue
            try:
                named[label] = []
                for recipe, data in _parts(method, pack):
                    key = f"{data.path}\n{recipe.to_toml()}"
                    if key not in costs:
                        costs[key] = measure(recipe, data, execution)
                        subjects[key] = (recipe, data)
                    named[label].append(key)
            except TrainingError as error:
                diverged[label] = error.message
                del named[label]
                say(f"{name}: {error.message}")
            except FaceganError as error:
                raise FaceganError(f"The method {name}: {error.message}", error.hint) from error
    for _ in range(_LOOKS - 1):
        for key, (recipe, data) in subjects.items():
            costs[key] = measure_again(recipe, data, execution, costs[key])
    for label, keys in named.items():
        found = costs[keys[0]]
        say(f"{label}: {found.img_per_s:,.0f} images a second alone ({found.precision}).")
        speed = Speed(
            img_per_s=found.img_per_s,
            batch=found.batch,
            precision=found.precision,
            threads=int(execution.described()["threads"]),
            device=str(execution.described()["device_name"]),
            pretraining_img_per_s=costs[keys[1]].img_per_s if len(keys) > 1 else None,
        )
        speeds[label] = speed.model_dump(exclude_none=True)
    return diverged


def _parts(method: Method, pack: Pack) -> list[tuple[Recipe, Pack]]:
    """What a method trains, and on which pictures: itself, then its pretraining."""
    recipe = method.resolved()
    if len(method.mix) != len(recipe.data.mix):
        raise FaceganError(
            f"it mixes {len(method.mix)} dataset(s) in, and its recipe has "
            f"{len(recipe.data.mix)} share(s) in data.mix.",
            "Give as many.",
        )
    found = [(recipe, pack)]
    if method.pretraining is not None:
        first = open_dataset(beside(method.pretraining.dataset, pack.spec.resolution))
        found.append((recipe.override(*method.pretraining.set), first))
    return found
