"""ONNX Runtime in the place of PyTorch, for single pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facegan.generation import onnx_engine as quick
from facegan.generation.generator import open_generator
from facegan.generation.inputs import Inputs
from facegan.studio.computing import Computing

for _package in quick._PACKAGES:
    pytest.importorskip(_package, reason=f"{_package} is not installed")


def test_it_is_made_once_and_makes_the_same_pictures(
    labelled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = open_generator(labelled, device="cpu")
    # Which of the two is faster is not the question here.
    rising, falling = iter(range(9)), iter(range(9, 0, -1))
    monkeypatch.setattr(quick, "_seconds", lambda work: next(rising))
    draw = quick.quick_draw(opened)
    assert draw is not None
    z = torch.from_numpy(np.random.default_rng(0).standard_normal((5, 8)).astype(np.float32))
    labels = torch.tensor([[1.0, torch.nan]]).repeat(5, 1)
    expected = opened.pictures_at(z, labels).astype(int)
    assert np.abs(draw(z, labels) - expected).max() <= 1
    monkeypatch.setattr(quick.subprocess, "run", None)
    assert quick.quick_draw(opened) is not None
    # Where it is slower, or computes something else, it is left alone.
    monkeypatch.setattr(quick, "_seconds", lambda work: next(falling))
    assert quick.quick_draw(opened) is None
    monkeypatch.setattr(quick, "_draw", lambda graph, opened: lambda z, labels: expected[:1] + 9)
    assert quick.quick_draw(opened) is None


def test_few_pictures_take_it_and_many_do_not(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    opened = open_generator(model, device="cpu")
    found, asked = threading.Event(), []

    def draw(z: Any, labels: Any) -> Any:
        asked.append(len(z))
        return opened.pictures_at(z, labels)

    def find(opened: Any) -> Any:
        found.set()
        return draw

    monkeypatch.setattr("facegan.studio.computing.quick_draw", find)
    computing = Computing(opened)
    computing.quicken()
    assert found.wait(60)
    z = np.zeros((40, 8), np.float32)
    while not asked:  # the thread that found it has still to say so
        assert computing.ask(Inputs(z[:1])).result(60).shape == (1, 32, 32, 3)
    asked.clear()
    assert computing.ask(Inputs(z)).result(60).shape == (40, 32, 32, 3)
    assert asked == [8]
    computing.close()


@pytest.mark.parametrize("fixture", ["model", "labelled"])
def test_generate_by_onnx_runtime_gives_the_same_faces(
    fixture: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    from facegan.apps.generate import generate
    from facegan.data.pictures import open_picture

    path = request.getfixturevalue(fixture)

    def pictures(engine: Any, n: int, folder: str) -> Any:
        files = generate(path, tmp_path / folder, n=n, seed=7, engine=engine, device="cpu")
        with open_picture(files[0]) as picture:
            said = picture.text["facegan.model"]  # type: ignore[attr-defined]
            assert ("engine: onnx" in said) == (engine == "onnx")
        return np.stack([np.asarray(open_picture(file)) for file in files])

    own, found = pictures("torch", 34, "a"), pictures("onnx", 34, "b")
    assert np.abs(own.astype(int) - found).max() <= 1
    # A seed is one picture, whatever else is asked for.
    assert (pictures("onnx", 3, "c") == found[:3]).all()


def test_onnx_runtime_is_refused_where_it_does_not_compute(model: Path) -> None:
    from facegan.errors import FaceganError

    with pytest.raises(FaceganError, match="bf16"):
        open_generator(model, precision="bf16", engine="onnx")
    with pytest.raises(FaceganError, match="cuda"):
        open_generator(model, device="cuda", engine="onnx")
    with pytest.raises(FaceganError, match="unknown"):
        open_generator(model, engine="tensor")  # type: ignore[arg-type]
