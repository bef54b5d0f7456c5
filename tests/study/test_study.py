"""A whole study on small pictures: run, stopped, gone on with, added to, refused."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from facegan.errors import DataError, FaceganError, RunError
from facegan.memory import usable_cores
from facegan.recipe import Recipe
from facegan.report.pages import study_report
from facegan.runs.directory import RunDirectory
from facegan.study.execution import ENVIRONMENT
from facegan.study.folder import StudyFolder
from facegan.study.plan import Plan
from facegan.study.results import Key, StudyResults
from facegan.study.run import adapted, forecast, formatted, study
from facegan.study.trial import TrialFolder
from facegan.study.verdicts import judge
from facegan.study.worker import perform
from facegan.training.speed import costs
from trials_here import trials_here

CORES = len(usable_cores())
# Milliseconds a step.
SHORT = [
    *("training.batch=8", "training.ticks=4", "training.snapshots=1"),
    "training.precision=fp32",
]
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
            "extractors": ["selfsup"],
            **{
                "n": 50,
                "curve": 2,
                "curve_n": 50,
                "curve_n_real": 50,
                "curve_extractor": "selfsup",
            },
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


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials need no process of their own."""
    trials_here(monkeypatch)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, dataset: Path) -> Path:
    """A study that was run to its end, with a thread for each trial. Do not write into it."""
    out = tmp_path_factory.mktemp("studies") / "small"
    with pytest.MonkeyPatch.context() as patch:
        trials_here(patch)
        outcome = study(Plan.from_values(values(dataset, **WHOLE)), out, workers=CORES)
    assert outcome.finished
    study_report(out)
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
    assert page.count('data-verdict="') == len(WHOLE["claims"])
    for quoted in ("Convolution helps.", "A small study"):
        assert quoted in page
    assert page.count("data-failure") == 1
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
    monkeypatch.setattr("facegan.study.execution.local.watched_by_parent", None)
    assert study(Plan.from_values(values(dataset, **WHOLE)), done).finished


def test_a_study_killed_again_and_again_ends_the_same(
    tmp_path: Path, done: Path, dataset: Path
) -> None:
    """SIGKILL, of the study and sometimes of its trials; half of it is done already."""
    plan = tmp_path / "plan.toml"
    plan.write_text(Plan.from_values(values(dataset, **WHOLE)).to_toml(), "utf-8")
    out = tmp_path / "killed"
    # What was measured once is measured once: the two studies have the same speeds.
    out.mkdir()
    for name in ("study.toml", "study.json"):
        (out / name).write_bytes((done / name).read_bytes())
    trials = [result.key for result in StudyFolder(done).results().results]
    for key in trials[:4]:
        folder = StudyFolder(done).trial(key).path
        shutil.copytree(folder, out / folder.relative_to(done))
    command = [sys.executable, "-m", "facegan", "study", str(plan), "--out", str(out)]
    command += ["--workers", str(CORES)]
    for ended in (5, 6):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
        deadline = time.monotonic() + 900
        while len(StudyFolder(out).results().results) < ended:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        if ended == 6:
            for pid in _children(process.pid):
                os.kill(pid, signal.SIGKILL)
        process.kill()
        process.wait()
    finished = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
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


@pytest.mark.usefixtures("inside")
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


@pytest.mark.usefixtures("inside")
def test_a_result_or_a_trial_that_is_not_this_ones_is_made_anew(
    tmp_path: Path, dataset: Path
) -> None:
    """As after copying folders by hand: neither counted, nor in the way."""
    out, plan = tmp_path / "copied", Plan.from_values(values(dataset))
    first = study(plan, out).results
    folder = StudyFolder(out)
    one, two = (folder.trial(key) for key in first.keys)
    shutil.rmtree(two.run)
    shutil.copy(one.result_file, two.result_file)
    assert not folder.results().complete
    second = study(plan, out).results
    assert second.complete
    assert scores(second) == scores(first)
    assert (two.path / "result-of-another.json").exists()
    two.result_file.unlink()
    spec = json.loads(two.spec_file.read_text())
    two.spec_file.write_text("{}")
    one.spec_file.write_text(json.dumps(spec | {"recipe": "damaged"}))
    third = study(plan, out).results
    assert third.complete
    assert scores(third) == scores(first)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"measure": {"n": 5000}}, "at most 55 can be measured"),
        ({"measure": {"n": 50, "extractors": ["efflite9"]}}, "efflite9"),
        ({"datasets": {"faces": "nowhere"}}, "nowhere"),
        ({"methods": {"a": {"recipe": "sagan"}}}, "The method a"),
        ({"methods": {"a": {"recipe": "gan", "mix": ["portraits:60"]}}}, "mix"),
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
    ended = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
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
    # A method with more seeds than the others has what was asked for, too.
    assert adapted(Plan.load("ignm"), {}, 1).seeds_of("ignm") == (0,)
    with pytest.raises(FaceganError, match="no dataset 'face'"):
        adapted(quick, {"face": "mine"})
    two = quick.replaced(datasets={"a": "x", "b": "y"})
    with pytest.raises(FaceganError, match="NAME=DATASET"):
        adapted(two, {"": "mine"})


def test_the_forecast_counts_trials() -> None:
    said = "\n".join(forecast(Plan.load("quick"), workers=1))
    assert "9 trials: 3 methods × 3 seeds × 1 datasets" in said
    assert "4 min 30 s" in said


def test_a_storage_without_a_cluster_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FaceganError, match="s3://bucket/x"):
        study("quick", tmp_path / "out", storage="s3://bucket/x")
    assert not (tmp_path / "out").exists()


