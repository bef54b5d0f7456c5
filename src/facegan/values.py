"""What every result can do: be a dict, be a table, show itself in a notebook."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from facegan.errors import FaceganError

if TYPE_CHECKING:
    import pandas

T = TypeVar("T")


class Value:
    """A result: `to_dict()` for programs, `to_frame()` for pandas, a table in a notebook."""

    def to_dict(self) -> dict[str, Any]:
        """Everything in it, as dicts, lists, numbers and text that JSON can hold."""
        return {name: plain(value) for name, value in vars(self).items() if name[0] != "_"}

    def rows(self) -> list[dict[str, Any]]:
        """What is worth a table, one dict for each row; the whole as one row by default."""
        return [{k: v for k, v in self.to_dict().items() if not isinstance(v, dict | list)}]

    def to_frame(self) -> pandas.DataFrame:
        """`rows` as a pandas DataFrame. Raises FaceganError where pandas is not installed."""
        return frame(self.rows())

    def _repr_html_(self) -> str:
        return table(self.rows())


class Listing(list[T], Value):
    """A list of results, which is a table besides."""

    def to_dict(self) -> dict[str, Any]:
        """Its entries under their places: `{"0": …, "1": …}`."""
        return {str(place): plain(each) for place, each in enumerate(self)}

    def rows(self) -> list[dict[str, Any]]:
        """One for each entry."""
        return [row for each in self for row in _rows_of(each)]


class Markdown(str):
    """Text in Markdown, which a notebook shows as it is meant."""

    def _repr_markdown_(self) -> str:
        return str(self)


def _rows_of(value: Any) -> list[dict[str, Any]]:
    return value.rows() if isinstance(value, Value) else [{"value": plain(value)}]


def plain(value: Any) -> Any:
    """A value as JSON can hold it."""
    if isinstance(value, Value):
        return value.to_dict()
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, str | int | float | bool | None):
        return value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Sequence | set | frozenset):
        return [plain(each) for each in value]
    if hasattr(value, "__dict__"):
        return {name: plain(each) for name, each in vars(value).items() if name[0] != "_"}
    return str(value)


def frame(rows: Iterable[Mapping[str, Any]]) -> pandas.DataFrame:
    """Rows as a pandas DataFrame. Raises FaceganError where pandas is not installed."""
    try:
        import pandas
    except ImportError as error:
        raise FaceganError(
            f"A frame needs pandas ({error}).",
            "Install it: pip install pandas. Or take .rows(), a list of dicts.",
        ) from error
    return pandas.DataFrame([dict(row) for row in rows])


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as an HTML table; every text in it is escaped."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    head = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{_cell(row.get(name))}</td>" for name in columns) + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return html.escape(f"{value:.4g}" if isinstance(value, float) else str(value))
