"""Errors of the library, as somebody who typed a command reads them."""

from __future__ import annotations

import click
import pytest

from facegan.cli import cli
from facegan.cli.wording import as_typed
from typed import call


def command(*words: str) -> click.Command:
    found: click.Command = cli
    for word in words:
        assert isinstance(found, click.Group)
        found = found.commands[word]
    return found


@pytest.mark.parametrize(
    ("words", "text", "typed"),
    [
        (("train",), "Leave `start_from` out.", "Leave --from out."),
        (("edit",), "Leave `start` out.", "Leave --from out."),
        (("models", "pack"), "Give another `out`.", "Give another --out."),
        (("models", "export"), "Choose another `model`.", "Choose another MODEL."),
        # An option of other commands, which all call it the same; and one which they do not.
        (("train",), "Import with `holdout`.", "Import with --holdout."),
        (("train",), "Import with `labels`.", "Import with `labels`."),
        (("train",), "Try `training.batch=32`.", "Try --set training.batch=32."),
        (("train",), "Try `stages.*.*.lr=1e-4`.", "Try --set stages.*.*.lr=1e-4."),
        (("train",), "Try `a={kind='b', …}`.", "Try --set \"a={kind='b', …}\"."),
        (("train",), "Run `facegan data show X`, or `nothing`.", None),
    ],
)
def test_parameters_become_what_is_typed(
    words: tuple[str, ...], text: str, typed: str | None
) -> None:
    assert as_typed(text, command(*words), cli) == (text if typed is None else typed)


def test_a_refused_command_is_told_in_its_own_words(tmp_path: object) -> None:
    ended = call("generate", "--out", "x", "--truncation", "2")
    assert ended.status != 0
    assert "--truncation 2 is outside" in ended.err
    assert "`" not in ended.err
