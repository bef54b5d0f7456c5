"""Measuring while training: it only looks, it is repeatable, and the best snapshot is kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facegan.apps import beginning
from facegan.apps.generate import generate
from facegan.apps.train import train
from facegan.data.pixels import Pixels
from facegan.errors import RunError
from facegan.generation.samples import pictures
from facegan.models.file import GeneratorFile
from facegan.networks.interfaces import Generator
from facegan.runs import checkpoint
from facegan.runs.best import Best, keep_best, read_best
from facegan.runs.directory import RunDirectory
from facegan.runs.find import find_generator
from facegan.training import loop
from facegan.training.watch import Measured

Make = Callable[..., Any]


class Killed(Exception):
    """Ends a run anywhere: what `kill -9` leaves, as nothing is saved on the way out."""


class Brightness:
    """Measures how bright pictures are: a number that depends on the weights alone."""

    def __init__(self, order: Callable[[int], float] | None = None) -> None:
        self.at: list[int] = []
        self._order = order

    def __call__(self, generator: Generator, images_seen: int) -> Measured:
        self.at.append(images_seen)
        images = np.concatenate(list(pictures(generator, Pixels.of("symmetric"), range(8))))
        fd = self._order(images_seen) if self._order else float(images.mean())
        best = Best(images_seen, fd, fd - 1, fd + 1, 1.0, "brightness", 8, 8)
        line = {"images_seen": images_seen, "evaluation": {"mean": fd, "training": True}}
        return Measured(line, best, f"{fd}")


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Callable[[Brightness], None]:
    def use(measure: Brightness) -> None:
        monkeypatch.setattr(beginning, "_monitor", lambda *about: measure)

    return use


def lines_of(run: Path) -> list[dict[str, Any]]:
    return [line for line in RunDirectory(run).metrics.lines() if "evaluation" in line]


def test_as_often_as_asked_evenly_and_at_the_end(
    tiny: Make, watcher: Any, measured: Make, dataset_path: Path, tmp_path: Path
) -> None:
    measure = Brightness()
    measured(measure)
    train(tiny("dcgan", "evaluation.times=4"), dataset_path, tmp_path / "run", reporter=watcher())
    assert measure.at == [48, 96, 144, 192]
    assert [line["images_seen"] for line in lines_of(tmp_path / "run")] == measure.at


def test_measuring_changes_nothing_that_is_trained(
    tiny: Make, watcher: Any, bytes_of: Make, measured: Make, dataset_path: Path, tmp_path: Path
) -> None:
    measured(Brightness())
    with_it, without = tmp_path / "with", tmp_path / "without"
    train(tiny("dcgan", "evaluation.times=5"), dataset_path, with_it, reporter=watcher())
    train(tiny("dcgan", "evaluation.times=0"), dataset_path, without, reporter=watcher())
    found, expected = bytes_of(with_it), bytes_of(without)
    # The recipe is written into the files, and says how often was measured.
    assert found["state.safetensors"] == expected["state.safetensors"]
    kept = [line for line in RunDirectory(with_it).metrics.lines() if "evaluation" not in line]
    assert kept == RunDirectory(without).metrics.lines()


@pytest.mark.parametrize("stop_at", [40, 64, 120, 160])
def test_an_interrupted_run_ends_with_the_same_measurements_and_best(
    tiny: Make,
    watcher: Any,
    bytes_of: Make,
    measured: Make,
    dataset_path: Path,
    tmp_path: Path,
    stop_at: int,
) -> None:
    recipe = tiny("dcgan", "evaluation.times=6")
    ends = {}
    for name, stops in (("whole", [None]), ("broken", [stop_at, None])):
        for stop in stops:
            measured(Brightness())
            train(recipe, dataset_path, tmp_path / name, reporter=watcher(stop))
        run = RunDirectory(tmp_path / name)
        best = {file.name: file.read_bytes() for file in run.best.iterdir()}
        ends[name] = bytes_of(run.path) | best
    assert ends["broken"] == ends["whole"]


@pytest.mark.parametrize("ended", ["measuring", "keeping the best", "saving it"])
def test_a_run_killed_in_its_last_measurement_has_lost_no_training(
    tiny: Make,
    watcher: Any,
    bytes_of: Make,
    measured: Make,
    dataset_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ended: str,
) -> None:
    recipe = tiny("gan", "evaluation.times=2")
    measured(Brightness())
    train(recipe, dataset_path, tmp_path / "whole", reporter=watcher())
    run = RunDirectory(tmp_path / "run")

    measure, keep, save = Brightness(), loop.keep_best, checkpoint.save

    def at_the_end(of: Callable[..., Any], images: Callable[..., int]) -> Callable[..., Any]:
        def watched(*about: Any, **more: Any) -> Any:
            if images(*about) == 192:
                raise Killed
            return of(*about, **more)

        return watched

    def measured_before(*about: Any) -> int:
        return max((line["images_seen"] for line in lines_of(run.path)), default=0)

    with monkeypatch.context() as patch:
        if ended == "measuring":
            measured(at_the_end(measure, lambda generator, images: images))
        elif ended == "keeping the best":
            patch.setattr(loop, "keep_best", at_the_end(keep, lambda _, best, __: best.images_seen))
        else:
            patch.setattr(checkpoint, "save", at_the_end(save, measured_before))
        with pytest.raises(Killed):
            train(recipe, dataset_path, run.path, reporter=watcher())
    found = checkpoint.latest(run.checkpoints)
    assert found is not None
    assert found.images_seen == 192
    again, watch = Brightness(), watcher()
    measured(again)
    assert train(recipe, dataset_path, run.path, reporter=watch).finished
    assert (watch.steps, again.at) == ([], [192])
    best = {
        name: (tmp_path / name / "best" / "scores.json").read_bytes() for name in ("run", "whole")
    }
    assert best["run"] == best["whole"]
    assert bytes_of(run.path) == bytes_of(tmp_path / "whole")
    again.at.clear()
    train(recipe, dataset_path, run.path, reporter=watch)
    assert again.at == []


def test_the_best_is_kept_beside_the_last(
    tiny: Make, watcher: Any, measured: Make, dataset_path: Path, tmp_path: Path
) -> None:
    fds = {48: 5.0, 96: 2.0, 144: 3.0, 192: 4.0}
    measured(Brightness(fds.__getitem__))
    run = tmp_path / "run"
    reporter = watcher()
    train(tiny("dcgan", "evaluation.times=4"), dataset_path, run, reporter=reporter)
    best = read_best(RunDirectory(run))
    assert best is not None
    assert (best.images_seen, best.fd) == (96, 2.0)
    assert GeneratorFile.load(find_generator(run, best=True)).images_seen == 96
    assert GeneratorFile.load(find_generator(run)).images_seen == 192
    formatted = [said for said in reporter.said if "the best so far" in said]
    assert len(formatted) == 2
    one, other = (generate(run, tmp_path / str(b), n=1, best=b)[0] for b in (True, False))
    assert one.read_bytes() != other.read_bytes()


def test_going_back_forgets_what_was_measured_later(
    tiny: Make, watcher: Any, measured: Make, dataset_path: Path, tmp_path: Path
) -> None:
    measured(Brightness())
    train(tiny("dcgan", "evaluation.times=1"), dataset_path, tmp_path / "run", reporter=watcher())
    run = RunDirectory(tmp_path / "run")
    generator = GeneratorFile.load(find_generator(run.path))
    later = Best(192, 1.0, 0.5, 1.5, 1.0, "brightness", 8, 8)
    earlier = Best(96, 2.0, 1.5, 2.5, 1.0, "brightness", 8, 8)
    assert keep_best(run, later, generator)
    assert keep_best(run, earlier, generator)
    assert read_best(run) == earlier
    assert not keep_best(run, Best(144, 2.5, 2, 3, 1.0, "brightness", 8, 8), generator)
    assert keep_best(run, later, generator)


def test_without_a_best_snapshot_it_says_so(
    tiny: Make, watcher: Any, dataset_path: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    train(tiny("dcgan"), dataset_path, run, reporter=watcher())
    with pytest.raises(RunError, match="no best snapshot"):
        generate(run, tmp_path / "out", best=True)
    (run / "best").mkdir()
    (run / "best" / "scores.json").write_text(json.dumps({"fd": 1}), "utf-8")
    assert read_best(RunDirectory(run)) is None
