"""Text of others in a line of ours."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facegan.errors import one_line, printable


@pytest.mark.parametrize("character", "\ufffe\uffff\U0001fffe\ufdd0\x1b\x07\u202e\ud800\x85\u2028")
def test_what_a_terminal_or_a_parser_trips_over_is_a_space(character: str) -> None:
    assert printable(f"a{character}b") == "a b"


@given(st.text(st.characters()))
def test_one_line_is_one_printable_line(text: str) -> None:
    said = one_line(text, 50)
    assert len(said) <= 50
    assert all(unicodedata.category(c) not in ("Cc", "Cs", "Zl", "Zp") for c in said)


def test_ordinary_text_stays() -> None:
    text = "Zoë, 東京: 3 × 4 — नमस्ते"
    assert printable(text) == one_line(text) == text
