"""A plan fitted to its datasets: what no label allows is left out, and said, before it costs.

FFHQ and LSUN have no labels, CelebA has no age. Their users want the rest of a plan all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from facegan.data.conditions import spec_with_labels
from facegan.data.dataset import Dataset
from facegan.data.spec import Label
from facegan.errors import DataError, RecipeError
from facegan.evaluation.wording import listed
from facegan.study.plan import Method, Plan, ablated

# Settings that mean something only where there are labels.
_OF_LABELS = ("data.labels", "method.auxiliary", "discriminator.heads.auxiliary")
_OF_CLASSES, _OF_QUANTITIES = "method.auxiliary.classification", "method.auxiliary.regression"


@dataclass(frozen=True)
class Fitted:
    """A plan, and what was left out of it.

    Attributes:
        plan: that can be run.
        notes: what was left out and why, a sentence each; none where all of it can be run.
    """

    plan: Plan
    notes: tuple[str, ...]


def fitted(plan: Plan, datasets: Mapping[str, Dataset]) -> Fitted:
    """Leave out labels that a dataset lacks, parts of methods that then change nothing, and claims.

    Args:
        plan: the study's.
        datasets: by the plan's names; those that are not known yet are taken to have all labels.

    Raises:
        RecipeError: a recipe itself, and not the plan, asks for a label that is not there.
    """
    methods = dict(plan.methods)
    lacking: dict[str, None] = {}
    gone: dict[str, None] = {}
    for name, method in plan.methods.items():
        wanted = method.resolved().data.labels
        if not wanted or wanted == "all":
            continue
        known = [{n: _label(each, n) for n in wanted} for each in datasets.values()]
        kept = [n for n in wanted if all(labels[n] is not None for labels in known)]
        if len(kept) == len(wanted):
            continue
        lacking |= dict.fromkeys(n for n in wanted if n not in kept)
        kinds = [label for n in kept for label in ([d[n] for d in known][:1]) if label is not None]
        methods[name], parts = _without_labels(name, method, kept, kinds)
        gone |= dict.fromkeys(parts)
    if not lacking:
        return Fitted(plan, ())
    claims = [c for c in plan.claims if not {c.parsed.method, c.parsed.other} & gone.keys()]
    less = plan.replaced(
        methods={name: method.model_dump(exclude_none=True) for name, method in methods.items()},
        claims=[claim.model_dump(exclude_none=True) for claim in claims],
    )
    where = listed([f"{name} ({dataset.path})" for name, dataset in datasets.items()])
    said = [f"Not every dataset has the labels {listed(list(lacking))}: {where}."]
    if gone:
        dropped = len(plan.claims) - len(claims)
        said.append(
            f"So these are left out, which would be no other trials: {listed(list(gone))}; and "
            f"{dropped} claim(s) about them."
        )
    said.append("'facegan data label' reads 40 attributes and the age from faces without labels.")
    return Fitted(less, tuple(said))


def _label(dataset: Dataset, name: str) -> Label | None:
    try:
        return spec_with_labels(dataset, (name,)).labels[0]
    except DataError:
        return None


def _without_labels(
    name: str, method: Method, kept: list[str], kinds: list[Label]
) -> tuple[Method, list[str]]:
    """A method with those labels alone, and the names of its ablations that are no more."""
    lines = [line for line in method.set if not line.startswith("data.labels")]
    if kept:
        lines.append(f"data.labels={kept}")
        if not any(label.binary for label in kinds):
            lines += _zero(_OF_CLASSES, method)
        if all(label.binary for label in kinds):
            lines += _zero(_OF_QUANTITIES, method)
    else:
        lines = [line for line in lines if not line.startswith(_OF_LABELS)]
        lines.append("discriminator.heads.projection=0")
    less = method.model_copy(update={"set": tuple(lines)})
    if set(less.resolved().data.labels) - set(kept):
        raise RecipeError(
            f"The recipe {method.recipe} of {name} asks for labels that a dataset has not.",
            "Read them with 'facegan data label', or name labels in the plan's `set`.",
        )
    parts, gone = {}, []
    for part, without in method.without.items():
        if _same(less, less.without_part(without)):
            gone.append(ablated(name, part))
        else:
            parts[part] = without
    return less.model_copy(update={"without": parts}), gone


def _zero(setting: str, method: Method) -> list[str]:
    """A weight of 0, where there is such a weight."""
    asks = any(line.startswith("method.auxiliary") for line in method.set)
    return [f"{setting}=0.0"] if asks else []


def _same(method: Method, trial: Method) -> bool:
    """Whether leaving a part out changes nothing any more, or cannot be done at all."""
    try:
        changed = trial.resolved() != method.resolved()
    except RecipeError:
        return True
    return not (changed or trial.mix != method.mix or trial.pretraining != method.pretraining)
