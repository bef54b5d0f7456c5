"""Trackers in their offline mode: what reaches them, going on in the same run, and failing."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facegan.apps.train import train
from facegan.errors import RunError
from facegan.loggers import LOGGERS, Logger, TrackedRun, choose

Make = Callable[..., Any]
Point = tuple[int, float]


class Recorder(Logger):
    """Keeps what it is told; raises at the call that it is asked to fail at."""

    name = "recorder"

    def __init__(self, fails: str = "") -> None:
        self.fails = fails
        self.calls: list[tuple[Any, ...]] = []

    def _keep(self, *call: Any) -> None:
        self.calls.append(call)
        if call[0] == self.fails:
            raise OSError(28, "No space left on device")

    def open(self, run: TrackedRun, identity: str | None) -> str | None:
        self._keep("open", run, identity)
        return identity or "first"

    def scalars(self, images_seen: int, values: dict[str, float]) -> None:
        self._keep("scalars", images_seen, values)

    def samples(self, images_seen: int, grid: np.ndarray) -> None:
        self._keep("samples", images_seen, grid)

    def close(self, finished: bool) -> None:
        self._keep("close", finished)

    def seen(self, what: str) -> list[int]:
        return [call[1] for call in self.calls if call[0] == what]


def losses(run: Path) -> list[Point]:
    """A curve as the journal has it."""
    lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    name = "discriminator/adversarial"
    return [(line["images_seen"], line[name]) for line in lines if name in line]


def test_every_logger_has_a_package_and_is_found_by_its_name() -> None:
    for name, kind in LOGGERS.items():
        assert kind.name == name
        assert kind.package


def test_what_a_logger_is_told(
    tiny: Make, watcher: Any, dataset_path: Path, tmp_path: Path
) -> None:
    recipe, run, logger = tiny("gan", "evaluation.times=1"), tmp_path / "run", Recorder()
    train(recipe, dataset_path, run, reporter=watcher(), loggers=[logger])
    (opened, tracked, identity), *_ = logger.calls
    assert (opened, identity) == ("open", None)
    assert (tracked.path, tracked.name, tracked.images_seen) == (run, "run", 0)
    assert tracked.config["training"]["batch"] == 8
    assert tracked.config["total_images"] == 192
    assert tracked.config["provenance"]["dataset"]["name"] == "blobs"
    assert tracked.recipe == recipe.to_toml()
    assert logger.seen("samples") == [0, 64, 128, 192]
    grids = [call[2] for call in logger.calls if call[0] == "samples"]
    assert all(grid.dtype == np.uint8 and grid.ndim == 3 for grid in grids)
    assert logger.seen("scalars") == sorted(logger.seen("scalars"))
    named = [
        (call[1], call[2]["discriminator/adversarial"])
        for call in logger.calls
        if call[0] == "scalars" and "discriminator/adversarial" in call[2]
    ]
    assert named == losses(run)
    names = {name for call in logger.calls if call[0] == "scalars" for name in call[2]}
    assert "images_seen" not in names
    assert "img_per_s" in names
    assert any(name.startswith("probe/") for name in names)
    assert logger.calls[-1] == ("close", True)


def test_scores_measured_on_the_way_are_curves_too(
    tiny: Make, watcher: Any, make_dataset: Make, tmp_path: Path
) -> None:
    data, logger = make_dataset(tmp_path / "data", n=240), Recorder()
    settings = ("evaluation.times=1", "evaluation.n=50", "evaluation.n_real=50")
    train(tiny("gan", *settings), data, tmp_path / "run", reporter=watcher(), loggers=[logger])
    scores = [
        call[2] for call in logger.calls if call[0] == "scalars" and "evaluation/fd" in call[2]
    ]
    assert len(scores) == 1
    assert scores[0]["evaluation/fd"] > 0


def test_a_run_that_goes_on_is_the_same_run_and_sends_no_point_twice(
    tiny: Make, watcher: Any, dataset_path: Path, tmp_path: Path
) -> None:
    recipe, run = tiny("gan"), tmp_path / "run"
    first, second, third = Recorder(), Recorder(), Recorder()
    train(recipe, dataset_path, run, reporter=watcher(144), loggers=[first])
    assert first.calls[-1] == ("close", False)
    # The newest checkpoint is damaged: the run goes back to 128, and the tick there and beyond
    # was sent before.
    (run / "checkpoints/000000.144k/state.safetensors").write_bytes(b"")
    train(recipe, dataset_path, run, reporter=watcher(), loggers=[second])
    assert second.calls[0][2] == "first"
    assert second.calls[0][1].images_seen == 128
    assert set(second.seen("scalars")) == {160, 192}
    assert second.seen("samples") == [192]
    # A finished run is not opened again.
    train(recipe, dataset_path, run, reporter=watcher(), loggers=[third])
    assert third.calls == []


def test_a_logger_that_rewinds_gets_the_points_beyond_the_checkpoint_again(
    tiny: Make, watcher: Any, dataset_path: Path, tmp_path: Path
) -> None:
    class Rewinding(Recorder):
        rewinds = True

    recipe, run, second = tiny("gan"), tmp_path / "run", Rewinding()
    train(recipe, dataset_path, run, reporter=watcher(144), loggers=[Rewinding()])
    (run / "checkpoints/000000.144k/state.safetensors").write_bytes(b"")
    train(recipe, dataset_path, run, reporter=watcher(), loggers=[second])
    assert 160 in second.seen("scalars")
    assert second.calls[0][1].images_seen == 128


@pytest.mark.parametrize("call", ["open", "scalars", "samples", "close"])
def test_a_logger_that_fails_changes_nothing_and_is_said_once(
    tiny: Make, watcher: Any, bytes_of: Make, dataset_path: Path, tmp_path: Path, call: str
) -> None:
    recipe, watch, other = tiny("gan"), watcher(), Recorder()
    other.name = "other"  # type: ignore[misc]
    failing = Recorder(call)
    outcome = train(
        recipe, dataset_path, tmp_path / "run", reporter=watch, loggers=[failing, other]
    )
    assert outcome.finished
    said = [message for message in watch.said if "recorder" in message]
    assert len(said) == 1
    assert "No space left on device" in said[0]
    assert failing.calls[-1][0] == call
    assert other.calls[-1] == ("close", True)
    train(recipe, dataset_path, tmp_path / "plain", reporter=watcher(), loggers=[])
    assert bytes_of(tmp_path / "run") == bytes_of(tmp_path / "plain")


def test_a_damaged_memory_begins_anew(
    tiny: Make, watcher: Any, dataset_path: Path, tmp_path: Path
) -> None:
    recipe, run = tiny("gan"), tmp_path / "run"
    train(recipe, dataset_path, run, reporter=watcher(96), loggers=[Recorder()])
    for content in ("{", "[]", '{"recorder": 3}', '{"recorder": {"run": 3, "sent": []}}'):
        (run / "loggers.json").write_text(content)
        logger = Recorder()
        train(recipe, dataset_path, run, reporter=watcher(104), loggers=[logger])
        assert logger.calls[0][2] is None


def test_what_cannot_be_chosen_is_refused() -> None:
    with pytest.raises(RunError, match="no logger 'tensorbord'") as caught:
        choose(["tensorbord"])
    assert "tensorboard" in caught.value.hint
    with pytest.raises(RunError, match="two loggers called recorder"):
        choose([Recorder(), Recorder()])


def test_a_package_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Absent(Logger):
        name = "absent"
        package = "package_that_nobody_has"

    monkeypatch.setitem(LOGGERS._entries, "absent", Absent)
    with pytest.raises(RunError, match="package_that_nobody_has") as caught:
        choose(["absent"])
    assert "facegan[absent]" in caught.value.hint


def test_a_folder_is_no_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trackers leave folders of their own name in the current one."""
    (tmp_path / "folder_of_a_tracker").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))

    class Tracker(Logger):
        name = "tracker"
        package = "folder_of_a_tracker"

    monkeypatch.setitem(LOGGERS._entries, "tracker", Tracker)
    with pytest.raises(RunError, match="not installed"):
        choose(["tracker"])


