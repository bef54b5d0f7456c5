"""Trials as jobs: by submitit on this machine, and through the programs of a SLURM."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import slurm
from test_local import WORKER, Seen, give_up, trials

import facegan
from facegan.errors import DeviceError, FaceganError, TrainingError
from facegan.study.execution import ATTEMPTS, ENVIRONMENT, node, on_slurm
from facegan.study.execution.on_slurm import FileDesk, Job, minutes, settings
from facegan.study.plan import Plan

submitit = pytest.importorskip(
    "submitit", reason="submitit is not installed: pip install 'facegan[slurm]'"
)

# Lives that the other stand-in does not have: one that keeps what it has, and asks to be stopped.
MORE = """
if what == "progress":
    (folder / f"run/checkpoints/{life + 1:06}.000k").mkdir(parents=True, exist_ok=True)
    what = "wait"
"""


@pytest.fixture
def worker(tmp_path: Path) -> list[str]:
    script = tmp_path / "worker.py"
    script.write_text(WORKER.replace('if what == "crash"', f'{MORE}if what == "crash"'), "utf-8")
    return [str(script)]


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A SLURM of this machine, found on the path."""
    # submitit remembers jobs by their numbers, and every cluster here begins at 100.
    submitit.SlurmJob.watcher.clear()
    home = tmp_path / "cluster"
    programs = slurm.install(home)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    return home


@pytest.fixture
def start(tmp_path: Path, worker: list[str]) -> Callable[..., Seen]:
    def begin(folders: list[Path], local: bool = True, **options: Any) -> Seen:
        for folder in folders:
            (folder / "trial.json").write_text(json.dumps({"dataset": "portraits"}), "utf-8")
        seen = Seen()
        asked = options.pop("asked", {})
        options.setdefault("look", 0.2)
        on_slurm.run(
            folders,
            asked,
            1,
            0,
            seen,
            give_up,
            local=local,
            arguments=worker,
            every=0.05,
            **options,
        )
        return seen

    return begin


