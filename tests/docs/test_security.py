"""Every promise of docs/security.md names the test that holds it, and each of these is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "security.md"


def rows() -> list[list[str]]:
    """The cells of every row of every table, without the heads."""
    lines = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [each for each in cells if each[0] != "what"]


def missing(name: str) -> str:
    """What is not there of `folder/test_file::test_name`; "" where it is."""
    place, _, function = name.partition("::")
    path = TESTS / f"{place}.py"
    if not path.is_file():
        return f"{path.name} is not there"
    found = re.search(rf"^ *def {function}\(", path.read_text("utf-8"), re.MULTILINE)
    return "" if found else f"{path.name} has no {function}"


def test_there_are_promises() -> None:
    assert len(rows()) > 25


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0][:40])
def test_every_promise_has_its_test(row: list[str]) -> None:
    """As many tests as promises, in the same order, with a semicolon between them."""
    tests = row[-1].split("; ")
    names = [re.fullmatch(r"`(\w+/test_\w+::test_\w+)`", each) for each in tests]
    assert all(names), row[-1]
    assert [why for each in names if each and (why := missing(each[1]))] == []
    assert len(row[-2].split("; ")) == len(tests)


def test_a_test_that_is_not_there_is_noticed() -> None:
    assert missing("docs/test_security::test_there_are_promises") == ""
    assert missing("docs/test_security::test_of_nothing")
    assert missing("docs/test_nothing::test_there_are_promises")
