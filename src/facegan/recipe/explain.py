"""Turns pydantic's findings about a recipe into one error that a person can act on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from facegan.errors import RecipeError, nearest, one_line


def explain(
    error: ValidationError, values: Mapping[str, Any], model: type[BaseModel], origin: str
) -> RecipeError:
    """The first finding in full, with the nearest valid key; the others counted."""
    findings = error.errors(include_url=False)
    findings.sort(key=_weight)
    first = findings[0]
    unwritten = first["type"] in ("extra_forbidden", "missing")
    path = _path(first["loc"], values, unwritten)
    place = ".".join(one_line(key, 60) for key in path)
    more = f" ({len(findings) - 1} more finding(s) after this one.)" if len(findings) > 1 else ""
    if first["type"] == "extra_forbidden":
        parent, key = ".".join(one_line(key, 60) for key in path[:-1]), one_line(path[-1], 60)
        kind = _at(path[:-1], values).get("kind")
        hint = nearest(key, _siblings(first["loc"], model))
        if kind is not None:
            hint += (
                " Another kind has other keys: "
                f"""--set "{parent}={{kind='{one_line(kind, 60)}', …}}"."""
            )
        return RecipeError(f"Unknown key {place!r} in {origin}.{more}", hint)
    if first["type"] == "missing":
        return RecipeError(f"{origin} lacks {place!r}.{more}", "Add it, or start from a recipe.")
    if first["type"] == "union_tag_invalid":
        context = first["ctx"]
        tags = [tag.strip().strip("'") for tag in str(context["expected_tags"]).split(",")]
        return RecipeError(
            f"{origin}: {place}.kind is {_short(context['tag'])}.{more}",
            nearest(one_line(context["tag"]), tags),
        )
    if first["type"] == "union_tag_not_found":
        return RecipeError(
            f"{origin}: {place} does not say which kind it is.{more}",
            nearest("", _kinds(first["loc"], model)).replace("Allowed:", "Add kind = one of"),
        )
    return RecipeError(
        f"{origin}: {place} = {_short(first['input'])} is not allowed.{more}", _message(first)
    )


def _weight(finding: ErrorDetails) -> int:
    """What is usually the cause of other findings comes before them.

    An unknown key is; so is a table of an unknown kind. That a table is no number, where a
    number would do as well, is what nobody wants to hear.
    """
    if finding["type"] == "extra_forbidden":
        return 0
    if finding["type"] == "literal_error" and not isinstance(finding["input"], str):
        return 4  # of a word or a number: the number's own finding says more
    table = isinstance(finding["input"], Mapping)
    if table and finding["type"].startswith("union_tag"):
        return 1
    return 3 if table and finding["type"] == "float_type" else 2


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:60]}… ({len(text)} characters)"


def _message(finding: ErrorDetails) -> str:
    text = finding["msg"]
    if finding["type"] == "value_error":  # one of our own, about named values
        return text.removeprefix("Value error, ") + "."
    if finding["type"] == "literal_error":
        expected = str(finding["ctx"]["expected"]).replace("'", "").replace(" or ", ", ")
        return nearest(one_line(finding["input"]), [e.strip() for e in expected.split(",")])
    text = text.replace("Input should", "It should", 1)
    # What JSON calls an object is a table in TOML.
    text = text.replace("an object", "a table, such as --set a.b=value makes")
    return text[0].upper() + text[1:] + "."


def _path(location: tuple[int | str, ...], values: Any, unwritten: bool) -> list[str]:
    """The path as written in the recipe: pydantic's has the names of union members in it.

    Args:
        location: pydantic's.
        values: the recipe.
        unwritten: whether the last key is one that the recipe, or the model, does not have.
    """
    path: list[str] = []
    here: Any = values
    for position, key in enumerate(location):
        in_table = isinstance(here, Mapping) and key in here
        in_list = isinstance(here, list) and isinstance(key, int) and key < len(here)
        if in_table or in_list:
            here = here[key]
        elif not (unwritten and position == len(location) - 1):
            continue  # the name of a union member, which nobody wrote
        path.append(str(key))
    return path


def _at(path: Sequence[str], values: Any) -> Mapping[str, Any]:
    """The table at a path of the recipe."""
    here = values
    for key in path:
        here = here[int(key)] if isinstance(here, list) else here[key]
    return here if isinstance(here, Mapping) else {}


def _kinds(location: tuple[int | str, ...], model: type[BaseModel]) -> list[str]:
    """The kinds that a table may have there."""
    return [
        kind
        for member in _models_within(_walk(location, model))
        if "kind" in member.model_fields
        for kind in getattr(member.model_fields["kind"].annotation, "__args__", ())
    ]


def _siblings(location: tuple[int | str, ...], model: type[BaseModel]) -> list[str]:
    """The keys allowed beside an unknown one."""
    parent = _walk(location[:-1], model)
    if isinstance(parent, type) and issubclass(parent, BaseModel):
        return list(parent.model_fields)
    return []


def _walk(location: tuple[int | str, ...], model: type[BaseModel]) -> Any:
    """The annotation at pydantic's location, past the names that no model has."""
    current: Any = model
    for key in location:
        found = _step(current, key)
        if found is not None:
            current = found
    return current


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
