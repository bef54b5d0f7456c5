"""Text that somebody else wrote → values, with limits: the one place that reads JSON and TOML.

Both parsers of the standard library recurse as deeply as a text says, and take time that grows
with the square of a key's dots. Whatever is wrong with a text ends here in a ValueError.
"""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

# Of JSON and TOML: deeper than anything that facegan writes, and far from what Python bears.
DEEPEST = 64
# In characters: the longest recipe or plan is a tenth of it.
LONGEST_TOML = 1 << 18
_MOST_DOTS = 50

_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)
_PART = r"(?:[\w-]++|\"[^\"\n]*\"|'[^'\n]*')"
_LONG_KEY = re.compile(rf"(?<![\w.\"'-])(?:{_PART}[ \t]*\.[ \t]*){{{_MOST_DOTS},}}")


def parse_json(text: str | bytes, longest: int = 1 << 24, deep: bool = True) -> Any:
    """The value that JSON text says.

    Args:
        text: UTF-8.
        longest: characters or bytes, at most.
        deep: whether the depth is looked at; not where only the top of the value is used.

    Raises:
        ValueError: it is not JSON, too long, or nested too deeply.
    """
    if len(text) > longest:
        raise ValueError(f"{len(text):,} characters of JSON; {longest:,} are allowed")
    if isinstance(text, bytes):
        text = text.decode("utf-8")
    if deep:
        _require_shallow(text)
    try:
        return json.loads(text)
    except (RecursionError, MemoryError) as error:
        raise ValueError("it is nested too deeply") from error


def parse_toml(text: str) -> dict[str, Any]:
    """The table that TOML text says.

    Raises:
        ValueError: it is not TOML, too long, or nested too deeply.
    """
    if len(text) > LONGEST_TOML:
        raise ValueError(f"{len(text):,} characters; {LONGEST_TOML:,} are allowed")
    if _LONG_KEY.search(text):
        raise ValueError(f"a key with more than {_MOST_DOTS} dots")
    try:
        return tomllib.loads(text)
    except (RecursionError, MemoryError) as error:
        raise ValueError("it is nested too deeply") from error


def _require_shallow(text: str) -> None:
    depth = 0
    # A text with fewer brackets than that needs no look.
    if text.count("[") + text.count("{") <= DEEPEST:
        return
    for found in _BRACKETS.finditer(text):
        sign = text[found.start()]
        if sign in "[{":
            depth += 1
            if depth > DEEPEST:
                raise ValueError(f"it is nested more than {DEEPEST} deep")
        elif sign in "]}":
            depth -= 1
