"""The files of the page: served one by one by the studio, or all in one by the exported page."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

ENTRY = "main.js"
_IMPORT = re.compile(r"^import\s*\{[^}]*\}\s*from\s*\"\./([\w.-]+)\";\n", re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?function|const|class)", re.MULTILINE)


def _folder(name: str) -> Traversable:
    return resources.files("facegan.studio") / name


@cache
def front(name: str) -> str:
    """A file of the front end: `index.html`, `style.css` or a module."""
    return (_folder("front") / name).read_text("utf-8")


@cache
def modules() -> tuple[str, ...]:
    """The modules in an order in which none uses one that comes later, the entry last."""
    found: list[str] = []

    def visit(name: str) -> None:
        for needed in _IMPORT.findall(front(name)):
            if needed not in found:
                visit(needed)
        if name not in found:
            found.append(name)

    visit(ENTRY)
    return tuple(found)


def script() -> str:
    """All modules as one: the page needs no server, and files may import nothing from files."""
    parts = []
    for name in modules():
        text = _EXPORT.sub("", _IMPORT.sub("", front(name)))
        parts.append(text.strip())
    return "\n".join(parts) + "\n"


def runtime(name: str) -> bytes:
    """A file of ONNX Runtime Web: see scripts/refresh_onnxruntime_web."""
    return (_folder("runtime") / name).read_bytes()
