"""What is chosen on a machine, and what is said of machines that lack something."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import facegan
from facegan import device
from facegan.apps import doctor as module
from facegan.cli import main


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor without units for bfloat16."""
    monkeypatch.setattr(device, "has_bf16", lambda where: False)


def chosen(found: module.Doctor) -> dict[str, module.Choice]:
    return {choice.what: choice for choice in found.choices}


def test_precision_follows_the_processor(plain: None) -> None:
    choice = chosen(facegan.doctor())["precision of training"]
    assert choice.chosen == "fp32"
    assert "no units for bfloat16" in choice.why


def test_forms_of_convolutions_follow_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    what = "convolutions that halve or double"
    monkeypatch.setattr(device, "has_bf16", lambda where: where.type == "cpu")
    with_units = chosen(facegan.doctor())[what].chosen
    monkeypatch.setattr(device, "has_bf16", lambda where: False)
    without = chosen(facegan.doctor())[what].chosen
    if device.choose_device("auto").type == "cpu":
        assert "matrix products" in with_units
        assert "matrix products" not in without
    else:
        assert with_units == without == "PyTorch's own"


def test_threads_that_were_asked_for_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert "OMP_NUM_THREADS is 3" in chosen(facegan.doctor())["threads"].why


def test_extras_are_there_only_with_all_their_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec

    def lacks(name: str, package: str | None = None) -> Any:
        return None if name == "pyarrow" else real(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", lacks)
    found = {each.extra: each.installed for each in facegan.doctor().extras}
    assert not found["ray"]
    assert not found["parquet"]
    assert found["hub"] == (real("huggingface_hub") is not None)


def test_a_folder_that_cannot_be_written_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path / "cache"))
    assert not facegan.doctor().problems
    monkeypatch.setattr("os.access", lambda path, mode: False)
    problems = facegan.doctor().problems
    assert any("FACEGAN_CACHE" in problem for problem in problems)
    assert any("FACEGAN_HOME" in problem for problem in problems)


def test_as_a_command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for words, check in ((["doctor"], "This machine"), (["doctor", "--json"], None)):
        monkeypatch.setattr("sys.argv", ["facegan", *words])
        with pytest.raises(SystemExit) as leaving:
            main()
        assert not leaving.value.code
        out = capsys.readouterr().out
        if check is not None:
            assert check in out
        else:
            said = json.loads(out)
            assert said["machine"]["facegan"].startswith(facegan.__version__)


def test_bf16_where_it_is_slower_says_so(
    plain: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from facegan.generation import generator

    monkeypatch.setattr(generator, "slow_bf16", device.slow_bf16)
    facegan.load(precision="bf16", device="cpu")
    assert "bf16 is slower here than fp32" in capsys.readouterr().err
    facegan.load(device="cpu")
    assert capsys.readouterr().err == ""


def test_training_in_bf16_where_it_is_slower_says_so(
    plain: None, tiny: Callable[..., Any], dataset_path: Path, tmp_path: Path, watcher: Any
) -> None:
    watch = watcher()
    recipe = tiny("dcgan", "training.precision=bf16", "training.budget=8img")
    facegan.train(recipe, dataset_path, tmp_path / "run", device="cpu", reporter=watch, loggers=())
    assert sum("bf16 is slower here" in said for said in watch.said) == 1
    other = watcher()
    recipe = tiny("dcgan", "training.precision=fp32", "training.budget=8img")
    facegan.train(recipe, dataset_path, tmp_path / "other", reporter=other, loggers=())
    assert not any("bf16" in said for said in other.said)


def test_bf16_with_units_says_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(device, "has_bf16", lambda where: True)
    facegan.load(precision="bf16", device="cpu")
    assert capsys.readouterr().err == ""
