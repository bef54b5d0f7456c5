"""`import facegan`: what completes, what is typed, and that results are values."""

from __future__ import annotations

import inspect
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from PIL import Image

import facegan
from facegan.cli import cli
from facegan.errors import FaceganError

# Commands → the function that does the same. A new command needs its line here.
SAME = {
    "demo": None,  # a journey through the others
    "data import": "import_images",
    "data show": None,  # facegan.Dataset.open shows itself
    "data portraits": "draw_portraits",
    "data export": "export_dataset",
    "data label": "label",
    "data doctor": "examine_dataset",
    "data filter": "filter_dataset",
    "evaluate": "evaluate",
    "recipes": "recipes",
    "recipes show": "Recipe",
    "train": "train",
    "generate": "generate",
    "directions": "directions",
    "edit": "edit",
    "film": "film",
    "invert": "invert",
    "models encoder": "prepare_encoder",
    "export": "export_page",
    "studio": "open_studio",
    "serve": "serve",
    "models": "models",
    "models card": "model_card",
    "models labels": "load",
    "models export": "export_model",
    "models pack": "pack_model",
    "models install": "install_model",
    "models push": "push_model",
    "models remove": "remove_model",
    "study": "study",
    "doctor": "doctor",
    "report": "report",
}


def commands(group: click.Group = cli, before: str = "") -> list[str]:
    found = []
    for name, command in group.commands.items():
        if not isinstance(command, click.Group) or command.invoke_without_command:
            found.append(before + name)
        if isinstance(command, click.Group):
            found += commands(command, f"{before}{name} ")
    return found


@pytest.mark.parametrize("command", commands())
def test_every_command_is_a_function(command: str) -> None:
    assert command in SAME, f"{command}: give it a function in facegan, and name it here"
    name = SAME[command]
    if name is not None:
        assert callable(getattr(facegan, name))
        assert name in dir(facegan)


@pytest.mark.parametrize("name", [name for name in dir(facegan) if name != "__version__"])
def test_every_public_name_is_described_and_typed(name: str) -> None:
    found = getattr(facegan, name)
    plain = inspect.unwrap(found) if not inspect.isclass(found) else found
    assert (plain.__doc__ or "").strip()
    if inspect.isfunction(plain):
        signature = inspect.signature(plain)
        assert signature.return_annotation is not inspect.Signature.empty
        for parameter in signature.parameters.values():
            assert parameter.annotation is not inspect.Parameter.empty, parameter


def test_what_editors_see_is_what_python_gives() -> None:
    """The imports for type checkers name the same functions as the table for Python."""
    text = Path(facegan.__file__).read_text("utf-8")
    seen = {}
    for line in text[text.index("TYPE_CHECKING:") : text.index("_PUBLIC")].splitlines():
        words = line.split("#")[0].split()
        if words[:1] == ["from"]:
            seen[words[5]] = f"{words[1]}:{words[3]}"
    table = {
        name: where if ":" in where else f"{where}:{name}"
        for name, where in facegan._PUBLIC.items()
    }
    assert seen == table


def test_star_imports_everything_that_completes() -> None:
    assert sorted(facegan.__all__) == sorted(dir(facegan))


