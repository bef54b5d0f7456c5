"""A whole study on small pictures: run, stopped, gone on with, added to, refused."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from facegan.errors import DataError, FaceganError, RunError
from facegan.runs.directory import RunDirectory
from facegan.study.execution import ENVIRONMENT
from facegan.study.folder import StudyFolder
from facegan.study.plan import Plan
from facegan.study.results import StudyResults
from facegan.study.run import adapted, forecast, study, study_report
from facegan.study.trial import TrialFolder
from facegan.study.worker import perform
from facegan.training.speed import costs

# Milliseconds a step.
SHORT = ["training.batch=8", "training.ticks=4", "training.precision=fp32"]
GAN = ["generator.hidden=[12, 8]", "generator.latent.size=6", "discriminator.hidden=[8]", *SHORT]
DCGAN = ["generator.channels=4", "generator.latent.size=6", "discriminator.channels=4", *SHORT]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory, make_dataset: Callable[..., Path]) -> Path:
    """132 pictures, 110 of them to train on: 50 can be measured beside as many real ones."""
    return make_dataset(tmp_path_factory.mktemp("study") / "blobs", n=132)


def values(dataset: Path, **changes: Any) -> dict[str, Any]:
    return {
        "name": "small",
        "title": "A small study",
        "seeds": 2,
        "budget": "64img",
        "datasets": {"faces": str(dataset)},
        "measure": {
            "extractors": ["efflite0@64"],
            **{"n": 50, "curve": 2, "curve_n": 50, "curve_n_real": 50},
        },
        "methods": {"gan": {"recipe": "gan", "set": GAN}},
        **changes,
    }


WHOLE: dict[str, Any] = {
    "methods": {
        "gan": {"recipe": "gan", "set": GAN},
        "dcgan": {
            "recipe": "dcgan",
            "set": DCGAN,
            "pretraining": {"dataset": "portraits:60", "share": 0.25},
            "without": {"pretraining": {"pretraining": False}},
        },
        "wild": {"recipe": "dcgan", "set": [*DCGAN, "stages.*.*.lr=1e30"]},
    },
    "claims": [
        {"says": "Convolution helps.", "test": "better(dcgan, gan)"},
        {"says": "Pretraining helps.", "test": "ablation(dcgan, without=pretraining)"},
        {"says": "Wild rates help.", "test": "better(wild, gan)"},
        {"says": "It is sooner there.", "test": "faster_to(dcgan, gan, fd=100)"},
    ],
}


@pytest.fixture(autouse=True, scope="module")
def _quick_looks() -> Iterator[None]:
    """How fast a method is matters to no test here."""
    patch = pytest.MonkeyPatch()
    patch.setattr(costs, "_SECONDS", 0.01)
    yield
    patch.undo()


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, dataset: Path) -> Path:
    """A study that was run to its end. Do not write into it."""
    out = tmp_path_factory.mktemp("studies") / "small"
    outcome = study(Plan.from_values(values(dataset, **WHOLE)), out)
    assert outcome.finished
    return out


def scores(results: StudyResults) -> dict[str, Any]:
    """What a trial found, without how long it took."""
    return {
        str(result.key): (
            result.status,
            result.images,
            result.evaluation,
            [(point.images, point.fd) for point in result.curve],
        )
        for result in results.results
    }


def test_every_trial_is_in_the_results(done: Path) -> None:
    results = StudyFolder(done).results()
    assert results.complete
    assert len(results.results) == 2 * 4
    for result in results.results:
        if result.key.method == "wild":
            assert result.status == "failed"
            assert result.error.startswith("Training diverged")
            continue
        assert result.status == "finished"
        assert result.images == 64
        assert [point.images for point in result.curve][-1] == 64
        assert result.generator > 0
        assert result.seconds > 0
        assert result.score("fd") is not None
        assert result.floor("fd") is not None
    first, second = results.of("faces", "gan").values()
    assert first.score("fd") != second.score("fd")


def test_pretraining_is_paid_from_the_same_budget(done: Path) -> None:
    folder = StudyFolder(done)
    plan = folder.plan()
    with_it, without = (
        folder.results().of("faces", name)[0] for name in ("dcgan", "dcgan-without-pretraining")
    )
    assert with_it.images == without.images == 64
    run = RunDirectory(folder.trial(with_it.key).run)
    assert run.provenance()["warm_start"]
    assert run.provenance()["plan"]["images"] == 48
    assert with_it.curve[-1].images == 64  # the pretraining's 16 are counted
    assert "warm_start" not in RunDirectory(folder.trial(without.key).run).provenance()
    assert plan.methods["dcgan"].pretraining is not None


def test_the_page_and_the_tables(done: Path) -> None:
    page = (done / "report.html").read_text("utf-8")
    for said in ("Convolution helps.", "does not hold", "diverged", "A small study"):
        assert said in page
    with (done / "results.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8
    assert {row["status"] for row in rows} == {"finished", "failed"}
    assert "tabular" in (done / "tables.tex").read_text("utf-8")


def test_the_page_can_be_written_again(done: Path) -> None:
    before = (done / "report.html").read_bytes()
    (done / "report.html").unlink()
    assert study_report(done) == done / "report.html"
    assert (done / "report.html").read_bytes() == before


def test_a_finished_study_has_nothing_to_do(
    done: Path, dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facegan.study.execution.local.subprocess.Popen", None)
    assert study(Plan.from_values(values(dataset, **WHOLE)), done).finished


def test_a_study_killed_again_and_again_ends_the_same(
    tmp_path: Path, done: Path, dataset: Path
) -> None:
    """SIGKILL, of the study and sometimes of its trials, at moments spread over its life."""
    plan = tmp_path / "plan.toml"
    plan.write_text(Plan.from_values(values(dataset, **WHOLE)).to_toml(), "utf-8")
    out = tmp_path / "killed"
    # What was measured once is measured once: the two studies have the same speeds.
    out.mkdir()
    for name in ("study.toml", "study.json"):
        (out / name).write_bytes((done / name).read_bytes())
    command = [sys.executable, "-m", "facegan", "study", str(plan), "--out", str(out)]
    for ended in (1, 4):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
        deadline = time.monotonic() + 240
        while len(StudyFolder(out).results().results) < ended:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        if ended == 4:
            for pid in _children(process.pid):
                os.kill(pid, signal.SIGKILL)
        process.kill()
        process.wait()
    finished = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert finished.returncode == 0, finished.stderr
    assert "8 of 8 trials have ended" in finished.stdout
    assert scores(StudyFolder(out).results()) == scores(StudyFolder(done).results())


def _children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in found.read_text().split()] if found.exists() else []


def test_another_plan_is_refused_where_trials_are(done: Path, dataset: Path) -> None:
    before = (done / "study.toml").read_bytes()
    for changes, said in (
        ({"budget": "128img"}, "64img → 128img"),
        ({"measure": {"n": 54}}, "measure.n: 50 → 54"),
        ({"methods": {"gan": {"recipe": "gan", "set": [*GAN, "training.batch=16"]}}}, "batch: 8"),
    ):
        with pytest.raises(RunError) as refused:
            study(Plan.from_values({**values(dataset, **WHOLE), "claims": [], **changes}), done)
        assert said in refused.value.message
    assert (done / "study.toml").read_bytes() == before


def test_a_study_grows_and_mends_itself(tmp_path: Path, dataset: Path) -> None:
    """Refused, mended, run; then with another seed and method, a failure and a damaged file."""
    out = tmp_path / "growing"
    small = {**values(dataset), "seeds": 1}
    with pytest.raises(DataError):
        study(Plan.from_values({**small, "measure": {"n": 5000}}), out)
    first = study(Plan.from_values(small), out).results
    assert first.complete

    methods = {**small["methods"], "other": {"recipe": "gan", "set": [*GAN, "training.batch=4"]}}
    more = Plan.from_values({**small, "seeds": 2, "methods": methods})
    second = study(more, out).results
    assert len(second.results) == 4
    assert second.results[0] == first.results[0]

    folder = StudyFolder(out)
    failed, damaged = second.keys[1], second.keys[2]
    formatted = {"key": failed.model_dump(), "status": "failed", "error": "no luck"}
    folder.trial(failed).result_file.write_text(json.dumps(formatted))
    folder.trial(damaged).result_file.write_text('{"key": ')
    third = study(more, out).results
    assert third.results[1].error == "no luck"
    assert scores(third) | {str(failed): None} == scores(second) | {str(failed): None}
    assert scores(study(more, out, retry_failed=True).results) == scores(second)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"measure": {"n": 5000}}, "at most 55 can be measured"),
        ({"measure": {"n": 50, "extractors": ["efflite9"]}}, "efflite9"),
        ({"datasets": {"faces": "nowhere"}}, "nowhere"),
        ({"methods": {"a": {"recipe": "sagan"}}}, "The method a"),
        ({"methods": {"a": {"recipe": "gan", "mix": ["portraits"]}}}, "mix"),
        ({"methods": {"a": {"recipe": "gan", "set": ["data.labels=['x']"]}}}, "labels"),
        ({"methods": {"a": {"recipe": "gan", "set": ["data.mix=[0.5]"], "mix": ["b"]}}}, "b"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_spent(
    tmp_path: Path, dataset: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(FaceganError) as refused:
        study(Plan.from_values({**values(dataset), **changes}), tmp_path / "out")
    assert said in str(refused.value)
    assert not (tmp_path / "out" / "trials").exists()


def test_what_is_not_the_methods_fault_is_no_failure(tmp_path: Path, done: Path) -> None:
    """A dataset that is gone: no result, and a status that stops the study."""
    trial = TrialFolder(tmp_path / "trial")
    before = StudyFolder(done).trial(StudyFolder(done).results().keys[0]).spec()
    trial.write_spec(before.model_copy(update={"dataset": str(tmp_path / "gone")}))
    with pytest.raises(DataError, match="gone"):
        perform(trial.path)
    assert trial.result() is None
    command = [sys.executable, "-m", "facegan.study.worker", str(trial.path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == ENVIRONMENT
    assert "gone" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_other_datasets_seeds_and_budgets() -> None:
    quick = Plan.load("quick")
    changed = adapted(quick, {"": "mine"}, 5, "2kimg")
    assert changed.datasets == {"faces": "mine"}
    assert changed.seeds == (0, 1, 2, 3, 4)
    assert changed.budget == "2kimg"
    assert adapted(quick, {"faces": "mine"}).datasets == {"faces": "mine"}
    assert adapted(quick, {}) is quick
    with pytest.raises(FaceganError, match="no dataset 'face'"):
        adapted(quick, {"face": "mine"})
    two = quick.replaced(datasets={"a": "x", "b": "y"})
    with pytest.raises(FaceganError, match="NAME=DATASET"):
        adapted(two, {"": "mine"})


def test_the_forecast_counts_trials() -> None:
    said = "\n".join(forecast(Plan.load("quick"), workers=1))
    assert "9 trials: 3 methods × 3 seeds × 1 datasets" in said
    assert "4 min 30 s" in said
