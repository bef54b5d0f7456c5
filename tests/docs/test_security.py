"""Every promise of docs/security.md names the test that holds it, and each of these is there."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "security.md"


def rows() -> list[list[str]]:
    """The cells of every row of every table, without the heads."""
    lines = PAGE.read_text("utf-8").splitlines()
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line, following in pairwise([*lines, ""])
        if line.startswith("| ") and not following.startswith("|--")
    ]


def missing(name: str) -> str:
    """What is not there of `folder/test_file::test_name`; "" where it is."""
    place, _, function = name.partition("::")
    path = TESTS / f"{place}.py"
    if not path.is_file():
        return f"{path.name} is not there"
    found = re.search(rf"^ *def {function}\(", path.read_text("utf-8"), re.MULTILINE)
    return "" if found else f"{path.name} has no {function}"


def test_there_are_promises() -> None:
    assert len(rows()) > 80


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0][:40])
def test_every_promise_has_its_test(row: list[str]) -> None:
    """One promise in a row, and beside it one test."""
    promise, test = row
    name = re.fullmatch(r"`(\w+/test_\w+::test_\w+)`", test)
    assert promise
    assert name, test
    assert missing(name[1]) == ""


def test_a_test_that_is_not_there_is_noticed() -> None:
    assert missing("docs/test_security::test_there_are_promises") == ""
    assert missing("docs/test_security::test_of_nothing")
    assert missing("docs/test_nothing::test_there_are_promises")
