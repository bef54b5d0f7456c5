"""Trials on a real Ray cluster of this machine: a head without cores, and nodes of one core.

Each node has a cache of its own, and so its own datasets and scratch folders: what a trial has
reaches it through the keeper alone. The trial is a stand-in that counts its steps and keeps its
files as a training run does, so that only what is tested here takes time.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from facegan.data.dataset import Dataset
from facegan.errors import DeviceError, FaceganError, TrainingError
from facegan.runs import checkpoint
from facegan.runs.journal import Journal
from facegan.study.execution import cluster as clusters
from facegan.study.execution import on_ray
from facegan.study.plan import Measurement
from facegan.study.results import Key, Speed
from facegan.study.trial import TrialFolder, TrialSpec

pytest.importorskip("ray", reason="Ray is not installed: pip install 'facegan[ray]'")

# In its `trial.json`: `steps`; `hold`, the step at which a trial that began from nothing waits
# for a signal; `exit`, the status with which it ends instead of going on after its first step.
TRIAL = """
import hashlib, json, os, shutil, signal, sys, threading
from pathlib import Path
from facegan.files import new_folder, remove_parts, write_json
from facegan.runs.journal import Journal

folder = Path(sys.argv[1])
spec = json.loads((folder / "trial.json").read_text("utf-8"))
asked = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: asked.set())
def leash():
    while os.read(0, 1):
        pass
    asked.set()
if os.environ["FACEGAN_LEASH"]:
    threading.Thread(target=leash, daemon=True).start()

run = folder / "run"
checkpoints, journal = run / "checkpoints", Journal(run / "metrics.jsonl")
checkpoints.mkdir(parents=True, exist_ok=True)
def saved():
    return sorted(int(float(p.name[:-1])) for p in checkpoints.glob("[0-9]*k"))
def place(step):
    return checkpoints / f"{step:06}.000k"
begun = (saved() or [0])[-1]
journal.rewind(begun * 1000)
print(f"from step {begun} under {os.getppid()}", flush=True)
for step in range(begun + 1, spec["steps"] + 1):
    if begun == 0 and step == spec.get("hold"):
        asked.wait(300)
    if asked.is_set():
        sys.exit(143)
    journal.append({"images_seen": step * 1000, "loss": 1 / step})
    with new_folder(place(step)) as beside:
        state = str(step).encode() * 100_000
        (beside / "state.safetensors").write_bytes(state)
        sums = {"state.safetensors": hashlib.sha256(state).hexdigest()}
        manifest = {"images_seen": step * 1000, "sha256": sums, "extra": {}}
        (beside / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    for old in saved()[:-2]:
        shutil.rmtree(place(old))
    if "exit" in spec:
        print("something is wrong", flush=True)
        sys.exit(spec["exit"])
files = {
    p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
    for p in sorted(run.rglob("*")) if p.is_file()
}
seen = {"begun": begun, "files": files, "spec": spec, "cache": os.environ["FACEGAN_CACHE"]}
write_json(folder / "result.json", seen)
"""


class Nodes:
    """The cluster, and its two nodes that can be lost."""

    def __init__(self, folder: Path) -> None:
        from ray.cluster_utils import Cluster

        self._folder, self._count = folder, 0
        head = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": 10**8}
        self._cluster = Cluster(True, head_node_args=head)
        self.address: str = self._cluster.address

    def complete(self) -> None:
        """Have two nodes again."""
        while len(self._cluster.worker_nodes) < 2:
            self._count += 1
            cache = {"FACEGAN_CACHE": str(self._folder / f"cache-{self._count}")}
            self._cluster.add_node(num_cpus=1, object_store_memory=10**8, env_vars=cache)

    def lose(self, where: str) -> None:
        """Kill the node of which a watch was told."""
        (node,) = (n for n in self._cluster.worker_nodes if n.node_id[:6] in where)
        self._cluster.remove_node(node, allow_graceful=False)

    def caches(self) -> list[Path]:
        return sorted(self._folder.glob("cache-*"))

    def end(self) -> None:
        self._cluster.shutdown()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Nodes]:
    clusters.load()
    # Ray's sockets are in it, and their paths may not be long.
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp" if sys.platform != "win32" else None))
    (folder / "ray").mkdir()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("RAY_TMPDIR", str(folder))
            nodes = Nodes(folder)
            yield nodes
            nodes.end()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def two(cluster: Nodes) -> Nodes:
    cluster.complete()
    return cluster


class Recorder:
    """A watch that remembers, and does something once when a moment has come."""

    def __init__(
        self, moment: Callable[[], bool] = lambda: False, act: Callable[[], None] = lambda: None
    ) -> None:
        self.began: list[tuple[Path, str]] = []
        self.finished: list[Path] = []
        self.words: list[str] = []
        self._moment, self._act, self._acted = moment, act, False

    def started(self, folder: Path, where: str) -> None:
        self.began.append((folder, where))

    def ended(self, folder: Path) -> None:
        self.finished.append(folder)

    def said(self, message: str) -> None:
        self.words.append(message)

    def tick(self) -> None:
        if not self._acted and self._moment():
            self._acted = True
            self._act()


def make(study: Path, name: str, **spec: Any) -> Path:
    folder = study / "trials" / name
    folder.mkdir(parents=True)
    values = {"dataset": "portraits:200@16", "mix": [], "pretraining": None, "steps": 5, **spec}
    (folder / "trial.json").write_text(json.dumps(values), "utf-8")
    return folder


def never(folder: Path, message: str) -> None:
    raise AssertionError(f"{folder} was given up: {message}")


def go(
    nodes: Nodes, trials: list[Path], watch: Recorder, give_up: Callable[[Path, str], None] = never
) -> None:
    arguments = ("-c", TRIAL)
    on_ray.run(trials, nodes.address, 1, 0, watch, give_up, arguments, every=0.1)


def result(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "result.json").read_text("utf-8"))
    return found


def assert_whole(folder: Path) -> None:
    """The trial's folder is what the node had when it wrote the result, and nothing else."""
    sums = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((folder / "run").rglob("*"))
        if path.is_file()
    }
    assert sums == result(folder)["files"]
    names = {path.name for path in folder.iterdir()}
    assert names == {"trial.json", "run", "log.txt", "result.json"}
    steps = result(folder)["spec"]["steps"]
    assert Journal(folder / "run" / "metrics.jsonl").lines() == [
        {"images_seen": n * 1000, "loss": 1 / n} for n in range(1, steps + 1)
    ]