# --- the real packages -----------------------------------------------------------------------


def interrupted(
    logger: str, tiny: Make, watcher: Any, dataset: Path, run: Path
) -> tuple[list[Point], list[str]]:
    """A run stopped at 144, going on from 128 to its end; its curve, and what was said."""
    recipe, said = tiny("gan"), []
    for stop in (144, None):
        watch = watcher(stop)
        train(recipe, dataset, run, reporter=watch, loggers=[logger])
        said += watch.said
        damaged = run / "checkpoints/000000.144k/state.safetensors"
        if damaged.exists():
            damaged.write_bytes(b"")
    return losses(run), [message for message in said if "logger" in message]


def close(found: list[Point], expected: list[Point]) -> bool:
    """Trackers keep float32."""
    return [s for s, _ in found] == [s for s, _ in expected] and np.allclose(
        [v for _, v in found], [v for _, v in expected], rtol=1e-6
    )


def test_tensorboard(tiny: Make, watcher: Any, dataset_path: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    curve, said = interrupted("tensorboard", tiny, watcher, dataset_path, tmp_path / "run")
    assert said == []
    events = EventAccumulator(str(tmp_path / "run/tensorboard")).Reload()
    found = [(e.step, e.value) for e in events.Scalars("discriminator/adversarial")]
    assert close(found, curve)
    assert [e.step for e in events.Images("samples")] == [0, 64, 128, 192]
    assert "recipe/text_summary" in events.Tags()["tensors"]


def test_tensorboard_with_a_file_in_its_way(
    tiny: Make, watcher: Any, dataset_path: Path, tmp_path: Path
) -> None:
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed")
    run, watch = tmp_path / "run", watcher()
    run.mkdir()
    (run / "tensorboard").write_text("in the way")
    assert train(tiny("gan"), dataset_path, run, reporter=watch, loggers=["tensorboard"]).finished
    assert len([message for message in watch.said if "logger tensorboard" in message]) == 1


def history(folder: Path) -> Iterator[dict[str, Any]]:
    """Every logged row of an offline run's file, in the order of writing.

    The file is a log as LevelDB writes it (leveldb/doc/log_format.md), after 7 bytes of header.
    """
    from wandb.proto import wandb_internal_pb2

    (file,) = folder.glob("run-*.wandb")
    content, place, whole = file.read_bytes(), 7, b""
    while place < len(content):
        if (left := 32768 - place % 32768) < 7:
            place += left
            continue
        _, length, kind = struct.unpack_from("<IHB", content, place)
        whole += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # all of a record, or its last part
            record = wandb_internal_pb2.Record.FromString(whole)
            whole = b""
            if record.WhichOneof("record_type") == "history":
                yield {
                    item.key or "/".join(item.nested_key): json.loads(item.value_json)
                    for item in record.history.item
                }


def test_weights_and_biases(
    tiny: Make, watcher: Any, dataset_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wandb = pytest.importorskip("wandb", reason="Weights & Biases is not installed")
    monkeypatch.setenv("WANDB_MODE", "offline")
    run = tmp_path / "run"
    curve, said = interrupted("wandb", tiny, watcher, dataset_path, run)
    assert said == []
    wandb.teardown()  # as the end of a process does: its service writes the rest
    parts = sorted((run / "wandb").glob("offline-run-*"))
    assert len(parts) == 2
    assert len({part.name.rpartition("-")[2] for part in parts}) == 1  # one run's id
    rows = [row for part in parts for row in history(part)]
    name = "discriminator/adversarial"
    assert close([(row["_step"], row[name]) for row in rows if name in row], curve)
    grids = [row["_step"] for row in rows if any(key.startswith("samples") for key in row)]
    assert grids == [0, 64, 128, 192]
    assert len(list(run.glob("wandb/offline-*/files/media/images/samples_*.png"))) == 4


def test_mlflow(
    tiny: Make, watcher: Any, dataset_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = pytest.importorskip("mlflow", reason="MLflow is not installed")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    curve, said = interrupted("mlflow", tiny, watcher, dataset_path, tmp_path / "run")
    assert said == []
    client = mlflow.MlflowClient()
    experiment = client.get_experiment_by_name("facegan")
    (kept,) = client.search_runs([experiment.experiment_id])
    assert kept.info.status == "FINISHED"
    assert kept.info.run_name == "run"
    assert kept.data.params["training.batch"] == "8"
    points = client.get_metric_history(kept.info.run_id, "discriminator/adversarial")
    assert close([(point.step, point.value) for point in points], curve)
    artifacts = {item.path for item in client.list_artifacts(kept.info.run_id)}
    assert {"recipe.toml", "config.json", "samples"} <= artifacts
    grids = [item.path for item in client.list_artifacts(kept.info.run_id, "samples")]
    assert len(grids) == 4


def test_mlflow_whose_server_is_gone(
    tiny: Make, watcher: Any, dataset_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mlflow", reason="MLflow is not installed")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    watch = watcher()
    outcome = train(tiny("gan"), dataset_path, tmp_path / "run", reporter=watch, loggers=["mlflow"])
    assert outcome.finished
    assert len([message for message in watch.said if "logger mlflow" in message]) == 1


def test_aim(
    tiny: Make, watcher: Any, dataset_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aim = pytest.importorskip("aim", reason="Aim is not installed")
    monkeypatch.chdir(tmp_path)
    curve, said = interrupted("aim", tiny, watcher, dataset_path, tmp_path / "run")
    assert said == []
    identity = json.loads((tmp_path / "run/loggers.json").read_text())["aim"]["run"]
    kept = aim.Run(run_hash=identity, system_tracking_interval=None, capture_terminal_logs=False)
    assert kept.name == "run"
    assert kept["config"]["training"]["batch"] == 8
    (metric,) = (each for each in kept.metrics() if each.name == "discriminator/adversarial")
    steps, (values, *_) = metric.data.numpy()
    kept.close()
    assert close(list(zip(steps.tolist(), values.tolist(), strict=True)), curve)
