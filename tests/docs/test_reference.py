"""Docstrings and signatures as the reference shows them."""

from __future__ import annotations

import inspect
import sys

import pytest
from documents import ROOT

sys.path.insert(0, str(ROOT / "docs/_site"))
import docstrings

import facegan


def example(a: int, *, b: str = "auto", c: tuple[int, ...] = ()) -> list[int]:
    """Do something with `a`, <not> markup.

    A second paragraph of
    two lines.

        code_of(this)

    Args:
        a: a number, in
            pixels.
        b: one of `auto`, `cpu`.

    Returns:
        What came of it.

    Raises:
        ValueError: never.
    """
    return [a]


def test_sections_become_lists_and_text_stays_text() -> None:
    text = docstrings.markdown(example.__doc__)
    assert text.startswith("Do something with `a`, \\<not\\> markup.")
    assert "```text\ncode_of(this)\n```" in text
    assert "- `a`: a number, in pixels.\n- `b`: one of `auto`, `cpu`." in text
    assert "**Returns**: What came of it." in text
    assert "- `ValueError`: never." in text
    assert docstrings.first_line(example) == "Do something with `a`, \\<not\\> markup."


def test_signatures_are_as_one_writes_them() -> None:
    shown = docstrings.signature("example", example)
    assert shown == "example(a: int, *, b: str = 'auto', c: tuple[int, ...] = ()) -> list[int]"
    long = docstrings.signature("train", facegan.train)
    assert "\n    *,\n    budget: str | None = None,\n    device: str = 'auto',\n" in long
    assert long.endswith(") -> Outcome")
    assert "make_watch: MakeWatch = LineWatch,\n" in docstrings.signature(
        "study", inspect.unwrap(facegan.study)
    )
    assert docstrings.signature("Training", facegan.Training).endswith("\n)")


@pytest.mark.parametrize("text", ["| a | b", "a *b* _c_ [d](e) {f}", "<script>", "$x$", "# no"])
def test_no_text_is_taken_for_markup(text: str) -> None:
    escaped = docstrings.escaped(text)
    for sign in "|*_[{<$#":
        assert sign not in escaped.replace("\\" + sign, "")
    assert escaped.replace("\\", "") == text