def test_trials_come_back_as_the_nodes_wrote_them(
    two: Nodes, tmp_path: Path, dataset_path: Path, labelled_dataset_path: Path
) -> None:
    first = {"dataset": str(labelled_dataset_path), "recipe": "x"}
    trials = [
        make(tmp_path, f"seed-{n}", dataset=str(dataset_path), mix=["portraits"], pretraining=first)
        for n in range(4)
    ]
    watch = Recorder()
    go(two, trials, watch)
    assert sorted(watch.finished) == sorted(folder for folder, _ in watch.began) == trials
    assert not watch.words
    for folder in trials:
        assert_whole(folder)
        assert (folder / "log.txt").read_text("utf-8").startswith("from step 0 under")
        # The node's own copies of the datasets, and the name that it understands itself.
        seen = result(folder)
        datasets = Path(seen["cache"]) / "datasets"
        assert Path(seen["cache"]) in two.caches()
        assert seen["spec"]["mix"] == ["portraits"]
        for name, original in (
            (seen["spec"]["dataset"], dataset_path),
            (seen["spec"]["pretraining"]["dataset"], labelled_dataset_path),
        ):
            assert Path(name).parent == datasets
            assert Dataset.open(name, verify=True).fingerprint == Dataset.open(original).fingerprint
        assert json.loads((folder / "trial.json").read_text("utf-8"))["dataset"] == str(
            dataset_path
        )
    for cache in two.caches():
        assert not [path for path in (cache / "trials").glob("*") if path.is_dir()]


def test_crashes_are_counted_and_the_rest_goes_on(two: Nodes, tmp_path: Path) -> None:
    broken, sound = make(tmp_path, "seed-0", steps=9, exit=3), make(tmp_path, "seed-1")
    given_up: list[tuple[Path, str]] = []

    def give_up(folder: Path, message: str) -> None:
        given_up.append((folder, message))
        (folder / "result.json").write_text("{}", "utf-8")

    watch = Recorder()
    go(two, [broken, sound], watch, give_up)
    ((folder, message),) = given_up
    assert folder == broken
    assert message == "3 times, its process ended with status 3: something is wrong"
    assert [folder for folder, _ in watch.began].count(broken) == 3
    # Each time it went one step further.
    assert [said.rsplit("from ", 1)[1] for said in watch.words] == ["1 kimg.", "2 kimg."]
    assert sorted(watch.finished) == [broken, sound]
    assert_whole(sound)


def test_an_interrupted_study_saves_and_goes_on(two: Nodes, tmp_path: Path) -> None:
    trials = [make(tmp_path, f"seed-{n}", steps=6, hold=4) for n in range(3)]

    def saved() -> bool:
        return len(list(tmp_path.glob("trials/*/run/checkpoints/000003.000k"))) == 2

    before = signal.getsignal(signal.SIGTERM)
    watch = Recorder(saved, lambda: signal.raise_signal(signal.SIGTERM))
    with pytest.raises(KeyboardInterrupt):
        go(two, trials, watch)
    assert signal.getsignal(signal.SIGTERM) is before
    assert not watch.finished
    assert not watch.words
    begun = {folder for folder, _ in watch.began}
    assert len(begun) == 2
    for folder in begun:
        last = checkpoint.latest(folder / "run" / "checkpoints")
        assert last is not None
        assert last.images_seen == 3000
        assert not list(folder.rglob(".*"))

    (waiting,) = set(trials) - begun
    shutil.rmtree(waiting)
    make(tmp_path, waiting.name, steps=6)
    watch = Recorder()
    go(two, trials, watch)
    assert sorted(watch.finished) == trials
    assert [result(folder)["begun"] for folder in sorted(begun)] == [3, 3]
    for folder in trials:
        assert_whole(folder)


