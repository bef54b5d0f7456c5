"""A recipe: everything that decides what a training run computes, in one frozen value.

Recipes are TOML files that read like a table in a paper. `Recipe.load` takes the name of a
shipped one or the path of a file; `override` changes single values; anything unknown or
impossible is refused, saying what is allowed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import tomli_w
from pydantic import Field, ValidationError, field_validator, model_validator

from facegan.augment import Adaptive, AugmentConfig
from facegan.budget import parse_budget
from facegan.config import Config
from facegan.data.conditions import Wanted
from facegan.data.pixels import Range
from facegan.errors import RecipeError
from facegan.methods import METHODS, AdversarialConfig, MethodConfig
from facegan.networks import DISCRIMINATORS, GENERATORS, DiscriminatorConfig, GeneratorConfig
from facegan.optimizers import Positive
from facegan.parsing import DEEPEST, parse_toml
from facegan.recipe.explain import explain
from facegan.recipe.stages import Stage, as_today
from facegan.schedule import PositiveSchedule, ShareSchedule, value_at
from facegan.shipped import Shipped

Count = Annotated[int, Field(ge=1)]
# Recipes come from anywhere, and sums over each share and stage are taken at every step.
_MOST_MIXED, _MOST_STAGES = 16, 100

_RECIPES = Shipped(
    "recipe",
    "recipe/shipped",
    "facegan recipes show gan",
    first=(
        *("gan", "tanh-gan", "dcgan", "dcgan-staged", "wgan-gp", "sngan", "sagan"),
        *("ignm", "ignm-cpu", "r3gan", "r3gan-medium", "r3gan-cpu"),
    ),
)


class Data(Config):
    """How images enter the networks.

    Attributes:
        range: `unit` [0, 1] (sigmoid), `symmetric` [−1, 1] (tanh), or `standard` (zero mean,
            unit variance per channel; linear output).
        labels: the dataset's labels that enter both networks, by name, or `all` of them.
            None by default: the networks see pictures alone.
        mix: for each further dataset (`--mix`, in that order) its share of every batch, or a
            schedule of it over the run; the rest are pictures of the main dataset. All of them
            where this says nothing.
        mirror: whether each picture is mirrored in half of its appearances: as if every one
            were there twice. Unlike `augment.flip`, at all times, and not for generated ones.
    """

    range: Range = "symmetric"
    labels: Wanted = ()
    mix: Annotated[tuple[ShareSchedule, ...], Field(max_length=_MOST_MIXED)] = ()
    mirror: bool = False

    @model_validator(mode="after")
    def _room_for_all(self) -> Data:
        highest = max(sum(value_at(s, p / 1000) for s in self.mix) for p in range(1001))
        if highest > 1 + 1e-6:
            raise ValueError(f"the shares in mix add up to {highest:g} at some point; at most 1")
        return self


class Training(Config):
    """The loop.

    Attributes:
        batch: images in one update, over all processes.
        budget: how long to train: `200kimg` (thousands of images shown to the
            discriminator) or `10min`, `2h`, `90s`, turned into kimg once.
        at_least: kimg that a time is never turned into less than, so that a slow machine trains
            longer instead of ending too early. Whoever gives a budget of their own gets that.
        ema_half_life: of the averaged generator, in kimg, or a schedule of it over the run.
        ema_rampup: the half-life is at most this fraction of the images seen so far, so
            that the early average follows quickly (Karras et al. 2020, ADA).
        ticks: lines in the journal over the whole run.
        snapshots: sample grids and checkpoints over the whole run.
        seed: of the initial weights, latents and the order of images.
        precision: `fp32`, `bf16` (autocast), or `auto`: bf16 where this machine gains.
        exchange: of several processes: updates of the generator after which they average their
            networks. Between, each learns from its own part of the batch alone, which is faster
            and no longer what one process would compute. 0: they average gradients instead.
    """

    batch: Annotated[int, Field(ge=2, le=65536)] = 64
    budget: str = "10min"
    at_least: Annotated[float, Field(ge=0, lt=1e9)] = 0.0
    ema_half_life: PositiveSchedule = 5.0
    ema_rampup: Positive = 0.05
    ticks: Count = 200
    snapshots: Count = 20
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    exchange: Annotated[int, Field(ge=0, le=10_000)] = 0

    @field_validator("budget")
    @classmethod
    def _budget(cls, budget: str) -> str:
        parse_budget(budget)
        return budget


class Evaluation(Config):
    """What is measured while training. It only looks: it changes nothing of what is trained.

    Attributes:
        times: how often, evenly over the run, its end included; `auto`: at every snapshot, or
            as often as takes 5 % of the run's time; 0: never.
        extractor: the feature space; a cheap one, because scores while training are compared
            with one another only.
        n: generated pictures, and as many real ones for the floor; fewer where the dataset
            does not have twice as many.
        n_real: real pictures in the reference, where there are so many.
    """

    times: Literal["auto"] | Annotated[int, Field(ge=0, le=10_000)] = "auto"
    extractor: str = "efflite0@64"
    n: Annotated[int, Field(ge=50)] = 1_000
    n_real: Annotated[int, Field(ge=50)] = 5_000


class Recipe(Config):
    """What to train and how. The dataset and the folder of the run are not part of it.

    However it is made, its parts fit one another, or it raises a RecipeError.

    Attributes:
        name: short name.
        title: one line for a table.
        source: the publication and place that define it.
        data: how images enter.
        generator: its network.
        discriminator: its network.
        method: what the two minimise, in all stages that name no method of their own.
        augment: what happens to images before the discriminator sees them, if anything.
        stages: optimizers, one stage after the other.
        training: the loop.
        evaluation: what is measured on the way.
    """

    name: str
    title: str
    source: str
    data: Data = Data()
    generator: Annotated[GeneratorConfig, GENERATORS]
    discriminator: Annotated[DiscriminatorConfig, DISCRIMINATORS]
    method: Annotated[MethodConfig, METHODS] = AdversarialConfig()
    augment: AugmentConfig | None = None
    stages: Annotated[tuple[Stage, ...], Field(min_length=1, max_length=_MOST_STAGES)] = (Stage(),)
    training: Training = Training()
    evaluation: Evaluation = Evaluation()

    @model_validator(mode="after")
    def _parts_fit(self) -> Recipe:
        """What no section can see alone: which of a recipe's parts need one another."""
        methods = [self.method, *(stage.method for stage in self.stages if stage.method)]
        for method in methods:
            method.check(self.generator, self.discriminator)
        if self.discriminator.heads.auxiliary and not self.data.labels:
            raise RecipeError(
                "discriminator.heads.auxiliary: there are no labels to predict.",
                "Name some in data.labels, or all of them: data.labels=all.",
            )
        probability = None if self.augment is None else self.augment.probability
        by_sign = isinstance(probability, Adaptive) and probability.heuristic == "sign"
        if by_sign and not all(method.centred for method in methods):
            raise RecipeError(
                "augment.probability.heuristic is 'sign', but only differences of a relativistic "
                "loss's logits mean something.",
                "Set augment.probability.heuristic=held_out.",
            )
        return self

    def method_in(self, stage: Stage) -> MethodConfig:
        """What the players minimise in a stage."""
        return stage.method or self.method

    def n_critic_in(self, stage: Stage) -> int:
        """The discriminator's updates for each of the generator's in a stage."""
        return self.method_in(stage).n_critic or self.method.n_critic or 1

    def step_images(self, stage: Stage) -> int:
        """Images that one step of a stage shows to the discriminator."""
        return self.training.batch * self.n_critic_in(stage)

    @classmethod
    def load(cls, name_or_path: str | Path) -> Recipe:
        """A shipped recipe by its name, or a TOML file by its path."""
        return cls.parse(*_RECIPES.find(name_or_path))

    @classmethod
    def parse(cls, text: str, origin: str = "the recipe") -> Recipe:
        """Read TOML text. `origin` names it in errors."""
        return cls.from_values(_RECIPES.values(text, origin), origin)

    @classmethod
    def from_values(cls, values: Mapping[str, Any], origin: str = "the recipe") -> Recipe:
        """Build from nested dicts and lists, refusing what is unknown or out of range."""
        values = as_today(values)
        try:
            return cls.model_validate_json(json.dumps(values, default=str))
        except ValidationError as error:
            raise explain(error, values, cls, origin) from error

    def values(self) -> dict[str, Any]:
        """Every value, defaults included, as nested dicts and lists without None."""
        return self.model_dump(mode="json", exclude_none=True)

    def to_toml(self) -> str:
        """TOML that `parse` reads back to an equal recipe."""
        return tomli_w.dumps(self.values())

    def override(self, *settings: str) -> Recipe:
        """A copy with single values changed.

        Args:
            settings: each `a.b=value`, the value as in TOML (a bare word is a string); list
                items by number; `*` stands for every table at its level (of a stage, for both
                players' optimizers), as in `stages.*.*.lr=1e-4`.
        """
        values = self.values()
        for setting in settings:
            if any(0xD800 <= ord(character) < 0xE000 for character in setting):
                raise RecipeError(f"The setting {setting!a} is not valid Unicode.")
            path, separator, text = setting.partition("=")
            if not separator or not path.strip():
                raise RecipeError(
                    f"The setting {setting!r} is not of the form a.b=value.",
                    "For example `training.batch=32`.",
                )
            if path.count(".") >= DEEPEST:
                raise RecipeError(
                    f"The setting {path[:40]}…: a path of {path.count('.') + 1} parts.",
                    f"At most {DEEPEST}; for example `training.batch=32`.",
                )
            _assign(values, path.strip().split("."), _toml_value(text.strip()), path.strip())
        return type(self).from_values(values, "the recipe with its overrides")

    def with_budget(self, budget: str) -> Recipe:
        """A copy with another budget: `200kimg`, `10min`, `2h`; as long as it says, not more."""
        values = self.values()
        values["training"] |= {"budget": budget, "at_least": 0.0}
        return type(self).from_values(values)

    def of_budget(self, budget: str) -> Recipe:
        """The recipe of a run that has this budget: itself where it is its own.

        A budget of its own lasts `training.at_least` as many images; another is as long as it says.
        """
        return self if budget == self.training.budget else self.with_budget(budget)


