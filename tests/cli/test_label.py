"""`facegan data label` as a person types it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_a_pack_is_labelled_and_shown(
    call: Callable[..., Any], dataset_path: Path, tmp_path: Path
) -> None:
    new = str(tmp_path / "new")
    ended = call("data", "label", str(dataset_path), "--out", new, "--device", "cpu")
    assert ended.status == 0, ended.err
    assert "48 pictures, 41 labels read from each by a network" in ended.out
    shown = call("data", "show", new, "--verify", "--out", str(tmp_path / "sheet.png"))
    assert shown.status == 0, shown.err
    assert "Eyeglasses" in shown.out
    assert "no human labels" in " ".join(shown.out.split())


def test_wrong_input_is_said_without_a_traceback(
    call: Callable[..., Any], content: Callable[[Path], Any], dataset_path: Path, tmp_path: Path
) -> None:
    for words, said in (
        ((str(tmp_path / "absent"),), "There is no dataset"),
        ((str(dataset_path), "--out", str(dataset_path)), "is the dataset itself"),
    ):
        ended = call("data", "label", *words)
        assert ended.status == 2
        assert said in ended.err
        assert "Traceback" not in ended.err
    assert content(tmp_path) == {}
