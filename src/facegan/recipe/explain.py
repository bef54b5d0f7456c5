"""Turns pydantic's findings about a recipe into one error that a person can act on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from facegan.errors import RecipeError, nearest, one_line
from facegan.registry import UNKNOWN, UNSAID, Kinds, unknown_kind


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
        hint = nearest(key, _siblings(first["loc"], values, model))
        if kind is not None:
            hint += f" Another kind has other keys: `{parent}={{kind='{one_line(kind, 60)}', …}}`."
        return RecipeError(f"Unknown key {place!r} in {origin}.{more}", hint)
    if first["type"] == "missing":
        return RecipeError(f"{origin} lacks {place!r}.{more}", "Add it, or start from a recipe.")
    if first["type"] == UNKNOWN:
        got, allowed = str(first["ctx"]["got"]), first["ctx"]["allowed"]
        table = isinstance(first["input"], Mapping)
        said = f"{place}.kind is {got!r}" if table else f"{place} = {_short(got)} is not known"
        return unknown_kind(f"{origin}: {said}.{more}", got, allowed)
    if first["type"] == "union_tag_invalid":
        context = first["ctx"]
        tags = [tag.strip().strip("'") for tag in str(context["expected_tags"]).split(",")]
        return RecipeError(
            f"{origin}: {place}.kind is {_short(context['tag'])}.{more}",
            nearest(one_line(context["tag"]), tags),
        )
    if first["type"] in ("union_tag_not_found", UNSAID):
        kinds = (first.get("ctx") or {}).get("allowed") or _kinds(first["loc"], values, model)
        return RecipeError(
            f"{origin}: {place} does not say which kind it is.{more}",
            nearest("", kinds).replace("Allowed:", "Add kind = one of"),
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
    if table and finding["type"] in ("union_tag_invalid", "union_tag_not_found", UNKNOWN, UNSAID):
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
    text = text.replace("an object", "a table, such as `a.b=value` makes")
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


def _kinds(
    location: tuple[int | str, ...], values: Mapping[str, Any], model: type[BaseModel]
) -> list[str]:
    """The kinds that a table may have there."""
    return [
        kind
        for member in _members(location, values, model)
        for kind in getattr(member.model_fields["kind"].annotation, "__args__", ())
    ]


def _siblings(
    location: tuple[int | str, ...], values: Mapping[str, Any], model: type[BaseModel]
) -> list[str]:
    """The keys allowed beside an unknown one."""
    members = _members(location[:-1], values, model)
    return list(members[0].model_fields) if len(members) == 1 else []


def _members(
    location: tuple[int | str, ...], values: Any, model: type[BaseModel]
) -> list[type[BaseModel]]:
    """The sections that may stand at pydantic's location; one, where the values say which."""
    found: list[type[BaseModel]] = [model]
    here = values
    for key in location:
        if isinstance(here, Mapping) and key in here:
            here = here[key]
            fields = [m.model_fields[str(key)] for m in found if str(key) in m.model_fields]
            found = [
                member
                for field in fields
                for member in _within(field.annotation, field.metadata, here)
            ]
        elif isinstance(here, list) and isinstance(key, int) and key < len(here):
            here = here[key]
            found = _of_kind(found, here)
        else:  # the name of a union's member, which nobody wrote
            found = [m for m in found if key in _names(m)] or found
    return found


def _within(annotation: Any, metadata: Any, here: Any) -> list[type[BaseModel]]:
    """The sections that an annotation allows for a value."""
    for each in metadata:
        if isinstance(each, Kinds):
            return _of_kind(list(each.values()), here, each.default)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    inner = getattr(annotation, "__metadata__", ())
    return [m for a in getattr(annotation, "__args__", ()) for m in _within(a, inner, here)]


def _of_kind(
    members: list[type[BaseModel]], here: Any, default: str | None = None
) -> list[type[BaseModel]]:
    """Those of the kind that a table says; all of them where that is none."""
    kind = here.get("kind", default) if isinstance(here, Mapping) else None
    return [member for member in members if kind in _names(member)] or members


def _names(member: type[BaseModel]) -> tuple[Any, ...]:
    field = member.model_fields.get("kind")
    return () if field is None else getattr(field.annotation, "__args__", ())
