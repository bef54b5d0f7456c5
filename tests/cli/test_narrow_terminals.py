"""Tables on a terminal that is narrower than they are."""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from facegan.cli.terminal import print_table


@pytest.mark.parametrize("columns", [40, 60])
def test_no_cell_of_a_table_is_cut(
    call: Any, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    wide = call("models")
    monkeypatch.setenv("COLUMNS", str(columns))
    narrow = call("models")
    assert narrow.status == 0
    table, there = (said.out.split("\n\n")[0].splitlines() for said in (wide, narrow))
    assert len(table) >= 2
    assert [line.split() for line in there] == [line.split() for line in table]


def test_what_follows_a_table_has_the_width_of_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    console, table = Console(width=20), Table(box=None)
    table.add_column("figures", no_wrap=True)
    table.add_row("0123456789" * 4)
    print_table(console, table)
    console.print("word " * 10)
    table_lines, others = capsys.readouterr().out.split("9 \n")
    assert "0123456789" * 3 in table_lines
    assert max(len(line) for line in others.splitlines()) <= 20
