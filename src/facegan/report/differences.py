"""What differs between runs: their recipes, datasets, machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from facegan.evaluation.wording import settings
from facegan.recipe import leaves
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
            variants.setdefault(in_words(values.get(name)), []).append(label)
        if len(variants) > 1:
            different.append(Setting(name, list(variants.items())))
        else:
            common.append((name, next(iter(variants))))
    return Differences(different, common)


def in_words(value: Any, missing: str = "–") -> str:
    """One value of a recipe or of a study's settings; a list's values with commas between."""
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return missing if value is None else str(value)


def recipes(readings: Sequence[Reading], labels: Sequence[str]) -> Differences:
    """Setting by setting where few differ; section by section, in words, where many do."""
    # Names, titles and sources stand elsewhere, or say nothing of what was done.
    named = {"name", "title", "source"}
    values = [
        {key: value for key, value in reading.recipe.values().items() if key not in named}
        for reading in readings
    ]
    found = differing([dict(leaves(recipe)) for recipe in values], labels)
    if len(found.different) <= _MOST_SETTINGS:
        return found
    return differing([_sections(recipe) for recipe in values], labels)


def _sections(recipe: dict[str, Any]) -> dict[str, str]:
    words = {}
    for section, values in recipe.items():
        if section == "stages":
            for number, stage in enumerate(values, 1):
                words[f"stage {number}"] = settings(stage)
        elif isinstance(values, dict):
            words[section] = settings(values)
    return words
