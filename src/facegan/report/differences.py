"""What differs between runs: their recipes, datasets, machines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from facegan.evaluation.wording import settings
from facegan.runs.reading import Reading

# More settings than these that differ are easier to read in words.
_MOST_SETTINGS = 12


@dataclass(frozen=True)
class Setting:
    """One setting that runs differ in.

    Attributes:
        name: where it stands.
        values: each value with the runs that have it.
    """

    name: str
    values: list[tuple[str, list[str]]]


@dataclass(frozen=True)
class Differences:
    """What differs, and what is the same.

    Attributes:
        different: the settings that differ.
        common: (name, value) of the others.
    """

    different: list[Setting]
    common: list[tuple[str, str]]


def differing(found: Sequence[Mapping[str, Any]], labels: Sequence[str]) -> Differences:
    """What differs between runs, and what they have in common.

    Args:
        found: values by name, of each run.
        labels: of each run.
    """
    different, common = [], []
    for name in dict.fromkeys(name for values in found for name in values):
        variants: dict[str, list[str]] = {}
        for values, label in zip(found, labels, strict=True):
            variants.setdefault(_said(values.get(name)), []).append(label)
        if len(variants) > 1:
            different.append(Setting(name, list(variants.items())))
        else:
            common.append((name, next(iter(variants))))
    return Differences(different, common)


def flat(values: Any, path: str = "") -> dict[str, Any]:
    """`{"a": {"b": [1, {"c": 2}]}}` → `{"a.b.0": 1, "a.b.1.c": 2}`; lists of plain values stay."""
    if isinstance(values, Mapping):
        items: Iterable[tuple[Any, Any]] = values.items()
    elif isinstance(values, list) and any(isinstance(value, Mapping) for value in values):
        items = enumerate(values)
    else:
        return {path: values}
    found: dict[str, Any] = {}
    for key, value in items:
        found |= flat(value, f"{path}.{key}" if path else str(key))
    return found


def _said(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "–" if value is None else str(value)


def recipes(readings: Sequence[Reading], labels: Sequence[str]) -> Differences:
    """Setting by setting where few differ; section by section, in words, where many do."""
    # Names, titles and sources stand elsewhere, or say nothing of what was done.
    named = {"name", "title", "source"}
    values = [
        {key: value for key, value in reading.recipe.values().items() if key not in named}
        for reading in readings
    ]
    found = differing([flat(recipe) for recipe in values], labels)
    if len(found.different) <= _MOST_SETTINGS:
        return found
    return differing([_in_words(recipe) for recipe in values], labels)


def _in_words(recipe: dict[str, Any]) -> dict[str, str]:
    words = {}
    for section, values in recipe.items():
        if section == "stages":
            for number, stage in enumerate(values, 1):
                words[f"stage {number}"] = settings(stage)
        elif isinstance(values, dict):
            words[section] = settings(values)
    return words
