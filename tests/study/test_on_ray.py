"""Trials on a real Ray cluster of this machine: a head without cores, and nodes of one core.

The study is on a disk that all share, or goes through an S3 server. The trial is a stand-in that
counts its steps and keeps its files as a training run does, so that only what is tested here
takes time.
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
from stores import S3, s3_server

from facegan.data.dataset import Dataset
from facegan.errors import DataError, DeviceError, FaceganError, StorageError, TrainingError
from facegan.runs import checkpoint
from facegan.runs.journal import Journal
from facegan.study.execution import cluster as clusters
from facegan.study.execution import on_ray
from facegan.study.execution import storage as storages
from facegan.study.execution.process import reached
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
        sums = {}
        for name in ("state.safetensors", "generator.safetensors"):
            (beside / name).write_bytes(state)
            sums[name] = hashlib.sha256(state).hexdigest()
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
places = json.loads(os.environ["FACEGAN_DATASETS"])
seen = {"begun": begun, "files": files, "spec": spec, "places": places, "where": str(folder)}
write_json(folder / "result.json", seen)
"""


class Nodes:
    """The cluster, and its two nodes that can be lost."""

    def __init__(self, folder: Path) -> None:
        from ray.cluster_utils import Cluster

        self._folder, self._count = folder, 0
        # A node that is gone shall be missed at once.
        system = {"health_check_period_ms": 300, "health_check_failure_threshold": 2}
        head = {
            "num_cpus": 0,
            "include_dashboard": False,
            "object_store_memory": 10**8,
            "_system_config": system,
        }
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

    def end(self) -> None:
        self._cluster.shutdown()


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    with s3_server() as server:
        yield server


@pytest.fixture(scope="module")
def cluster(s3: S3) -> Iterator[Nodes]:
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


@pytest.fixture(params=["a shared folder", "s3"])
def storage(request: pytest.FixtureRequest, s3: S3) -> str | None:
    """Where the nodes reach the study."""
    return None if request.param == "a shared folder" else s3.uri(f"a study/{request.node.name}")


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

    def say(self, message: str) -> None:
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
    nodes: Nodes,
    trials: list[Path],
    watch: Recorder,
    storage: str | None = None,
    give_up: Callable[[Path, str], None] = never,
) -> None:
    arguments = ("-c", TRIAL)
    on_ray.run(trials, nodes.address, 1, 0, watch, give_up, storage, arguments, every=0.1)


def result(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "result.json").read_text("utf-8"))
    return found


def assert_whole(folder: Path) -> None:
    """The trial's folder is what the trial had when it wrote the result, and nothing else."""
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


def test_trials_end_and_leave_no_trace(
    two: Nodes, tmp_path: Path, storage: str | None, dataset_path: Path, s3: S3
) -> None:
    trials = [
        make(tmp_path, f"seed-{n}", dataset=str(dataset_path), mix=["portraits"]) for n in range(3)
    ]
    watch = Recorder()
    go(two, trials, watch, storage)
    assert sorted(watch.finished) == sorted(folder for folder, _ in watch.began) == trials
    assert not watch.words
    for folder in trials:
        assert_whole(folder)
        assert (folder / "log.txt").read_text("utf-8").startswith("from step 0 under")
        # The dataset is where the node has it already.
        assert result(folder)["places"] == {str(dataset_path): str(dataset_path)}
        # On a shared disk nothing is copied.
        assert (result(folder)["where"] == str(folder)) == (storage is None)
    assert not list(tmp_path.rglob(".*"))
    assert storage is None or not s3.files(storage)


