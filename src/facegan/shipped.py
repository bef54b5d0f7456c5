"""TOML files that come with the package, called by their names, and a user's, by their paths."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from facegan.errors import RecipeError, nearest, one_line
from facegan.parsing import parse_toml


@dataclass(frozen=True)
class Shipped:
    """The TOML files of one folder, and how to find others of their kind.

    Attributes:
        kind: what they are, as errors say it: `recipe`.
        folder: where they lie in the package, with `/` between names.
        example: a command that shows a valid one.
        first: names that `names` begins with, as far as there are such files.
    """

    kind: str
    folder: str
    example: str
    first: tuple[str, ...] = ()

    def names(self) -> list[str]:
        """All of them, without their ending."""
        names = {each.name[:-5] for each in self._place().iterdir() if each.name.endswith(".toml")}
        return [name for name in self.first if name in names] + sorted(names - set(self.first))

    def text(self, name: str) -> str:
        """The TOML of one of them, comments included."""
        return (self._place() / f"{name}.toml").read_text("utf-8")

    def find(self, name_or_path: str | Path) -> tuple[str, str]:
        """The TOML of a shipped one by its name, or of a file by its path.

        Returns:
            The text, and what errors should call it.

        Raises:
            RecipeError: there is none of that name, or the file cannot be read.
        """
        text = str(name_or_path)
        if "/" not in text and "\\" not in text and not text.endswith(".toml"):
            if text in self.names():
                return self.text(text), text
            hint = nearest(text, self.names())
            if Path(f"{text}.toml").is_file():
                hint = f"There is a file {text}.toml: add its ending."
            raise RecipeError(f"There is no {self.kind} {text!r}.", hint)
        try:
            return Path(name_or_path).read_text("utf-8"), text
        except (OSError, UnicodeDecodeError) as error:
            raise RecipeError(
                f"The {self.kind} file {text} cannot be read: {error}.",
                f"Give a TOML file, or the name of a shipped {self.kind}: "
                f"{', '.join(self.names())}.",
            ) from error

    def values(self, text: str, origin: str) -> dict[str, Any]:
        """What TOML text says.

        Args:
            text: of a file.
            origin: names it in errors.

        Raises:
            RecipeError: it is not valid TOML.
        """
        try:
            return parse_toml(text)
        except ValueError as error:
            raise RecipeError(
                f"{origin} is not valid TOML: {one_line(error)}.",
                f"Compare it with '{self.example}'.",
            ) from error

    def _place(self) -> Traversable:
        return resources.files("facegan").joinpath(*self.folder.split("/"))
