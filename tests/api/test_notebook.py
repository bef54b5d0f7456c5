"""Notebooks: progress that they can show, and the examples, run as they stand."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from notebook import notebook, run_cell, shown

import facegan
from facegan.notebook import in_notebook
from facegan.progress import progress_bar

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_a_script_is_no_notebook() -> None:
    assert not in_notebook()
    with notebook():
        assert in_notebook()
    assert not in_notebook()


def test_progress_is_one_bar_that_moves() -> None:
    with notebook() as page, progress_bar("drawing") as progress:
        for done in range(101):
            progress(done, 100)
    (place,) = page.places
    assert re.search(r'<progress [^>]*value="0" max="100"', place[0])
    assert 'value="100" max="100"' in place[-1]
    assert "drawing 100 of 100" in place[-1]


def test_training_shows_a_bar_and_the_newest_faces(
    tiny: Callable[..., Any], dataset_path: Path, tmp_path: Path
) -> None:
    with notebook() as page:
        facegan.train(tiny("dcgan"), dataset_path, tmp_path / "run", loggers=())
    (place,) = page.places
    assert 'value="0" max="192"' in place[0]
    assert 'value="192" max="192"' in place[-1]
    faces = re.findall(r"data:image/png;base64,([^\"]+)", place[-1])
    assert len(faces) == 1
    assert faces[0] not in place[1]  # newer ones have taken the place of the first


# What of the notebook is made smaller: nothing that it shows depends on it.
SMALLER = {
    "n=600": "n=120",
    "n=200": "n=50",
    "6kimg": "320img",
    "1_000": "96",
    '"training.batch=32"': '"training.batch=32", "training.snapshots=2"',
}


def cells() -> list[str]:
    book = json.loads((EXAMPLES / "first-steps.ipynb").read_text("utf-8"))
    assert (book["nbformat"], book["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in book["cells"]}) == len(book["cells"])
    assert not any(cell.get("outputs") for cell in book["cells"])
    return ["".join(cell["source"]) for cell in book["cells"] if cell["cell_type"] == "code"]


def test_the_notebook_runs_and_shows_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    seen = []
    with notebook() as page:
        for source in cells():
            for large, small in SMALLER.items():
                source = source.replace(large, small)
            value = run_cell(source, names)
            if value is not None:
                seen.append(shown(value)[0])
    assert seen.count("_repr_png_") == 4  # three times faces, and the dataset
    assert seen.count("_repr_markdown_") == 1
    assert seen.count("_repr_html_") == 2  # the run, its scores
    assert len(page.places) >= 2
    assert Path("first-run/report.html").exists()


def test_the_script_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    spec = importlib.util.spec_from_file_location("step_by_step", EXAMPLES / "step_by_step.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main("portraits:60@32", "runs/steps", "128img")
    said = capsys.readouterr().out
    assert "half-way: 64 images" in said
    assert "finished: True" in said
    assert {"half-way.png", "faces.png"} <= {path.name for path in Path("runs/steps").iterdir()}
