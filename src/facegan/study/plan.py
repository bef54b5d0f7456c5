"""A study's plan: datasets, methods, seeds, one budget, what is measured, which claims.

A plan is a small TOML file. A method is a recipe with overrides; where it has `without`, each
part named there makes another method that differs in that part alone.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import tomli_w
from pydantic import Field, ValidationError, model_validator

from facegan.budget import parse_budget
from facegan.config import Config
from facegan.errors import RecipeError, nearest
from facegan.recipe import Recipe
from facegan.recipe.explain import explain
from facegan.shipped import Shipped
from facegan.study.claims import Test, ablated, parse_test
from facegan.study.tuning import Range, Tuning, multiplied

# Names become folders and stand in claims.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_MOST_SEEDS = 1000
_PLANS = Shipped("plan", "study/plans", "facegan study quick --show")


Seeds = Annotated[
    tuple[Annotated[int, Field(ge=0, lt=2**32)], ...],
    Field(min_length=1, max_length=_MOST_SEEDS),
]


class Pretraining(Config):
    """A first part of the budget, spent on another dataset (IGNM 4.1, 4.3).

    The trial then goes on from those weights for what is left of the budget, so that a method
    with pretraining costs as much as one without.

    Attributes:
        dataset: to begin with; `portraits` are drawn in the resolution of the real pictures.
        share: of the budget, in (0, 1).
        set: further overrides of the recipe, for the pretraining alone.
    """

    dataset: str = "portraits"
    share: Annotated[float, Field(gt=0, lt=1)]
    set: tuple[str, ...] = ()


class Without(Config):
    """A part of a method that can be left out.

    Attributes:
        set: overrides that leave it out.
        mix: False to leave out the datasets that are mixed in.
        pretraining: False to leave out the pretraining: all of the budget goes to the real data.
    """

    set: tuple[str, ...] = ()
    mix: bool = True
    pretraining: bool = True


class Method(Config):
    """What is compared: a recipe, changed.

    Attributes:
        recipe: a shipped recipe's name or a TOML file.
        title: in a table; the recipe's own by default.
        set: overrides, as `facegan train --set` has them.
        mix: datasets mixed in, as many as the recipe's `data.mix` has shares.
        pretraining: before the trial, within its budget.
        seeds: of this method, in place of the plan's; as in the plan. A method that many claims
            are about is worth more seeds than the others. Its ablations have the plan's.
        ranges: of its own, searched beside those of the plan's `tuning`.
        without: parts to leave out, by name; each makes the method `NAME-without-PART`.
    """

    recipe: str
    title: str = ""
    set: tuple[str, ...] = ()
    mix: tuple[str, ...] = ()
    pretraining: Pretraining | None = None
    seeds: Seeds | None = None
    ranges: dict[str, Range] = Field(default_factory=dict)
    without: dict[str, Without] = Field(default_factory=dict)

    def without_part(self, without: Without) -> Method:
        """The method with a part left out, and nothing left to leave out."""
        return self.model_copy(
            update={
                "set": (*self.set, *without.set),
                "mix": self.mix if without.mix else (),
                "pretraining": self.pretraining if without.pretraining else None,
                "without": {},
            }
        )

    def resolved(self) -> Recipe:
        """The recipe with its overrides, still with its own budget and seed."""
        return Recipe.load(self.recipe).override(*self.set)

    def with_settings(self, settings: tuple[str, ...]) -> Method:
        """The same with those of a trial of its search; `key*=2` doubles what it has there."""
        changed = self
        for setting in settings:
            key, times, factor = setting.partition("*=")
            more = [setting]
            if times:
                more = multiplied(changed.resolved().values(), key, float(factor))
            changed = changed.model_copy(update={"set": (*changed.set, *more)})
        return changed


class Measurement(Config):
    """What is measured, equally for all trials.

    Attributes:
        extractors: feature spaces of the scores at the end; claims are about the first.
        n: generated pictures, and as many real ones for the floor.
        n_real: real pictures in the reference, at most; by default as many as n needs: 5n, 2,000 to
            10,000.
        curve: how often the cheap score is taken on the way; 0: never.
        curve_extractor: its feature space.
        curve_n: its generated pictures.
        curve_n_real: its real ones.
    """

    extractors: Annotated[tuple[str, ...], Field(min_length=1)] = ("efflite0",)
    n: Annotated[int, Field(ge=50)] = 2_000
    n_real: Annotated[int, Field(ge=50)] = 10_000
    curve: Annotated[int, Field(ge=0, le=1000)] = 8
    curve_extractor: str = "efflite0@64"
    curve_n: Annotated[int, Field(ge=50)] = 1_000
    curve_n_real: Annotated[int, Field(ge=50)] = 5_000


class Claim(Config):
    """A sentence that the study is to decide.

    Attributes:
        says: the sentence.
        test: the comparison that would support it; see `facegan.study.claims`.
        source: who claims it.
        family: of claims that are decided together: a verdict is corrected for the number of
            claims in its family. Claims that name none are one family.
    """

    says: str
    test: str
    source: str = ""
    family: str = ""

    @property
    def parsed(self) -> Test:
        """The comparison."""
        return parse_test(self.test)


class Judging(Config):
    """How verdicts are reached; decided before the first result, like the claims.

    Attributes:
        test: `welch`: the trials of two methods are compared whatever their seeds, and each
            method has its own spread. `moderated`: the same with spreads that are shrunk over
            the methods (`facegan.study.shrinkage`), for distances. `paired`: differences
            between trials of one seed. `auto`: moderated with 16 methods or more, otherwise
            welch.
        looks: after how many of the plan's seeds the study is judged, rising, below their
            number; the end follows by itself. Verdicts are then given at these looks alone,
            and the level is spent over them (`facegan.study.looks`). A study in which a look
            decides every claim ends there.
    """

    test: Literal["auto", "welch", "moderated", "paired"] = "auto"
    looks: tuple[Annotated[int, Field(ge=2)], ...] = ()


class Plan(Config):
    """What a study is to do.

    Attributes:
        name: short name.
        title: one line.
        about: what is asked, in a few sentences.
        seeds: of the trials; a number n in TOML stands for 0 to n − 1.
        budget: of every trial: `60kimg`, or machine-seconds such as `90s` or `15min`, which
            become images by the speed that each method has alone.
        alpha: the probability of one or more false *holds* among the claims of a family, at
            most; and, apart from that, of one or more false *does not hold*, and of one or
            more false *evidence against*.
        datasets: by name: a dataset's folder, or `portraits[:COUNT][@RESOLUTION]`.
        methods: by name.
        measure: how all of them are measured.
        tuning: a search for each method before they are compared.
        judging: how verdicts are reached.
        claims: what is to be decided.
    """

    name: str
    title: str = ""
    about: str = ""
    seeds: Seeds
    budget: str
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    datasets: Annotated[dict[str, str], Field(min_length=1)]
    methods: Annotated[dict[str, Method], Field(min_length=1)]
    measure: Measurement = Measurement()
    tuning: Tuning | None = None
    judging: Judging = Judging()
    claims: tuple[Claim, ...] = ()

    @model_validator(mode="after")
    def _sound(self) -> Plan:
        for seeds in (self.seeds, *(method.seeds or () for method in self.methods.values())):
            if len(set(seeds)) < len(seeds):
                raise ValueError("a seed is named twice")
        used = {seed for name in self.all_methods() for seed in self.seeds_of(name)}
        if self.tuning is not None and used & set(self.tuning.seeds):
            raise ValueError(
                f"tuning.seed: the search would use seeds {self.tuning.seeds[0]} to "
                f"{self.tuning.seeds[-1]}, of which the comparison has some"
            )
        for name, method in self.methods.items():
            if method.ranges and self.tuning is None:
                raise ValueError(f"methods.{name} has ranges, and the plan has no tuning")
        looks = self.judging.looks
        if looks and not all(
            one < two for one, two in itertools.pairwise((*looks, len(self.seeds)))
        ):
            raise ValueError(
                f"judging.looks must rise and end below the number of seeds, {len(self.seeds)}"
            )
        # Where capitals make no difference, such names would share a folder.
        for names in (list(self.datasets), [m.lower() for m in self.all_methods()]):
            if len({name.lower() for name in names}) < len(names):
                raise ValueError("two names differ in nothing but capitals")
        for name in [self.name, *self.datasets, *self.methods, *self._parts()]:
            if not _NAME.fullmatch(name):
                raise ValueError(
                    f"{name!r} cannot be a name: letters, digits, '-', '_' and '.', and a letter "
                    "or digit first"
                )
        return self

    def _parts(self) -> list[str]:
        return [part for method in self.methods.values() for part in method.without]

    @classmethod
    def load(cls, name_or_path: str | Path) -> Plan:
        """A shipped plan by its name, or a TOML file by its path.

        Raises:
            RecipeError: for a file that cannot be read, or a plan that makes no sense.
        """
        return cls.parse(*_PLANS.find(name_or_path))

    @classmethod
    def parse(cls, text: str, origin: str = "the plan", known_recipes: bool = True) -> Plan:
        """Read TOML text; see `from_values`. `origin` names it in errors."""
        return cls.from_values(_PLANS.values(text, origin), origin, known_recipes)

    @classmethod
    def from_values(
        cls, values: Mapping[str, Any], origin: str = "the plan", known_recipes: bool = True
    ) -> Plan:
        """Build from nested dicts and lists, refusing what is unknown or impossible.

        Args:
            values: of the plan.
            origin: names it in errors.
            known_recipes: whether its recipes must exist, as they must where it is to be run.
        """
        values = _long_forms(values)
        try:
            plan = cls.model_validate_json(json.dumps(values, default=str))
        except ValidationError as error:
            raise explain(error, values, cls, origin) from error
        parse_budget(plan.budget)
        if plan.tuning is not None:
            parse_budget(plan.tuning.budget)
        known = plan.all_methods()
        for name, method in known.items() if known_recipes else ():
            try:
                method.with_settings(plan.candidates(name)[-1]).resolved()
            except RecipeError as error:
                raise type(error)(f"methods.{name}: {error.message}", error.hint) from error
        for claim in plan.claims:
            test = claim.parsed
            for name in (test.method, test.other):
                if name not in known:
                    raise RecipeError(
                        f"{origin}: the claim {claim.test!r} names {name!r}, which is no method.",
                        nearest(name, known),
                    )
            if hasattr(test, "fd") and plan.measure.curve == 0:
                raise RecipeError(
                    f"{origin}: the claim {claim.test!r} needs a curve, and measure.curve is 0.",
                    "Set measure.curve to how often to measure on the way.",
                )
        return plan

    def values(self) -> dict[str, Any]:
        """Every value, defaults included, as nested dicts and lists without None."""
        return self.model_dump(mode="json", exclude_none=True)

    def to_toml(self) -> str:
        """TOML that `parse` reads back to an equal plan."""
        return tomli_w.dumps(self.values())

    def replaced(self, **changes: Any) -> Plan:
        """A copy with other values at the top: seeds, budget, datasets."""
        return type(self).from_values(self.values() | changes, "the plan with its changes")

    def seeds_of(self, method: str) -> tuple[int, ...]:
        """The seeds of a method, in the order in which they are run."""
        own = self.methods[method].seeds if method in self.methods else None
        return self.seeds if own is None else own

    def candidates(self, method: str) -> list[tuple[str, ...]]:
        """The overrides among which a method is searched; one that is empty without tuning."""
        if self.tuning is None or self.searched(method) != method:
            return [()]
        return self.tuning.candidates(self.all_methods()[method].ranges)

    def searched(self, method: str) -> str:
        """The method whose search decides the settings of a method: itself, or the whole one."""
        if self.tuning is None or self.tuning.ablations:
            return method
        for name, whole in self.methods.items():
            if any(ablated(name, part) == method for part in whole.without):
                return name
        return method

    def all_methods(self) -> dict[str, Method]:
        """Every method by name, each followed by itself without its parts."""
        found: dict[str, Method] = {}
        for name, method in self.methods.items():
            found[name] = method
            for part, without in method.without.items():
                if ablated(name, part) in self.methods:
                    raise RecipeError(
                        f"{ablated(name, part)!r} is a method, and {name} without {part} as well.",
                        "Give one of the two another name.",
                    )
                found[ablated(name, part)] = method.without_part(without).model_copy(
                    update={"title": f"{method.title or name} without {part}", "seeds": None}
                )
        return found


def _long_forms(values: Mapping[str, Any]) -> dict[str, Any]:
    """`seeds = 3` is short for [0, 1, 2]; a list in `without` for a table with `set`."""
    found = _with_listed_seeds(values)
    methods = found.get("methods")
    if isinstance(methods, Mapping):
        found["methods"] = {name: _with_long_parts(method) for name, method in methods.items()}
    return found


def _with_listed_seeds(values: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(values)
    seeds = found.get("seeds")
    if isinstance(seeds, int) and not isinstance(seeds, bool):
        # More are refused below, by the length of the list.
        found["seeds"] = list(range(min(seeds, _MOST_SEEDS + 1)))
    return found


def _with_long_parts(method: Any) -> Any:
    if not isinstance(method, Mapping):
        return method
    method = _with_listed_seeds(method)
    if not isinstance(method.get("without"), Mapping):
        return method
    parts = method["without"].items()
    return {
        **method,
        "without": {name: {"set": p} if isinstance(p, list) else p for name, p in parts},
    }


def plan_names() -> list[str]:
    """The shipped plans."""
    return _PLANS.names()


def shipped_plan(name: str) -> str:
    """The TOML of a shipped plan, comments included."""
    return _PLANS.text(name)
