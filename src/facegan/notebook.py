"""Notebooks: whether this is one, and a progress bar that they can show."""

from __future__ import annotations

import base64
import html
import sys
from typing import Any


def in_notebook() -> bool:
    """Whether what is displayed lands in a notebook's page."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and hasattr(shell, "kernel")


class Panel:
    """A place under a cell whose content can be replaced. Needs nothing but IPython."""

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, content: str) -> None:
        """Replace the content by HTML."""
        from IPython.display import HTML, display

        if self._handle is None:
            self._handle = display(HTML(content), display_id=True)
        else:
            self._handle.update(HTML(content))


def bar(done: float, total: float, said: str) -> str:
    """A progress bar with words beside it, as HTML."""
    return (
        f'<progress style="width:16em" value="{done:g}" max="{max(total, 1):g}"></progress> '
        f"<code>{html.escape(said)}</code>"
    )


def picture(png: bytes, about: str, width: int | None = None) -> str:
    """A PNG inside the page, as HTML."""
    size = "" if width is None else f' width="{width}"'
    data = base64.b64encode(png).decode()
    return f'<img alt="{html.escape(about)}"{size} src="data:image/png;base64,{data}">'
