"""The base of every section of a recipe: frozen, exact about its keys and types."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from facegan.values import Value


class Config(BaseModel, Value):
    """A frozen set of named values. Unknown keys and wrong types are errors, never ignored.

    Each subclass stands beside the code that it configures. Where alternatives exist (a
    network, a penalty, an optimizer), each has its own subclass with a literal `kind`, so
    that a combination which makes no sense cannot be written down.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    def to_dict(self) -> dict[str, Any]:
        """Everything in it, as dicts, lists, numbers and text that JSON can hold."""
        return self.model_dump(mode="json")
