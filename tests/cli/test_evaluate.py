"""`facegan evaluate` and `facegan report` on a real run, through the real command line."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

SMALL = shlex.split(
    "--set generator.channels=4 --set generator.latent.size=6 --set discriminator.channels=4 "
    "--set training.batch=8 --set training.snapshots=4 --set training.precision=fp32"
)
CHEAP = ["--extractor", "selfsup", "--no-faces"]
SAID = ["--extractor", "efflite0@32", "--no-faces"]  # with all that a page says of it


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, command: Any) -> Path:
    """A folder with a dataset, `drawn`, and a run that was measured on its way, `run`."""
    folder = tmp_path_factory.mktemp("home")
    words = shlex.split("data portraits drawn -n 600 --resolution 32")
    assert command(*words, cwd=folder).status == 0
    small = ["evaluation.extractor=selfsup", "evaluation.n=60", "evaluation.times=2"]
    settings = [word for setting in small for word in ("--set", setting)]
    trained = command(
        *shlex.split("train dcgan --data drawn --run run --budget 256img"),
        *SMALL,
        *settings,
        cwd=folder,
    )
    assert trained.status == 0, trained.err
    assert "the best so far" in trained.err
    return folder


def lines_of(run: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [line for line in lines if "evaluation" in line]


def test_training_measures_and_keeps_the_best(home: Path) -> None:
    found = lines_of(home / "run")
    assert [line["images_seen"] for line in found] == [128, 256]
    for line in found:
        assert line["evaluation"]["training"] is True
        fd = line["evaluation"]["features"][0]["scores"]["fd"]
        assert fd["ratio"] > 1
    best = json.loads((home / "run/best/scores.json").read_text())
    fds = {
        line["images_seen"]: line["evaluation"]["features"][0]["scores"]["fd"]["generated"]["value"]
        for line in found
    }
    assert best["fd"] == min(fds.values()) == fds[best["images_seen"]]
    plan = json.loads((home / "run/provenance.json").read_text())["plan"]
    assert plan["evaluations"] == 2


def test_a_run_is_measured_recorded_and_shown(home: Path, command: Any) -> None:
    before = len(lines_of(home / "run"))
    words = shlex.split("evaluate run --data drawn -n 100 --n-real 200")
    ended = command(*words, *SAID, cwd=home)
    assert ended.status == 0, ended.err
    for fragment in (
        "FD∞ ↓",
        "KID × 10³ ↓",
        "coverage ↑",
        "95 %",
        "combinations of attributes",
        "closest pairs",
    ):
        assert fragment in ended.out, fragment
    assert re.search(r"\b100 .*\b200 .*portraits.* 32 × 32 .*seed 0", ended.out)
    assert "…" not in ended.out.split("efflite0@32:")[0], "a number was cut"
    found = lines_of(home / "run")
    assert len(found) == before + 1
    assert found[-1]["images_seen"] == 256
    assert found[-1]["evaluation"]["training"] is False
    pictures = home / "run/evaluations/000000.256k"
    assert sorted(p.name for p in pictures.iterdir()) == ["closest-generated.png", "closest.png"]
    page = (home / "run/report.html").read_text("utf-8")
    assert "authentic" in page.lower()
    # The same measurement once more says nothing new: it is there once.
    again = command(*words, *SAID, "--json", cwd=home)
    assert again.status == 0, again.err
    assert json.loads(again.out) == found[-1]["evaluation"]
    assert len(lines_of(home / "run")) == before + 1


def test_files_packs_and_folders_are_measured_too(home: Path, call: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(home)
    assert call("data", "portraits", "others", "-n", "120", "--resolution", "32", "--seed", "9")
    assert call("generate", "run", "--out", "made", "-n", "60").status == 0
    assert call("generate", "run", "--out", "packed", "-n", "60", "--dataset").status == 0
    last = sorted((home / "run/checkpoints").glob("*k"))[-1] / "generator.safetensors"
    common = ["--data", "drawn", "-n", "60", *CHEAP, "--no-copying", "--json"]
    scores = {}
    for source in ("others", "made", "packed", str(last), "run"):
        ended = call("evaluate", source, *common, "--no-record")
        assert ended.status == 0, ended.err
        found = json.loads(ended.out)
        scores[source] = found["features"][0]["scores"]["fd"]["generated"]["value"]
        assert found["n_fake"] == 60
        assert found["modes"]["modes"] == 252
    assert scores["others"] < scores["run"] / 5
    assert scores["made"] == pytest.approx(scores["run"], rel=1e-3)  # PNG files keep every pixel
    assert scores["packed"] == pytest.approx(scores["run"], rel=1e-6)
    assert scores[str(last)] == pytest.approx(scores["run"], rel=1e-6)


def test_a_damaged_checkpoint_is_passed_over_aloud(
    home: Path, call: Any, monkeypatch: Any, tmp_path: Path
) -> None:
    monkeypatch.chdir(home)
    shutil.copytree(home / "run", tmp_path / "run")
    newest = max((tmp_path / "run/checkpoints").glob("*k"))
    (newest / "generator.safetensors").write_bytes(b"damaged")
    words = f"evaluate {tmp_path / 'run'} --data drawn -n 60 --no-copying --no-record --json"
    ended = call(*shlex.split(words), *CHEAP)
    assert ended.status == 0, ended.err
    assert f"Checkpoint {newest.name} is damaged" in ended.err
    assert json.loads(ended.out)["source"].endswith("at 0.192 kimg")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("evaluate nowhere --data drawn", "does not exist"),
        ("evaluate run --data drawn -n 5000", "Ask for -n 270"),
        ("evaluate run --data drawn -n 10", "too few"),
        ("evaluate run --data drawn --extractor eflite0", "efflite0"),
        ("evaluate run --data drawn --extractor efflite0@100", "32"),
        ("evaluate run --data drawn --extractor mine.toml", "mine.toml"),
        ("evaluate run --data drawn --extractor faces --extractor faces", "twice"),
        ("evaluate drawn --data drawn --best", "not a run"),
        ("evaluate run/best/generator.safetensors --data drawn --best", "not a run"),
        ("evaluate run --data small", "32×32"),
        ("evaluate run --data nowhere", "no dataset"),
        ("evaluate run --data drawn --n-real 5 -n 60", "50 or more"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_two_lines(
    home: Path, call: Any, monkeypatch: Any, words: str, says: str
) -> None:
    monkeypatch.chdir(home)
    if not (home / "small").exists():
        call("data", "portraits", "small", "-n", "240", "--resolution", "16")
    ended = call(*shlex.split(words), *([] if "--extractor" in words else CHEAP))
    assert ended.status not in (0, 1), ended.err
    assert says in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("name", ["nothing", "mine.toml"])
def test_an_extractor_that_is_not_there_stops_a_run_before_it_begins(
    home: Path, call: Any, monkeypatch: Any, name: str
) -> None:
    monkeypatch.chdir(home)
    ended = call(
        *shlex.split("train dcgan --data drawn --run never --budget 64img"),
        *SMALL,
        "--set",
        f"evaluation.extractor={name}",
    )
    assert ended.status == 2
    assert name in ended.err
    assert not (home / "never").exists()
