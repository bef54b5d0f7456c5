"""Turns pydantic's findings about a recipe into one error that a person can act on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from facegan.errors import RecipeError, nearest


def explain(
    error: ValidationError, values: Mapping[str, Any], model: type[BaseModel], origin: str
) -> RecipeError:
    """The first finding in full, with the nearest valid key; the others counted."""
    findings = error.errors(include_url=False)
    findings.sort(key=_weight)
    first = findings[0]
    place = _place(first["loc"], values)
    more = f" ({len(findings) - 1} more finding(s) after this one.)" if len(findings) > 1 else ""
    if first["type"] == "extra_forbidden":
        allowed = _siblings(first["loc"], model)
        return RecipeError(
            f"Unknown key {place!r} in {origin}.{more}",
            nearest(place.rpartition(".")[2], allowed),
        )
    if first["type"] == "missing":
        return RecipeError(f"{origin} lacks {place!r}.{more}", "Add it, or start from a recipe.")
    if first["type"] == "union_tag_invalid":
        context = first["ctx"]
        tags = [tag.strip().strip("'") for tag in str(context["expected_tags"]).split(",")]
        return RecipeError(
            f"{origin}: {place}.kind is {context['tag']!r}.{more}",
            nearest(str(context["tag"]), tags),
        )
    if first["type"] == "union_tag_not_found":
        return RecipeError(
            f"{origin}: {place} does not say which kind it is.{more}",
            f'Add kind = "…" to {place}; a plain number is also allowed for a rate.',
        )
    return RecipeError(
        f"{origin}: {place} = {first['input']!r} is not allowed.{more}", _message(first)
    )


def _weight(finding: ErrorDetails) -> int:
    """What is usually the cause of other findings comes before them.

    An unknown key is; so is a table of an unknown kind, of which pydantic also says that it
    is no number where a number would do.
    """
    if finding["type"] == "extra_forbidden":
        return 0
    if finding["type"].startswith("union_tag") and isinstance(finding["input"], Mapping):
        return 1
    return 2


def _message(finding: ErrorDetails) -> str:
    text = finding["msg"].removeprefix("Value error, ")
    if finding["type"] == "literal_error":
        expected = str(finding["ctx"]["expected"]).replace("'", "").replace(" or ", ", ")
        return nearest(str(finding["input"]), [e.strip() for e in expected.split(",")])
    text = text.replace("Input should", "It should", 1)
    return text[0].upper() + text[1:] + "."


def _place(location: tuple[int | str, ...], values: Any) -> str:
    """The path as written in the recipe: pydantic's has the names of union members in it."""
    path: list[str] = []
    here: Any = values
    for position, key in enumerate(location):
        in_table = isinstance(here, Mapping) and key in here
        in_list = isinstance(here, list) and isinstance(key, int) and key < len(here)
        if in_table or in_list:
            here = here[key]
        elif position < len(location) - 1 or not isinstance(here, Mapping):
            continue  # the name of a union member, which nobody wrote
        path.append(str(key))
    return ".".join(path)


def _siblings(location: tuple[int | str, ...], model: type[BaseModel]) -> list[str]:
    """The keys allowed beside an unknown one: walk the model along pydantic's location."""
    current: Any = model
    for key in location[:-1]:
        found = _step(current, key)
        if found is not None:
            current = found
    if isinstance(current, type) and issubclass(current, BaseModel):
        return list(current.model_fields)
    return []


def _step(current: Any, key: int | str) -> Any:
    """One step down: into a field, a list item, or the union member of that kind."""
    if isinstance(current, type) and issubclass(current, BaseModel):
        return (
            current.model_fields[str(key)].annotation if str(key) in current.model_fields else None
        )
    models = _models_within(current)
    for member in models:
        kind = member.model_fields.get("kind")
        if kind is not None and key in getattr(kind.annotation, "__args__", ()):
            return member
    if isinstance(key, int) or len(models) == 1:
        return models[0] if models else None
    return None


def _models_within(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for a in getattr(annotation, "__args__", ()) for m in _models_within(a)]
