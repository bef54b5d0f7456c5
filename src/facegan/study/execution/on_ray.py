"""Trials on a Ray cluster: one task each, wherever there is room.

A trial lives where all nodes reach it: on a disk that they share, or in a store. So one whose
node is lost goes on elsewhere from its last checkpoint. Every node needs facegan, in the same
version.
"""

from __future__ import annotations

import contextlib
import functools
import os
import secrets
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

from facegan.errors import DeviceError, FaceganError, RunError
from facegan.study.execution import COMMAND, GiveUp, Watch
from facegan.study.execution.cluster import able, ask, connected, name_of, nodes, on
from facegan.study.execution.node import Desk, Order, Outcome, datasets_of, has_dataset, perform
from facegan.study.execution.process import GRACE, Attempts, blocked, reached
from facegan.study.execution.storage import Place, SharedFolder, Store, folder_of
from facegan.training.signals import stop_on_signals
from facegan.version import __version__

_POLL = 0.3  # seconds
# Until a cluster knows that a node which no longer answers is lost.
_DEATH = 30.0  # seconds


def run(
    trials: Sequence[Path],
    address: str | None,
    cpus: int,
    gpus: int,
    watch: Watch,
    give_up: GiveUp,
    storage: str | None = None,
    arguments: Sequence[str] = COMMAND[1:],
    every: float = 5.0,
) -> None:
    """Perform trials until each has a result.

    Args:
        trials: their folders, in the order in which to begin them; each holds `trial.json`.
        address: of the cluster, HOST:PORT; `auto` for the one that this machine belongs to;
            None to start Ray on this machine alone.
        cpus: cores for one trial.
        gpus: GPUs for one trial.
        watch: told what happens.
        give_up: called with a folder and a reason for a trial whose process ended
            `ATTEMPTS` times without a result; writes a result that says so. To lose a node is
            no fault of the trial, and does not count.
        storage: a store that all nodes reach, such as `s3://bucket/prefix`; None where they
            all have the trials' folders, at the same path.
        arguments: for a node's Python, which with the trial's folder perform the trial.
        every: seconds between looks at what a trial has written.

    Raises:
        KeyboardInterrupt: after Ctrl-C or SIGTERM; the trials that ran have saved.
        DeviceError: Ray is not installed, the cluster cannot be reached, has no node that is
            large enough, or a node has another version of facegan or does not reach the study.
        StorageError: the storage cannot be used.
        TrainingError: where a trial could not go on for what is not its own fault, such as a
            full disk; the others have saved.
        RunError: the process that speaks for the study was lost.
    """
    folders = [folder.absolute() for folder in trials]
    datasets = datasets_of(folders)
    fingerprints = {name: dataset.fingerprint for name, dataset in datasets.items()}
    with connected(address) as ray:
        there = able(ray, cpus, gpus)
        place: Place
        if storage is None:
            place = SharedFolder(Path(os.path.commonpath(folders)))
        else:
            place = Store(storage)
        with contextlib.closing(place):
            for node, wrong in ask(ray, there, place.missing):
                if wrong is not None:
                    raise DeviceError(f"{node.name} cannot perform trials: {wrong[0]}.", wrong[1])
            lacking = functools.partial(_lacking, fingerprints)
            for name in sorted({name for _, names in ask(ray, there, lacking) for name in names}):
                place.add_dataset(datasets[name])
            for folder in folders:
                place.recover(folder)
            here = on(ray.get_runtime_context().get_node_id())
            desk = ray.remote(num_cpus=0, scheduling_strategy=here)(_Desk).remote()
            task = ray.remote(
                num_cpus=cpus, num_gpus=gpus, max_retries=0, scheduling_strategy="SPREAD"
            )(_task)

            def submit(trial: int) -> tuple[Any, str]:
                state = f"{folder_of(folders[trial])}/{secrets.token_hex(8)}.tar"
                place.send(folders[trial], state)
                order = Order(
                    *(trial, folders[trial], state, place, fingerprints, tuple(arguments)),
                    *(every, cpus, gpus, __version__),
                )
                return task.remote(desk, order), state

            def fits() -> bool:
                return any(node.holds(cpus, gpus) for node in nodes(ray))

            collect = place.collect
            _Dispatcher(ray, desk, submit, collect, fits, trials, watch, give_up).run()


def _lacking(datasets: Mapping[str, str]) -> list[str]:
    """On a node: which of the study's datasets are not here."""
    return [name for name, fingerprint in datasets.items() if not has_dataset(name, fingerprint)]


class _Desk:
    """Beside the study: hears from nodes which trials begin, and tells them when to stop."""

    def __init__(self) -> None:
        self._news: list[tuple[int, str, str]] = []
        self._stopping = False

    def begin(self, trial: int, node: str, where: str) -> None:
        self._news.append((trial, node, where))

    def stopping(self) -> bool:
        return self._stopping

    def stop(self) -> None:
        self._stopping = True

    def news(self) -> list[tuple[int, str, str]]:
        """Which trials began since the last call: number, node's id, where in words."""
        news, self._news = self._news, []
        return news