# What says how long a recipe trains: a run may go on with another length.
LENGTH = ("training.budget", "training.at_least")


def difference(old: Recipe, new: Recipe) -> list[str]:
    """Every value in which two recipes differ, as `path: old → new` lines."""
    before, after = dict(leaves(old.values())), dict(leaves(new.values()))
    return [
        f"{key}: {before.get(key, '(absent)')} → {after.get(key, '(absent)')}"
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    ]


def recipe_names() -> list[str]:
    """The shipped recipes, in the order of the papers' story, then by name."""
    return _RECIPES.names()


def shipped_text(name: str) -> str:
    """The TOML of a shipped recipe, comments included."""
    return _RECIPES.text(name)


def _toml_value(text: str) -> Any:
    try:
        return parse_toml(f"value = {text}")["value"]
    except ValueError:
        return text


def _assign(values: Any, path: list[str], value: Any, whole: str) -> None:
    """Set `path` inside nested dicts and lists, following `*` into every branch that has it."""
    key, rest = path[0], path[1:]
    if isinstance(values, list):
        if key != "*" and not (key.isdecimal() and int(key) < len(values)):
            raise RecipeError(
                f"The setting {whole}: there is no item {key!r} in a list of {len(values)}.",
                f"Use a number from 0 to {len(values) - 1}, or * for all.",
            )
        keys: Iterable[Any] = range(len(values)) if key == "*" else [int(key)]
    elif isinstance(values, dict):
        tables = [k for k, v in values.items() if isinstance(v, dict)]
        if "method" in tables and "name" not in values:
            tables.remove("method")  # of a stage, beside its optimizers
        keys = tables if key == "*" else [key]
    else:
        raise RecipeError(
            f"The setting {whole}: {key!r} is inside a single value ({values!r}).",
            "Shorten the path.",
        )
    if not keys:
        raise RecipeError(f"The setting {whole}: * meets nothing there.", "Name the key.")
    for k in keys:
        if not rest:
            values[k] = value
            continue
        if isinstance(values, dict):
            values.setdefault(k, {})  # if nothing belongs there, validation says so
        _assign(values[k], rest, value, whole)


def leaves(values: Any, path: str = "") -> Iterable[tuple[str, Any]]:
    """`{"a": {"b": [1, {"c": 2}]}}` → `("a.b.0", 1)`, `("a.b.1.c", 2)`; plain lists are values."""
    if isinstance(values, dict):
        for key, value in values.items():
            yield from leaves(value, f"{path}.{key}" if path else key)
    elif isinstance(values, list) and any(isinstance(v, dict) for v in values):
        for index, value in enumerate(values):
            yield from leaves(value, f"{path}.{index}")
    else:
        yield path, values
