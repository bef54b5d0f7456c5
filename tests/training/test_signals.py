from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from facegan.apps.train import train
from facegan.runs.checkpoint import latest
from facegan.training.reporter import Reporter, Reporters
from facegan.training.signals import stop_on_signals


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1"])
def test_the_first_signal_asks_to_stop(name: str) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with stop_on_signals() as request:
        assert not request()
        signal.raise_signal(getattr(signal, name))
        assert request()
        assert request.signal == name
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_a_second_ctrl_c_leaves_at_once() -> None:
    before = signal.getsignal(signal.SIGINT)
    with stop_on_signals():
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)  # patient: whoever sends it will kill in the end
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) == before


def test_until_it_is_ready_signals_do_what_they_did() -> None:
    formatted: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: formatted.append(number))
    try:
        with stop_on_signals(ready=False) as request:
            signal.raise_signal(signal.SIGTERM)
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
            assert not request()
            request.ready = True
            signal.raise_signal(signal.SIGTERM)
            assert request()
        assert formatted == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_an_impatient_ctrl_c_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    with stop_on_signals() as request:
        signal.raise_signal(signal.SIGINT)
        now[0] += 0.05
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGHUP)
        assert request.signal == "SIGINT"
        now[0] += 60.0
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_what_was_ignored_stays_ignored() -> None:
    """As SIGHUP is under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_on_signals() as request:
            signal.raise_signal(signal.SIGHUP)
            assert not request()
    finally:
        signal.signal(signal.SIGHUP, before)


def test_outside_the_main_thread_signals_are_left_alone() -> None:
    found = []

    def run() -> None:
        with stop_on_signals() as request:
            found.append((request(), signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [(False, signal.getsignal(signal.SIGINT))]


class Stopping(Reporter):
    """Wants to stop after so many images."""

    def __init__(self, at: int) -> None:
        self.seen, self.at = 0, at

    def step(self, images_seen: int, values: dict[str, float]) -> None:
        self.seen = images_seen

    def should_stop(self) -> bool:
        return self.seen >= self.at


def test_a_reporter_stops_a_run_which_is_saved_and_goes_on(
    tiny: Any, watcher: Any, bytes_of: Any, dataset_path: Path, tmp_path: Path
) -> None:
    recipe = tiny("gan")
    part = train(
        recipe, dataset_path, tmp_path / "run", reporter=Reporters(watcher(), Stopping(88))
    )
    assert (part.finished, part.images_seen, part.stopped_by) == (False, 88, None)
    kept = latest(tmp_path / "run/checkpoints")
    assert kept is not None
    assert kept.images_seen == 88
    assert train(recipe, dataset_path, tmp_path / "run", reporter=Reporter()).finished
    train(recipe, dataset_path, tmp_path / "whole", reporter=watcher())
    assert bytes_of(tmp_path / "run") == bytes_of(tmp_path / "whole")