def test_a_verb_stays_one_after_its_package_was_imported() -> None:
    code = (
        "import facegan.report.pages, facegan.study.plan, facegan.models.store, facegan\n"
        "import inspect\n"
        "for name in ('report', 'study', 'models'):\n"
        "    assert callable(getattr(facegan, name)), name\n"
        "assert 'run' in inspect.signature(facegan.report).parameters\n"
        "assert facegan.models()[0].model.name == 'lfw-64'\n"
        "assert facegan.models.store.DEFAULT == 'lfw-64'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)


def test_results_are_dicts_and_tables() -> None:
    for listing in (facegan.models(), facegan.recipes(32)):
        assert json.loads(json.dumps(listing.to_dict()))
        rows = listing.rows()
        assert len(rows) == len(listing)
        html = listing._repr_html_()
        assert html.count("<tr>") == len(rows) + 1


def test_frames_need_pandas_and_nothing_else_does(monkeypatch: pytest.MonkeyPatch) -> None:
    found = facegan.models()
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(FaceganError, match="pandas") as raised:
        found.to_frame()
    assert "rows()" in raised.value.hint
    assert found.rows()[0]["model"] == "lfw-64"


def test_a_frame_has_a_row_for_each() -> None:
    pandas = pytest.importorskip("pandas")
    frame = facegan.models().to_frame()
    assert isinstance(frame, pandas.DataFrame)
    assert frame["model"].tolist()[0] == "lfw-64"


def test_what_others_wrote_cannot_be_markup() -> None:
    from facegan.values import table

    assert "<script>" not in table([{"<b>": "<script>alert(1)</script>"}])
    assert "&lt;script&gt;" in table([{"<b>": "<script>alert(1)</script>"}])


def test_pictures_show_and_save_themselves(tmp_path: Path) -> None:
    generator = facegan.load()
    pictures = generator.sample(5, seed=3, truncation=0.7)
    assert pictures.seeds == [3, 4, 5, 6, 7]
    assert np.asarray(pictures).shape == (5, 64, 64, 3)
    shown = Image.open(io.BytesIO(pictures._repr_png_()))
    assert np.array_equal(np.asarray(shown), pictures.grid())
    assert shown.size == (196, 130)
    one = pictures[1].save(tmp_path / "one.png")
    written = facegan.generate(out=tmp_path / "files", n=1, seed=4, truncation=0.7)
    assert np.array_equal(np.asarray(Image.open(one)), np.asarray(Image.open(written[0])))
    said = Image.open(one).info
    assert said["facegan.seed"] == "4"
    assert said["facegan.model"] == Image.open(written[0]).info["facegan.model"]
    assert [each.seeds for each in pictures[3:]] == [[6], [7]]
    with pytest.raises(IndexError):
        pictures[5]


def test_what_cannot_be_sampled_is_refused() -> None:
    generator = facegan.load()
    for wrong in ({"n": 0}, {"seed": -1}, {"truncation": 2.0}):
        with pytest.raises(FaceganError, match="Allowed"):
            generator.sample(**wrong)  # type: ignore[arg-type]
    with pytest.raises(FaceganError):
        generator.sample(labels={"smiling": 1.0})


def test_a_card_shows_as_the_page_that_it_is() -> None:
    card = facegan.model_card("lfw-64")
    assert card._repr_markdown_().lstrip().startswith("# lfw-64")


def test_a_dataset_shows_its_pictures(dataset_path: Path) -> None:
    dataset = facegan.Dataset.open(dataset_path)
    assert Image.open(io.BytesIO(dataset._repr_png_())).size[0] > 300


@pytest.fixture(scope="module")
def run(tiny: Callable[..., Any], dataset_path: Path, tmp_path_factory: Any, watcher: Any) -> Path:
    path = tmp_path_factory.mktemp("api") / "run"
    outcome = facegan.train(tiny("dcgan"), dataset_path, path, reporter=watcher(), loggers=())
    assert outcome.to_dict()["finished"]
    return path


def test_a_run_is_a_table_of_its_ticks(run: Path) -> None:
    record = facegan.open_run(run)
    rows = record.rows()
    assert [row["images_seen"] for row in rows] == sorted({row["images_seen"] for row in rows})
    assert {"discriminator/adversarial", "img_per_s", "seconds"} <= rows[-1].keys()
    assert rows[-1]["images_seen"] == record.to_dict()["images_seen"] == 192
    assert json.loads(json.dumps(record.to_dict()))["finished"]


def test_a_run_shows_faces_and_curves(run: Path) -> None:
    html = facegan.open_run(run)._repr_html_()
    assert html.count("data:image/png;base64,") == 1
    assert html.count("<svg") >= 3
    assert "--line1" in html


def test_an_evaluation_is_a_table_of_scores(
    make_dataset: Callable[..., Path], tmp_path: Path, run: Path
) -> None:
    real = make_dataset(tmp_path / "real", n=240)
    evaluation = facegan.evaluate(
        run, real, n=50, n_real=100, extractors=["efflite0@32"], faces=False, copying=False
    )
    rows = evaluation.rows()
    assert {row["score"] for row in rows} >= {"fd", "precision"}
    for row in rows:
        assert row["low"] <= row["generated"] <= row["high"]
    assert evaluation.to_dict()["n_fake"] == 50
    # Recorded in the run, and found there.
    ((seen, found),) = facegan.open_run(run).evaluations
    assert (seen, found) == (192, evaluation)


def test_a_machine_is_told_with_reasons() -> None:
    found = facegan.doctor()
    assert found.machine[0].value.startswith(facegan.__version__)
    assert all(choice.why for choice in found.choices)
    assert len(found.rows()) >= 20
    assert json.loads(json.dumps(found.to_dict()))["extras"]