def until(there: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 300  # only so that what never comes is not waited for for ever
    while not there():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def aside(do: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=do, daemon=True)
    thread.start()
    return thread


def lives(folder: Path) -> int:
    return int((folder / "lives").read_text() or 0)


def test_all_end(tmp_path: Path, start: Callable[..., Seen]) -> None:
    folders = trials(tmp_path, a="end", b="end", c="end")
    seen = start(folders, at_once=2)
    assert all((folder / "result.json").read_text() == "1" for folder in folders)
    assert sorted(event for event in seen.events if event.startswith("ended")) == [
        "ended a",
        "ended b",
        "ended c",
    ]
    assert seen.most <= 2


def test_who_crashes_again_and_again_is_given_up(
    tmp_path: Path, start: Callable[..., Seen]
) -> None:
    folders = trials(tmp_path, a="crash end", b="abort", c="end")
    start(folders)
    assert (folders[0] / "result.json").read_text() == "1"
    assert lives(folders[0]) == 2
    assert lives(folders[1]) == ATTEMPTS
    assert f"{ATTEMPTS} times" in (folders[1] / "result.json").read_text()


def test_what_is_no_fault_of_a_trial_ends_the_study(
    tmp_path: Path, start: Callable[..., Seen], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FULL", str(ENVIRONMENT))
    folders = trials(tmp_path, a="full", b="wait")
    with pytest.raises(TrainingError, match="could not go on"):
        start(folders)
    assert not (folders[0] / "result.json").exists()


def test_a_stop_saves_and_the_next_call_goes_on(tmp_path: Path, start: Callable[..., Seen]) -> None:
    folders = trials(tmp_path, a="wait end", b="end")

    def stop() -> None:
        until((folders[0] / "waits").exists)
        os.kill(os.getpid(), signal.SIGINT)

    aside(stop)
    with pytest.raises(KeyboardInterrupt):
        start(folders)
    assert (folders[0] / "saved").exists()
    start([folder for folder in folders if not (folder / "result.json").exists()])
    assert all((folder / "result.json").exists() for folder in folders)


def test_jobs_of_slurm_are_asked_for_what_was_said(
    tmp_path: Path, cluster: Path, start: Callable[..., Seen]
) -> None:
    folders = trials(tmp_path, a="end", b="crash end")
    asked = settings("partition=cpu,time=1:30:00,mem=2G,account=faces")
    start(folders, local=False, asked=asked)
    assert all((folder / "result.json").exists() for folder in folders)
    lines = set(slurm.scripts(cluster)[0].splitlines())
    assert {
        "#SBATCH --partition=cpu",
        "#SBATCH --time=90",
        "#SBATCH --mem=2G",
        "#SBATCH --account=faces",
        "#SBATCH --cpus-per-task=1",
        "#SBATCH --signal=USR2@120",
    } <= lines
    assert len(slurm.jobs(cluster)) == 3


def test_a_lost_node_counts_only_where_nothing_was_learned(
    tmp_path: Path, cluster: Path, start: Callable[..., Seen]
) -> None:
    """More often than a trial may crash, a node is lost after progress; the trial goes on."""
    (folder,) = trials(tmp_path, a=" ".join([*["progress"] * (ATTEMPTS + 1), "end"]))

    def lose() -> None:
        for life in range(1, ATTEMPTS + 2):
            until(lambda life=life: (folder / "lives").exists() and lives(folder) == life)
            until((folder / "waits").exists)
            (folder / "waits").unlink()
            slurm.lose(cluster, list(slurm.jobs(cluster))[-1])

    aside(lose)
    seen = start([folder], local=False)
    assert (folder / "result.json").read_text() == "1"
    assert lives(folder) == ATTEMPTS + 2
    assert any("NODE_FAIL" in event and "3 kimg" in event for event in seen.events)


def test_before_its_time_is_over_a_job_saves_and_is_queued_again(tmp_path: Path) -> None:
    """What submitit calls when SLURM warns it."""
    code = (
        "import signal, sys, time\n"
        "signal.signal(15, lambda *a: sys.exit(143))\n"
        "print(1, flush=True)\n"
        "time.sleep(600)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    job = Job(FileDesk(tmp_path), None)  # type: ignore[arg-type]
    node.RUNNING.append(process)
    try:
        again = job.checkpoint()
    finally:
        node.RUNNING.remove(process)
    assert process.returncode == 143
    assert again.function == job


def test_jobs_that_a_killed_study_left_are_cancelled(
    tmp_path: Path, cluster: Path, start: Callable[..., Seen]
) -> None:
    script = tmp_path / "left.sh"
    script.write_text("sleep 600\n", "utf-8")
    subprocess.run(["sbatch", str(script)], check=True, capture_output=True)
    ((left, state),) = slurm.jobs(cluster).items()
    assert state == "RUNNING"
    folders = trials(tmp_path, a="end", b="end")
    (tmp_path / "slurm").mkdir()
    (tmp_path / "slurm/jobs").write_text(f"{left}\n", "utf-8")
    start(folders, local=False)
    assert slurm.jobs(cluster)[left] == "CANCELLED"
    assert all((folder / "result.json").exists() for folder in folders)
    assert (tmp_path / "slurm/jobs").read_text() == ""


def test_without_slurm_it_is_said(
    tmp_path: Path, start: Callable[..., Seen], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DeviceError, match="no SLURM"):
        start(trials(tmp_path, a="end"), local=False)


def test_without_submitit_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(DeviceError) as raised:
        facegan.study("quick", slurm="")
    assert "facegan[slurm]" in raised.value.hint


def test_ray_and_slurm_at_once_are_refused() -> None:
    with pytest.raises(FaceganError, match="both"):
        facegan.study("quick", slurm="", ray="local")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(("90", 90), ("4:00:00", 240), ("90:30", 91), ("1-12", 2160), ("1-12:30", 2190)),
        *(("0:00:01", 1), ("2-00:00:00", 2880)),
    ],
)
def test_time_limits(text: str, expected: int) -> None:
    assert minutes(text) == expected


@pytest.mark.parametrize("text", ["soon", "", "1:2:3:4", "-5"])
def test_what_is_no_time_limit(text: str) -> None:
    with pytest.raises(DeviceError, match="time limit"):
        minutes(text)


def test_options_of_sbatch() -> None:
    assert settings("partition=a, --mem=8G,mail-type=END") == {
        "partition": "a",
        "mem": "8G",
        "mail-type": "END",
    }
    assert settings("") == {}
    for wrong in ("report", "partition=", "=a", "Par tition=a"):
        with pytest.raises(DeviceError, match="not understood"):
            settings(wrong)


def test_a_whole_study(tmp_path: Path, make_dataset: Callable[..., Path]) -> None:
    """Trained and measured in jobs, with the verdicts and the page of any study."""
    data = make_dataset(tmp_path / "data", n=240)
    text = Plan.load("quick").to_toml()
    plan = tmp_path / "plan.toml"
    plan.write_text(text, "utf-8")
    small = Plan.load(str(plan)).replaced(
        name="small",
        budget="32img",
        seeds=[0],
        datasets={"faces": str(data)},
        measure={"n": 50, "n_real": 60, "curve": 0, "extractors": ["efflite0@32"]},
        methods={
            name: {
                "recipe": "gan",
                "set": [f"generator.hidden=[{width}]", "discriminator.hidden=[8]"],
            }
            for name, width in (("narrow", 4), ("wide", 8))
        },
        claims=[{"says": "Width helps.", "test": "better(wide, narrow)"}],
    )
    outcome = facegan.study(small, tmp_path / "study", slurm="local")
    assert outcome.finished
    assert {row["status"] for row in outcome.rows()} == {"finished"}
    assert [one.claim.says for one in outcome.verdicts()] == ["Width helps."]