def _task(desk: Any, order: Order) -> Outcome:
    """What Ray runs on a node."""
    import ray

    node = ray.get_runtime_context().get_node_id()
    # While the thread of a task waits for an answer, Ray lends its cores to the next one.
    with ThreadPoolExecutor(1) as aside:
        remote = cast(Desk, _Remote(ray, desk, lambda ref: aside.submit(ray.get, ref).result()))
        return perform(remote, node, name_of(socket.gethostname(), node), order)


class _Remote:
    """An actor whose methods are called as if it were an object of this process."""

    def __init__(self, ray: Any, actor: Any, get: Callable[[Any], Any]) -> None:
        self._ray, self._actor, self._get = ray, actor, get

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *values: self._get(getattr(self._actor, name).remote(*values))


class _Dispatcher:
    """Sees every trial to its end."""

    def __init__(
        self,
        ray: Any,
        desk: Any,
        submit: Callable[[int], tuple[Any, str]],
        collect: Callable[[Path, str], None],
        fits: Callable[[], bool],
        trials: Sequence[Path],
        watch: Watch,
        give_up: GiveUp,
    ) -> None:
        self._ray, self._submit, self._collect, self._fits = ray, submit, collect, fits
        self._desk = cast(_Desk, _Remote(ray, desk, ray.get))
        self._trials, self._watch = trials, watch
        self._attempts = Attempts(watch, give_up)
        self._tasks: dict[Any, tuple[int, str]] = {}
        # Where a trial runs: the node's id, and in words.
        self._places: dict[int, tuple[str, str]] = {}

    def run(self) -> None:
        with stop_on_signals() as stop:
            try:
                for trial in range(len(self._trials)):
                    self._begin(trial)
                while self._tasks:
                    ended, _ = self._ray.wait(list(self._tasks), timeout=_POLL)
                    self._hear()
                    for task in ended:
                        self._settle(task, *self._tasks.pop(task))
                    self._watch.tick()
                    if stop():
                        raise KeyboardInterrupt
            except self._ray.exceptions.RayActorError as error:
                raise RunError(
                    f"The process that speaks for the study was lost: {error}",
                    "Run the same command again: nothing that was saved is lost.",
                ) from error
            finally:
                self._stop()

    def _begin(self, trial: int) -> None:
        task, state = self._submit(trial)
        self._tasks[task] = (trial, state)

    def _hear(self) -> None:
        for trial, node, where in self._desk.news():
            self._places[trial] = (node, where)
            self._watch.started(self._trials[trial], where)

    def _settle(self, task: Any, trial: int, state: str) -> None:
        """A task has ended; its trial has a result, or is begun again."""
        folder = self._trials[trial]
        try:
            outcome = self._outcome(trial, task)
        finally:
            self._collect(folder.absolute(), state)
        _, where = self._places.pop(trial, ("", "a node"))
        if outcome.kind == "result":
            self._watch.ended(folder)
            return
        if outcome.kind == "blocked":
            raise blocked(folder, outcome.reason, where)
        if outcome.kind == "crashed":
            if not self._attempts.failed(folder, f"on {where}, ", outcome.reason):
                return
        else:
            lost = f"{where} was lost" if outcome.kind == "lost" else f"{where} stopped it"
            self._attempts.again(folder, lost)
        if not self._fits():
            self._watch.say("No node with room for a trial is left: waiting for one to join.")
        self._begin(trial)

    def _outcome(self, trial: int, task: Any) -> Outcome:
        errors = self._ray.exceptions
        try:
            return cast(Outcome, self._ray.get(task))
        except errors.RayTaskError as error:
            cause = error.cause
            # None of these is a fault of the method.
            if isinstance(cause, FaceganError | errors.RayActorError):
                raise cause from error
            return Outcome("crashed", f"it could not be performed: {cause}")
        except errors.RayError as error:
            if isinstance(error, errors.NodeDiedError) or self._lost(trial):
                return Outcome("lost")
            return Outcome("crashed", f"its node ended it: {error}")

    def _lost(self, trial: int) -> bool:
        """Whether the node of a trial is gone, and not merely a process there."""
        node, _ = self._places.get(trial, ("", ""))
        deadline = time.monotonic() + _DEATH
        while node and time.monotonic() < deadline:
            if node not in {each.id for each in nodes(self._ray)}:
                return True
            time.sleep(_POLL)
        return False

    def _stop(self) -> None:
        """Let the trials save and end; a second Ctrl-C, or too long a wait, ends them at once."""
        if not self._tasks:
            return
        with contextlib.suppress(self._ray.exceptions.RayActorError):
            self._desk.stop()
            self._hear()
            for task, (trial, _) in self._tasks.items():
                if trial not in self._places:
                    self._ray.cancel(task)
            tasks = list(self._tasks)
            _, late = self._ray.wait(tasks, num_returns=len(tasks), timeout=1.5 * GRACE)
            for task, (trial, state) in self._tasks.items():
                folder = self._trials[trial]
                self._collect(folder.absolute(), state)
                if task in late:
                    self._watch.say(f"{folder} did not end in time: {reached(folder)} counts.")
                if (folder / "result.json").exists():
                    self._watch.ended(folder)
