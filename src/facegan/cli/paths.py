"""Paths on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


class FilePath(click.Path):
    """A path. An empty word is none: a variable that is not set would mean the current folder."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Refuse what is empty."""
        if value == "":
            self.fail("the path is empty; is a variable not set? '.' is the current folder.")
        return super().convert(value, param, ctx)


FILE_PATH = FilePath()
