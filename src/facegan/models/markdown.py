"""Text that others wrote, in Markdown and YAML, where none of it can be taken for markup."""

from __future__ import annotations

import json
import re
from typing import Any

_MARKUP = re.compile(r"([\\`*_{}\[\]|~$@])")
_SIGNS = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def escaped(text: object) -> str:
    """One line of plain text as Markdown that shows just that."""
    line = " ".join(str(text).split())
    line = re.sub("[&<>]", lambda sign: _SIGNS[sign[0]], line)
    line = _MARKUP.sub(r"\\\1", line)
    line = re.sub(r"://|(?<=\bwww)\.", lambda link: "\\" + link[0], line, flags=re.IGNORECASE)
    # What would begin a heading, a list or a rule at the beginning of a line.
    return re.sub(r"^([#+=-]|[0-9]+(?=[.)](?:\s|$)))", _unlisted, line)


def _unlisted(begin: re.Match[str]) -> str:
    return f"{begin[0]}\\" if begin[0].isdigit() else f"\\{begin[0]}"


def block(text: str, language: str) -> str:
    """A block of code that the text cannot end."""
    longest = max((len(ticks) for ticks in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.strip()}\n{fence}"


def code(word: str) -> str:
    """A word to type, as code where nothing in it could end that."""
    return f"`{word}`" if re.fullmatch(r"[\w.-]+", word) else escaped(word)


def quoted(text: str) -> str:
    """Text as a JSON string, which YAML reads as the same text."""
    return json.dumps(" ".join(text.split()), ensure_ascii=False)


def table(facts: dict[str, Any]) -> str:
    """Names and values, without those that are None."""
    rows = [
        f"| {name} | {f'{value:,}' if isinstance(value, int) else escaped(value)} |"
        for name, value in facts.items()
        if value is not None
    ]
    return "\n".join(["| | |", "|---|---|", *rows])
