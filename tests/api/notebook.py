"""A stand-in for IPython: what facegan asks of it, and what a page would then show."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any

# In the order in which a notebook prefers them.
SHOWN = ("_repr_html_", "_repr_markdown_", "_repr_svg_", "_repr_png_")


class HTML(str):
    """As IPython.display.HTML."""


class Page:
    """What was displayed: the contents that one place showed, one after the other."""

    def __init__(self) -> None:
        self.places: list[list[str]] = []

    def display(self, content: HTML, display_id: bool = False) -> Any:
        """As IPython.display.display."""
        place = [str(content)]
        self.places.append(place)
        return SimpleNamespace(update=lambda newer: place.append(str(newer)))


@contextmanager
def notebook() -> Iterator[Page]:
    """Code in the block runs as in a notebook's kernel."""
    page, before = Page(), {name: sys.modules.get(name) for name in ("IPython", "IPython.display")}
    package, display = ModuleType("IPython"), ModuleType("IPython.display")
    package.get_ipython = lambda: SimpleNamespace(kernel=object())  # type: ignore[attr-defined]
    display.HTML, display.display = HTML, page.display  # type: ignore[attr-defined]
    package.display, package.version_info = display, (9, 0)  # type: ignore[attr-defined]
    sys.modules |= {"IPython": package, "IPython.display": display}
    try:
        yield page
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def run_cell(source: str, names: dict[str, Any]) -> Any:
    """Run a cell; its value is that of its last expression, as in a notebook."""
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "<cell>", "exec"), names)
    if last is None:
        return None
    return eval(compile(ast.Expression(last.value), "<cell>", "eval"), names)


def shown(value: Any) -> tuple[str, Any]:
    """How a notebook shows a value: by which of its methods, and what that gives."""
    for method in SHOWN:
        if (show := getattr(value, method, None)) is not None and (content := show()) is not None:
            return method, content
    return "repr", repr(value)
