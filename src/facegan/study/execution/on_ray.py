"""Trials on a Ray cluster: one task each, wherever there is room.

The machines need not share a disk. What a trial has is fetched from the keeper, which runs
beside the study, and what it writes is sent back while it runs; so a trial whose node is lost
goes on elsewhere from the last checkpoint that arrived. Every node needs facegan, in the
same version.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

from facegan.data.dataset import Dataset, is_dataset
from facegan.errors import FaceganError, RunError, TrainingError
from facegan.files import read_json
from facegan.study.execution import ATTEMPTS, COMMAND, GiveUp, Watch
from facegan.study.execution.cluster import check, connected, name_of, nodes, on
from facegan.study.execution.keeper import Keeper, forget_arriving
from facegan.study.execution.node import Order, Outcome, datasets_of, perform
from facegan.study.execution.process import GRACE
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
        arguments: for a node's Python, which with the trial's folder perform the trial.
        every: seconds between looks at what a trial has written.

    Raises:
        KeyboardInterrupt: after Ctrl-C or SIGTERM; the trials that ran have saved.
        DeviceError: Ray is not installed, the cluster cannot be reached, has no node that is
            large enough, or a node has another version of facegan.
        TrainingError: where a trial could not go on for what is not its own fault, such as a
            full disk; the others have saved.
        RunError: the process that keeps the study's files was lost.
    """
    folders = [folder.resolve() for folder in trials]
    datasets = _datasets(folders)
    try:
        with connected(address) as ray:
            check(ray, cpus, gpus)
            fingerprints = {name: dataset.fingerprint for name, dataset in datasets.items()}
            paths = {name: dataset.path.resolve() for name, dataset in datasets.items()}
            here = on(ray.get_runtime_context().get_node_id())
            keeper = ray.remote(num_cpus=0, scheduling_strategy=here)(Keeper).remote(
                folders, paths, fingerprints
            )
            task = ray.remote(
                num_cpus=cpus, num_gpus=gpus, max_retries=0, scheduling_strategy="SPREAD"
            )(_task)

            def submit(trial: int) -> Any:
                order = Order(trial, tuple(arguments), every, cpus, gpus, __version__)
                return task.remote(keeper, order)

            def fits() -> bool:
                return any(node.holds(cpus, gpus) for node in nodes(ray))

            _Dispatcher(ray, keeper, submit, fits, trials, watch, give_up).run()
    finally:
        for folder in folders:
            forget_arriving(folder)


def _datasets(trials: Sequence[Path]) -> dict[str, Dataset]:
    """The datasets that are folders of this machine, by their names in `trial.json`."""
    names: list[str] = []
    for folder in trials:
        names += datasets_of(read_json(folder / "trial.json", "The trial"))
    return {name: Dataset.open(name) for name in sorted(set(names)) if is_dataset(Path(name))}


def _task(keeper: Any, order: Order) -> Outcome:
    """What Ray runs on a node."""
    import ray

    node = ray.get_runtime_context().get_node_id()
    remote = cast(Keeper, _Remote(ray, keeper))
    return perform(remote, node, name_of(socket.gethostname(), node), order)


class _Remote:
    """An actor whose methods are called as if it were an object of this process."""

    def __init__(self, ray: Any, actor: Any) -> None:
        self._ray, self._actor = ray, actor

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*values: Any) -> Any:
            try:
                return self._ray.get(getattr(self._actor, name).remote(*values))
            except self._ray.exceptions.RayTaskError as error:
                raise error.cause from error

        return call


class _Dispatcher:
    """Sees every trial to its end."""

    def __init__(
        self,
        ray: Any,
        keeper: Any,
        submit: Callable[[int], Any],
        fits: Callable[[], bool],
        trials: Sequence[Path],
        watch: Watch,
        give_up: GiveUp,
    ) -> None:
        self._ray, self._submit, self._fits = ray, submit, fits
        self._keeper = cast(Keeper, _Remote(ray, keeper))
        self._trials, self._watch, self._give_up = trials, watch, give_up
        self._tasks: dict[Any, int] = {}
        # Where a trial runs: the node's id, and in words.
        self._places: dict[int, tuple[str, str]] = {}
        self._crashes = [0] * len(trials)

    def run(self) -> None:
        with stop_on_signals() as stop:
            try:
                for trial in range(len(self._trials)):
                    self._tasks[self._submit(trial)] = trial
                while self._tasks:
                    ended, _ = self._ray.wait(list(self._tasks), timeout=_POLL)
                    self._hear()
                    for task in ended:
                        self._settle(self._tasks.pop(task), task)
                    self._watch.tick()
                    if stop():
                        raise KeyboardInterrupt
            except self._ray.exceptions.RayActorError as error:
                raise RunError(
                    f"The process that keeps the study's files was lost: {error}",
                    "Run the same command again: nothing that arrived is lost.",
                ) from error
            finally:
                self._stop()

    def _hear(self) -> None:
        for trial, node, where in self._keeper.news():
            self._places[trial] = (node, where)
            self._watch.started(self._trials[trial], where)

    def _settle(self, trial: int, task: Any) -> None:
        """A task has ended; its trial has a result, or is begun again."""
        folder, outcome = self._trials[trial], self._outcome(trial, task)
        _, where = self._places.pop(trial, ("", "a node"))
        if outcome.kind == "result":
            self._watch.ended(folder)
            return
        if outcome.kind == "blocked":
            raise TrainingError(
                f"On {where}, the trial {folder} could not go on: {outcome.said}",
                "Mend that, and run the same command again: nothing is lost.",
            )
        if outcome.kind == "crashed":
            self._crashes[trial] += 1
            if self._crashes[trial] == ATTEMPTS:
                self._give_up(folder, f"{ATTEMPTS} times, {outcome.said}")
                if not (folder / "result.json").exists():
                    raise TrainingError(f"{folder} could not be given up.")
                self._watch.ended(folder)
                return
        what = {
            "lost": f"{where} was lost",
            "stopped": f"{where} stopped it",
            "crashed": f"on {where}, {outcome.said}",
        }[outcome.kind]
        self._watch.said(f"{folder}: {what}. It starts again from {reached(folder)}.")
        if not self._fits():
            self._watch.said("No node with room for a trial is left: waiting for one to join.")
        self._tasks[self._submit(trial)] = trial

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
        errors = self._ray.exceptions
        with contextlib.suppress(errors.RayActorError):
            self._keeper.stop()
            self._hear()
            for task, trial in self._tasks.items():
                if trial not in self._places:
                    self._ray.cancel(task)
            tasks = list(self._tasks)
            _, late = self._ray.wait(tasks, num_returns=len(tasks), timeout=1.5 * GRACE)
            for task in late:
                folder = self._trials[self._tasks[task]]
                self._watch.said(f"{folder} did not end in time: {reached(folder)} counts.")
            for trial in self._tasks.values():
                if (self._trials[trial] / "result.json").exists():
                    self._watch.ended(self._trials[trial])


def reached(folder: Path) -> str:
    """The newest checkpoint of a trial, in words."""
    for part, of in (("run", ""), ("pretraining", " of the pretraining")):
        names = [path.name for path in (folder / part / "checkpoints").glob("[0-9]*k")]
        if names:
            return f"{max(float(name[:-1]) for name in names):g} kimg{of}"
    return "the beginning"
