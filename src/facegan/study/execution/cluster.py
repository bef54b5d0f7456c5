"""A Ray cluster: connected to, and checked before a study relies on it."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from facegan.errors import DeviceError
from facegan.version import __version__

_JOIN = (
    "Give the address of a running cluster (HOST:PORT, or auto on a machine that belongs to it). "
    "A machine joins with 'ray start --address=HOST:PORT', one without cores to lend with "
    "'--num-cpus=0' besides."
)
# Next to nothing goes through the object store.
_OBJECT_STORE = 100 * 1024**2
_CONNECT = 10.0  # seconds
_ANSWER = 60.0  # seconds: a node starts a process first


@dataclass(frozen=True)
class Node:
    """A machine of the cluster.

    Attributes:
        id: Ray's.
        name: for a person.
        cpus: that Ray may use there.
        gpus: the same.
    """

    id: str
    name: str
    cpus: float
    gpus: float

    def holds(self, cpus: int, gpus: int) -> bool:
        """Whether a trial fits."""
        return self.cpus >= cpus and self.gpus >= gpus


def name_of(host: str, node: str) -> str:
    """A node for a person; several may be on one machine."""
    return f"node {host} ({node[:6]})"


def load() -> Any:
    """The package `ray`. Raises DeviceError where it is not installed."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Ray's word to those who rely on what it will do with GPUs that a task did not ask for.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    # Of a lost node Ray would print a page; the watch is told in a sentence.
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")
    try:
        import ray
    except ImportError as error:
        raise DeviceError(
            f"Ray is not installed ({error}).", "Install it: pip install 'facegan[ray]'."
        ) from error
    return ray


@contextlib.contextmanager
def connected(address: str | None) -> Iterator[Any]:
    """The package `ray`, connected to a cluster.

    Args:
        address: HOST:PORT, `auto` for the cluster of this machine, or None to start Ray on
            this machine alone and end it afterwards.

    Raises:
        DeviceError: Ray is not installed, or the cluster cannot be reached.
    """
    ray = load()
    here: dict[str, Any] = {"address": address}
    if address is None:
        here = {
            "address": "local",
            "include_dashboard": False,
            "object_store_memory": _OBJECT_STORE,
        }
    else:
        _check_address(address)
    in_main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(log_to_driver=False, logging_level=logging.ERROR, **here)
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise DeviceError(f"There is no Ray at {address or 'hand'}: {error}", _JOIN) from error
    finally:
        if in_main:  # Ray takes SIGTERM for itself
            signal.signal(signal.SIGTERM, before)
    try:
        yield ray
    finally:
        ray.shutdown()


def _check_address(address: str) -> None:
    """Ray waits long for a cluster that is not there, so look first."""
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if "://" in address or not host or not port.isdecimal():
        raise DeviceError(f"{address!r} is not the address of a Ray cluster.", _JOIN)
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT).close()
    except (OSError, OverflowError) as error:
        raise DeviceError(f"Nothing answers at {address} ({error}).", _JOIN) from error


def nodes(ray: Any) -> list[Node]:
    """The machines that are there now."""
    return [
        Node(
            node["NodeID"],
            name_of(node["NodeManagerHostname"], node["NodeID"]),
            node["Resources"].get("CPU", 0.0),
            node["Resources"].get("GPU", 0.0),
        )
        for node in ray.nodes()
        if node["Alive"]
    ]


def able(ray: Any, cpus: int, gpus: int) -> list[Node]:
    """The nodes with room for a trial, all with this version of facegan.

    Raises:
        DeviceError: no node is large enough, or one that is has another facegan, or none.
    """
    there = nodes(ray)
    fitting = [node for node in there if node.holds(cpus, gpus)]
    if not fitting:
        raise DeviceError(
            f"A trial asks for {cpus} CPUs and {gpus} GPUs; no node has them.",
            "The cluster has: "
            + "; ".join(f"{n.name}: {n.cpus:g} CPUs, {n.gpus:g} GPUs" for n in there)
            + ".",
        )

    # Sent as code, being no module's: a node without facegan must be able to answer.
    def installed() -> str | None:
        try:
            from facegan.version import __version__
        except ImportError:
            return None
        return __version__

    for node, found in ask(ray, fitting, installed):
        if found != __version__:
            has = "no facegan" if found is None else f"facegan {found}"
            raise DeviceError(
                f"{node.name} has {has}, and this machine {__version__}.",
                "Install the same version on every node, for the Python that Ray runs there.",
            )
    return fitting


def ask(ray: Any, there: Sequence[Node], question: Callable[[], Any]) -> list[tuple[Node, Any]]:
    """What nodes answer; one that is slow, or gone, is left out: it is asked as it begins a trial.

    Args:
        ray: connected.
        there: whom to ask.
        question: called on each node.
    """

    def answer() -> Any:
        return question()

    task = ray.remote(num_cpus=0, max_retries=0)(answer)
    asked = {task.options(scheduling_strategy=on(node.id)).remote(): node for node in there}
    answers, _ = ray.wait(list(asked), num_returns=len(asked), timeout=_ANSWER)
    found = []
    for answer in answers:
        with contextlib.suppress(ray.exceptions.NodeDiedError, ray.exceptions.WorkerCrashedError):
            found.append((asked[answer], ray.get(answer)))
    return found


def on(node: str) -> Any:
    """A place for a task or an actor: this node, and no other."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return NodeAffinitySchedulingStrategy(node, soft=False)