TUNING: dict[str, Any] = {
    "trials": 3,
    "budget": "32img",
    "seed": 50,
    "ranges": {
        "stages.*.*.lr": {"low": 0.1, "high": 10, "times": True},
        "training.batch": {"among": [4, 16]},
    },
}


@pytest.mark.usefixtures("inside")
def test_every_method_gets_the_same_search_before_the_comparison(
    tmp_path: Path, dataset: Path
) -> None:
    """Stopped in the middle and gone on with; the settings with the least FD are compared."""
    out = tmp_path / "tuned"
    methods = {
        "gan": {"recipe": "gan", "set": GAN},
        "dcgan": {"recipe": "dcgan", "set": DCGAN, "without": {"flip": ["augment.flip=false"]}},
    }
    tuning = {**TUNING, "ablations": False}
    claims = [{"says": "Better.", "test": "better(dcgan, gan)"}]
    asked = Plan.from_values(
        {**values(dataset), "methods": methods, "tuning": tuning, "claims": claims, "seeds": 1}
    )
    outcome = study(asked, out)
    assert outcome.finished
    folder, results = StudyFolder(out), outcome.results
    assert set(results.tuned) == {"faces/gan", "faces/dcgan"}
    settings = [[trial.settings for trial in found.trials] for found in results.tuned.values()]
    # The method as it is, and the same draws for all.
    assert settings[0] == settings[1]
    assert settings[0][0] == ()
    assert len(set(settings[0])) == 3
    for name, found in results.tuned.items():
        fds = [trial.fd for trial in found.trials]
        assert fds[found.chosen] == min(fds)
        assert [trial.seed for trial in found.trials] == [50, 51, 52]
        assert all(trial.images == 32 and trial.seconds > 0 for trial in found.trials)
        compared = [name.removeprefix("faces/")]
        compared += ["dcgan-without-flip"] if compared == ["dcgan"] else []
        for method in compared:
            spec = folder.trial(Key(dataset="faces", method=method, seed=0)).spec()
            chosen = asked.all_methods()[method].with_settings(found.settings).resolved()
            assert Recipe.parse(spec.recipe).training.batch == chosen.training.batch
            assert Recipe.parse(spec.recipe).stages == chosen.stages
    # As if it had been stopped: two trials of the search lost, and all of the comparison.
    shutil.rmtree(folder.trials)
    for seed in (51, 52):
        lost = folder.tuning_trial(Key(dataset="faces", method="gan", seed=seed))
        lost.result_file.unlink()
    again = study(asked, out).results
    assert scores(again) == scores(results)
    study_report(out)
    rows = list(csv.DictReader((out / "tuning.csv").open()))
    assert len(rows) == 6
    assert [row["chosen"] for row in rows].count("true") == 2
    page = (out / "report.html").read_text("utf-8")
    assert "3 of 3 trials" in page
    assert "that of dcgan" in page
    # From its tables alone, the same.
    verdicts = (out / "claims.csv").read_bytes()
    shutil.rmtree(folder.trials)
    shutil.rmtree(folder.tuning)
    published = folder.results()
    assert [t.chosen for t in published.tuned.values()] == [t.chosen for t in again.tuned.values()]
    study_report(out)
    assert (out / "claims.csv").read_bytes() == verdicts


def test_a_search_that_makes_no_sense_is_refused(dataset: Path) -> None:
    for changes, said in (
        ({"seed": 0}, "would use seeds 0 to 2"),
        ({"ranges": {"generator.depth": {"among": [1, 2]}}}, "methods.gan"),
        ({"ranges": {"training.batch": {"low": 8, "high": 4}}}, "low below high"),
        ({"ranges": {}}, "ranges"),
        ({"ranges": {"method.loss": {"low": 1, "high": 2, "times": True}}}, "nothing can multiply"),
        ({"ranges": {"a.b": {"low": 1, "high": 2, "times": True}}}, "nowhere in the recipe"),
        ({"ranges": {"a.b": {"among": [0, 1], "times": True}}}, "positive number"),
        ({"budget": "soon"}, "soon"),
    ):
        with pytest.raises(FaceganError, match=said):
            Plan.from_values({**values(dataset), "tuning": {**TUNING, **changes}})


@pytest.mark.usefixtures("inside")
def test_a_study_ends_at_the_look_that_decides_it(tmp_path: Path, dataset: Path) -> None:
    """What always diverges is not better: two of four seeds say so, at this level."""
    methods = {name: WHOLE["methods"][name] for name in ("gan", "wild")}
    claims = [{"says": "Wild rates help.", "test": "better(wild, gan)"}]
    asked = {**values(dataset), "methods": methods, "claims": claims, "seeds": 4, "alpha": 0.45}
    out = tmp_path / "looks"
    outcome = study(Plan.from_values({**asked, "judging": {"looks": [2]}}), out)
    assert outcome.finished
    assert len(outcome.results.results) == 4
    assert {result.key.seed for result in outcome.results.results} == {0, 1}
    said = formatted(outcome)
    assert said[0].startswith("evidence against: Wild rates help.")
    assert "a look decided every claim" in said[-1]
    # A claim that was added now carries a mark, and the plan of the first result is kept.
    more = [*claims, {"says": "No worse.", "test": "no_worse(gan, wild)"}]
    again = study(Plan.from_values({**asked, "claims": more, "judging": {"looks": [2]}}), out)
    first = StudyFolder(out).first()
    assert first is not None
    assert [claim.test for claim in first.claims] == ["better(wild, gan)"]
    assert [one.marks for one in judge(again.results)] == [(), ("claim added",)]
    assert "[after results: claim added]" in "\n".join(formatted(again))