def test_a_process_that_a_living_node_ends_is_a_crash(
    two: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_ray, "_DEATH", 1.0)
    folder = make(tmp_path, "seed-0", hold=3)

    def saved() -> bool:
        return (folder / "run" / "checkpoints" / "000002.000k").exists()

    def kill() -> None:
        os.kill(int((folder / "log.txt").read_text("utf-8").split()[-1]), signal.SIGKILL)

    watch = Recorder(saved, kill)
    go(two, [folder], watch)
    (said,) = watch.words
    assert "its node ended it" in said
    assert said.endswith("It starts again from 2 kimg.")
    assert result(folder)["begun"] == 2
    assert_whole(folder)


def test_a_full_disk_is_no_fault_of_the_trial(two: Nodes, tmp_path: Path) -> None:
    folder = make(tmp_path, "seed-0", exit=74)
    with pytest.raises(TrainingError, match="something is wrong"):
        go(two, [folder], Recorder())
    assert on_ray.reached(folder) == "1 kimg"


def test_more_than_any_node_has_is_refused(two: Nodes, tmp_path: Path) -> None:
    trials = [make(tmp_path, "seed-0")]
    with pytest.raises(DeviceError, match="2 CPUs and 0 GPUs") as caught:
        on_ray.run(trials, two.address, 2, 0, Recorder(), never)
    assert caught.value.hint.count("1 CPUs, 0 GPUs") == 2
    with pytest.raises(DeviceError, match="1 CPUs and 1 GPUs"):
        on_ray.run(trials, two.address, 1, 1, Recorder(), never)


def test_another_version_on_a_node_is_refused(
    two: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = [make(tmp_path, "seed-0")]
    # A node that joined later is asked when it begins a trial.
    monkeypatch.setattr(on_ray, "__version__", "0.0.1")
    with pytest.raises(DeviceError, match=r"has facegan .*runs with 0\.0\.1"):
        go(two, trials, Recorder())
    monkeypatch.setattr(clusters, "__version__", "0.0.1")
    with pytest.raises(DeviceError, match=r"has facegan .*this machine 0\.0\.1"):
        go(two, trials, Recorder())


def test_a_real_trial(two: Nodes, tmp_path: Path, tiny: Callable[..., Any]) -> None:
    spec = TrialSpec(
        key=Key(dataset="drawn", method="dcgan", seed=0),
        recipe=tiny("dcgan").to_toml(),
        dataset="portraits:200@32",
        measure=Measurement(n=50, n_real=100, curve=0, extractors=("efflite0@64",)),
        speed=Speed(img_per_s=100.0, batch=8, precision="fp32", threads=1, device="cpu"),
        threads=1,
        device="cpu",
    )
    trial = TrialFolder(tmp_path / "trials" / "drawn" / "dcgan" / "seed-0")
    trial.path.mkdir(parents=True)
    trial.write_spec(spec)
    watch = Recorder()
    on_ray.run([trial.path], two.address, 1, 0, watch, never)
    assert watch.finished == [trial.path]
    found = trial.result()
    assert found is not None
    assert (found.status, found.error, found.images) == ("finished", "", 192)
    assert found.score("fd") is not None
    assert checkpoint.latest(trial.run / "checkpoints") is not None


# Last of those with two nodes: the cluster takes its time to be sure that a node is gone.
def test_a_lost_node_s_trial_goes_on_elsewhere(two: Nodes, tmp_path: Path) -> None:
    folder = make(tmp_path, "seed-0", steps=9, hold=7)

    def saved() -> bool:
        return (folder / "run" / "checkpoints" / "000006.000k").exists()

    watch = Recorder(saved, lambda: two.lose(watch.began[0][1]))
    go(two, [folder], watch)
    (_, before), (_, after) = watch.began
    assert before != after
    (said,) = watch.words
    assert said == f"{folder}: {before} was lost. It starts again from 6 kimg."
    # Only a trial that found a checkpoint does not wait at its seventh step.
    assert result(folder)["begun"] == 6
    assert watch.finished == [folder]
    assert_whole(folder)


def test_ray_on_this_machine_alone(two: Nodes, tmp_path: Path) -> None:
    folder, watch = make(tmp_path, "seed-0"), Recorder()
    on_ray.run([folder], None, 1, 0, watch, never, ("-c", TRIAL), every=0.1)
    assert watch.finished == [folder]
    assert_whole(folder)


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nowhere", "ray://127.0.0.1:10001", "x:99999"])
def test_a_cluster_that_is_not_there(tmp_path: Path, address: str) -> None:
    with pytest.raises(DeviceError) as caught:
        on_ray.run([make(tmp_path, "seed-0")], address, 1, 0, Recorder(), never)
    assert address in caught.value.message
    assert "ray start" in caught.value.hint


def test_ray_that_is_not_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(FaceganError, match="not installed") as caught:
        on_ray.run([make(tmp_path, "seed-0")], None, 1, 0, Recorder(), never)
    assert "facegan[ray]" in caught.value.hint
