"""Docstrings of facegan as Markdown: a first line, paragraphs, and sections such as Args."""

from __future__ import annotations

import inspect
import re
import textwrap
from typing import Any

_SECTION = re.compile(r"(Args|Attributes|Returns|Yields|Raises):$")
_ENTRY = re.compile(r"([*\w, ]+?)(?: \([^)]*\))?: (.*)", re.DOTALL)


def markdown(text: str | None) -> str:
    """A docstring in Markdown; its sections become lists."""
    lines = inspect.cleandoc(text or "").splitlines()
    parts: list[str] = []
    paragraph: list[str] = []

    def close() -> None:
        if paragraph:
            parts.append(_paragraph(paragraph))
            paragraph.clear()

    place = 0
    while place < len(lines):
        line = lines[place]
        if _SECTION.fullmatch(line):
            close()
            body = []
            place += 1
            while place < len(lines) and (not lines[place] or lines[place].startswith("    ")):
                body.append(lines[place])
                place += 1
            parts.append(_section(line[:-1], textwrap.dedent("\n".join(body)).strip("\n")))
            continue
        if line.strip():
            if paragraph and line.startswith("    ") != paragraph[-1].startswith("    "):
                close()
            paragraph.append(line)
        else:
            close()
        place += 1
    close()
    return "\n\n".join(parts)


def _paragraph(lines: list[str]) -> str:
    if all(line.startswith("    ") for line in lines):
        code = textwrap.dedent("\n".join(lines))
        return f"```text\n{code}\n```"
    return "\n".join(escaped(line) for line in lines)


def escaped(text: str) -> str:
    """Text in which Markdown finds nothing but code and lists."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(
        part if part.startswith("`") else re.sub(r"([\\<>*_\[\]{}$|~#])", r"\\\1", part)
        for part in parts
    )


def _section(name: str, body: str) -> str:
    title = {"Args": "Arguments"}.get(name, name)
    entries = re.split(r"\n(?=\S)", body)
    listed = [_ENTRY.fullmatch(entry.strip()) for entry in entries]
    if name in ("Returns", "Yields") or not all(listed):
        return f"**{title}**: {escaped(' '.join(body.split()))}"
    lines = [
        f"- `{match[1]}`: {escaped(' '.join(match[2].split()))}"
        for match in listed
        if match is not None
    ]
    return "\n".join([f"**{title}**", "", *lines])


def first_line(thing: Any) -> str:
    """What a thing says of itself in a line."""
    return escaped(inspect.cleandoc(thing.__doc__ or "").partition("\n\n")[0].replace("\n", " "))


def signature(name: str, thing: Any) -> str:
    """`name(a, *, b=1) -> c`, a line for each parameter where it is long."""
    try:
        found = inspect.signature(thing)
    except (TypeError, ValueError):
        return name
    if inspect.isclass(thing):
        found = found.replace(return_annotation=inspect.Signature.empty)
    text = _plain(f"{name}{found}")
    if len(text) <= 88:
        return text
    parameters = list(found.parameters.values())
    inner = [_plain(str(each)) for each in parameters]
    kinds = [each.kind.name for each in parameters]
    if "KEYWORD_ONLY" in kinds and "VAR_POSITIONAL" not in kinds:
        inner.insert(kinds.index("KEYWORD_ONLY"), "*")
    end = text.rpartition(")")[2]
    return f"{name}(\n" + "".join(f"    {each},\n" for each in inner) + f"){end}"


def _plain(text: str) -> str:
    """A signature without the quotes around annotations, and without the modules of types."""
    text = re.sub(r"(: |-> )'([^']*)'", r"\1\2", text)
    # Defaults that are no literals: a class by its name, anything else as dots.
    text = re.sub(r"<class '(?:\w+\.)*(\w+)'>", r"\1", text)
    text = re.sub(r"= <[^<>]*>", "= ...", text)
    return re.sub(r"\b(?:facegan|pathlib|collections|numpy|typing)(?:\.\w+)*\.(\w+)", r"\1", text)


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table; cells are Markdown already."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("\n", " ") for cell in line) + " |" for line in lines
    )