def test_a_dataset_reaches_nodes_that_lack_it(
    two: Nodes,
    tmp_path: Path,
    labelled_dataset_path: Path,
    storage: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # By a path that means something to the study alone, being in another folder than the nodes.
    shutil.copytree(labelled_dataset_path, tmp_path / "labelled")
    monkeypatch.chdir(tmp_path)
    trials = [make(tmp_path, "seed-0", pretraining={"dataset": "labelled", "recipe": "x"})]
    if storage is None:
        with pytest.raises(DataError, match="does not find the dataset") as caught:
            go(two, trials, Recorder())
        assert "shared disk" in caught.value.hint
        return
    go(two, trials, Recorder(), storage)
    (place,) = result(trials[0])["places"].values()
    assert (
        Dataset.open(place, verify=True).fingerprint
        == Dataset.open(labelled_dataset_path).fingerprint
    )
    assert place not in (str(labelled_dataset_path), str(tmp_path / "labelled"))
    assert json.loads((trials[0] / "trial.json").read_text("utf-8"))["pretraining"] == {
        "dataset": "labelled",
        "recipe": "x",
    }


def test_crashes_are_counted_and_the_rest_goes_on(two: Nodes, tmp_path: Path) -> None:
    broken, sound = make(tmp_path, "seed-0", steps=9, exit=3), make(tmp_path, "seed-1")
    given_up: list[tuple[Path, str]] = []

    def give_up(folder: Path, message: str) -> None:
        given_up.append((folder, message))
        (folder / "result.json").write_text("{}", "utf-8")

    watch = Recorder()
    go(two, [broken, sound], watch, give_up=give_up)
    ((folder, message),) = given_up
    assert folder == broken
    assert message == "3 times, its process ended with status 3: something is wrong"
    assert [folder for folder, _ in watch.began].count(broken) == 3
    # Each time it went one step further.
    assert [said.rsplit("from ", 1)[1] for said in watch.words] == ["1 kimg.", "2 kimg."]
    assert sorted(watch.finished) == [broken, sound]
    assert_whole(sound)


def test_an_interrupted_study_saves_and_goes_on(
    two: Nodes, tmp_path: Path, storage: str | None, s3: S3
) -> None:
    trials = [make(tmp_path, f"seed-{n}", steps=6, hold=4) for n in range(3)]

    # The third waits for cores: while two are held, it must not begin, however long that takes.
    def held() -> bool:
        return len(watch.began) == 2 and s3.held(tmp_path, storage, "000003.000k") == 2

    before = signal.getsignal(signal.SIGTERM)
    watch = Recorder(held, lambda: signal.raise_signal(signal.SIGTERM))
    with pytest.raises(KeyboardInterrupt):
        go(two, trials, watch, storage)
    assert signal.getsignal(signal.SIGTERM) is before
    assert not watch.finished
    assert not watch.words
    begun = {folder for folder, _ in watch.began}
    assert len(begun) == len(watch.began) == 2
    for folder in begun:
        last = checkpoint.latest(folder / "run" / "checkpoints")
        assert last is not None
        assert last.images_seen == 3000
        assert not list(folder.rglob(".*"))
    assert storage is None or not s3.files(storage)

    (waiting,) = set(trials) - begun
    shutil.rmtree(waiting)
    make(tmp_path, waiting.name, steps=6)
    watch = Recorder()
    go(two, trials, watch, storage)
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
    assert reached(folder) == "1 kimg"


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


def test_a_node_that_does_not_see_the_study(
    two: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if what is written here were not there.
    monkeypatch.setattr(storages, "write_text", lambda path, content: None)
    with pytest.raises(
        DeviceError, match=f"node .*does not see the study's folder {tmp_path}"
    ) as e:
        go(two, [make(tmp_path, "seed-0")], Recorder())
    assert "s3://" in e.value.hint


@pytest.mark.parametrize(
    "uri", ["s3://not-there/x", "s3:/x", "nonsense", "gopher://bucket/x"], ids=lambda uri: uri[:5]
)
def test_a_storage_that_cannot_be_used(two: Nodes, tmp_path: Path, uri: str) -> None:
    with pytest.raises(StorageError, match=uri) as caught:
        go(two, [make(tmp_path, "seed-0")], Recorder(), uri)
    assert "credentials" in caught.value.hint


def test_a_real_trial(two: Nodes, tmp_path: Path, s3: S3, tiny: Callable[..., Any]) -> None:
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
    on_ray.run([trial.path], two.address, 1, 0, watch, never, s3.uri("real"))
    assert watch.finished == [trial.path]
    found = trial.result()
    assert found is not None
    assert (found.status, found.error, found.images) == ("finished", "", 192)
    assert found.score("fd") is not None
    assert checkpoint.latest(trial.run / "checkpoints") is not None


def test_a_lost_node_s_trial_goes_on_elsewhere(
    two: Nodes, tmp_path: Path, storage: str | None, s3: S3
) -> None:
    folder = make(tmp_path, "seed-0", steps=9, hold=7)

    def held() -> bool:
        return bool(watch.began) and s3.held(tmp_path, storage, "000006.000k") == 1

    watch = Recorder(held, lambda: two.lose(watch.began[0][1]))
    go(two, [folder], watch, storage)
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
    on_ray.run([folder], None, 1, 0, watch, never, None, ("-c", TRIAL), every=0.1)
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
