"""Training driven from code: a step at a time, stopped at any, the same bytes as ever."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import facegan
from facegan.errors import FaceganError, RunError

Make = Callable[..., Any]
TOTAL, BATCH = 192, 8


@pytest.fixture(scope="module")
def whole(
    tiny: Make, dataset_path: Path, watcher: Any, tmp_path_factory: Any, bytes_of: Make
) -> dict[str, bytes]:
    """What the recipe gives at once."""
    path = tmp_path_factory.mktemp("whole") / "run"
    assert facegan.train(tiny("dcgan"), dataset_path, path, reporter=watcher(), loggers=()).finished
    return dict(bytes_of(path))


@pytest.fixture
def training(tiny: Make, dataset_path: Path, watcher: Any, tmp_path: Path) -> Make:
    def make(**options: Any) -> facegan.Training:
        options.setdefault("reporter", watcher())
        return facegan.Training(
            tiny("dcgan"), dataset_path, tmp_path / "run", loggers=(), **options
        )

    return make


def test_step_by_step_is_the_same_run(
    training: Make, whole: dict[str, bytes], bytes_of: Make, tmp_path: Path
) -> None:
    seen = []
    with training() as steps:
        for step in steps:
            seen.append(step.images_seen)
            assert step.total == TOTAL
            assert np.isfinite(step.values["discriminator/adversarial"])
    assert seen == list(range(BATCH, TOTAL + 1, BATCH))
    assert steps.outcome.finished
    assert bytes_of(tmp_path / "run") == whole


def test_leaving_saves_and_entering_again_goes_on_exactly(
    training: Make, whole: dict[str, bytes], bytes_of: Make, tmp_path: Path
) -> None:
    with training() as first:
        for step in first:
            if step.images_seen == 56:
                break
    assert (first.outcome.finished, first.outcome.images_seen) == (False, 56)
    with training() as second:
        assert next(iter(second)).images_seen == 64
        # Two loops over the same steps: the second goes on where the first left.
        for step in second:
            if step.images_seen == 80:
                break
        assert next(iter(second)).images_seen == 88
    with training() as third:
        for _ in third:
            pass
    assert third.outcome.finished
    assert bytes_of(tmp_path / "run") == whole


def test_an_error_between_two_steps_saves_and_is_raised(training: Make) -> None:
    def fail() -> None:
        with training() as first:
            for step in first:
                assert 1 / (step.images_seen - 40)

    with pytest.raises(ZeroDivisionError):
        fail()
    with training() as second:
        assert next(iter(second)).images_seen == 48


def test_looking_changes_nothing(
    training: Make, whole: dict[str, bytes], bytes_of: Make, tmp_path: Path
) -> None:
    with training() as steps:
        for step in steps:
            if step.images_seen in (8, 96):
                pictures = steps.pictures(4)
                assert pictures.model["kimg"] == f"{step.images_seen / 1000:g}"
    assert bytes_of(tmp_path / "run") == whole
    assert np.array_equal(
        np.asarray(steps.pictures(3)), np.asarray(facegan.load(tmp_path / "run").sample(3))
    )


def test_ctrl_c_ends_the_steps(training: Make) -> None:
    with training() as steps:
        for step in steps:
            if step.images_seen == 24:
                signal.raise_signal(signal.SIGINT)
    assert not steps.outcome.finished
    assert steps.outcome.stopped_by == "SIGINT"
    with training() as again:
        for _ in again:
            pass
    assert again.outcome.finished


def test_a_reporter_watches_and_stops(training: Make) -> None:
    class Stops(facegan.Reporter):
        def __init__(self) -> None:
            self.seen: list[int] = []

        def step(self, images_seen: int, values: dict[str, float]) -> None:
            self.seen.append(images_seen)

        def should_stop(self) -> bool:
            return len(self.seen) >= 3

    reporter = Stops()
    with training(reporter=reporter) as steps:
        for _ in steps:
            pass
    assert reporter.seen == [8, 16, 24]
    assert not steps.outcome.finished
    assert steps.outcome.stopped_by is None


def test_a_folder_in_use_is_refused_and_let_go(training: Make) -> None:
    with training() as first:
        next(iter(first))
        with pytest.raises(FaceganError, match="in use"), training():
            pass
    with training() as second:
        assert next(iter(second)).images_seen == 16


def test_what_was_not_entered_has_no_steps(training: Make) -> None:
    steps = training()
    for ask in (lambda: next(iter(steps)), lambda: steps.outcome, steps.pictures):
        with pytest.raises(RunError, match="not entered"):
            ask()
    with steps:
        pass
    with pytest.raises(RunError, match="entered before"), steps:
        pass


def test_the_finished_run_has_no_more_steps(training: Make) -> None:
    with training() as first:
        for _ in first:
            pass
    with training() as second:
        assert list(second) == []
        assert second.outcome.finished
