"""Several machines: two torchrun agents on this one, each with a process, as on two."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import machine_cases
import pytest
import torch
from safetensors.torch import load_file

from facegan.apps.train import train
from facegan.recipe import Recipe
from facegan.runs import checkpoint
from facegan.runs.journal import Journal

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills processes by signals")

PATIENCE = 200.0  # seconds, for a process that hangs: nothing here takes as long
# SGD: its weights are the gradients summed, where Adam would magnify a last digit.
SETTINGS = (
    "stages=[{generator={kind='sgd', lr=0.01}, discriminator={kind='sgd', lr=0.01}}]",
    "training.batch=16",
    "training.precision=fp32",
    "training.snapshots=8",
    "training.ticks=8",
    "training.budget=640img",
    "evaluation.times=0",
    "augment={}",
    "generator.hidden=[12]",
    "generator.latent.size=6",
    "discriminator.hidden=[12]",
)


@dataclass
class Ended:
    statuses: list[int]
    errors: list[str]


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "small.toml"
    path.write_text(Recipe.load("gan").override(*SETTINGS).to_toml(), "utf-8")
    return path


@contextlib.contextmanager
def started(
    commands: Sequence[Sequence[str]], environments: Sequence[dict[str, str]]
) -> Iterator[list[subprocess.Popen[str]]]:
    running = [
        subprocess.Popen(
            command,
            env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        for command, environment in zip(commands, environments, strict=True)
    ]
    try:
        yield running
    finally:
        for process in running:
            with contextlib.suppress(ProcessLookupError):  # with all below it
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def ended(running: Sequence[subprocess.Popen[str]]) -> Ended:
    errors = [process.communicate(timeout=PATIENCE)[1] for process in running]
    return Ended([process.returncode for process in running], errors)


def agents(*arguments: str) -> list[list[str]]:
    """Two nodes of one process each, which meet at a port of the first."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return [
        [
            *(sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1"),
            *(f"--node-rank={rank}", "--master-addr=127.0.0.1", f"--master-port={port}"),
            *arguments,
        ]
        for rank in range(2)
    ]


def words(recipe: Path, dataset: Path, run: Path) -> tuple[str, ...]:
    return ("train", str(recipe), "--data", str(dataset), "--run", str(run), "--device", "cpu")


def on_two_machines(recipe: Path, dataset: Path, run: Path) -> list[list[str]]:
    # Without the two dashes torchrun takes --run for one of its own options, cut short.
    return agents("-m", "--", "facegan", *words(recipe, dataset, run))


def in_two_processes(folder: Path, *arguments: str) -> Ended:
    """The cases of `machine_cases`, meeting as our own launcher lets them."""
    meeting = (folder / "meeting").as_uri()
    environments = [
        {"FACEGAN_MEETING": meeting, "WORLD_SIZE": "2", "RANK": rank} for rank in ("0", "1")
    ]
    with started(
        [[sys.executable, machine_cases.__file__, *arguments]] * 2, environments
    ) as running:
        return ended(running)


def state(run: Path) -> dict[str, torch.Tensor]:
    last = checkpoint.latest(run / "checkpoints")
    assert last is not None
    assert last.images_seen == 640
    return load_file(last.path / "state.safetensors")


@pytest.fixture(scope="module")
def whole(recipe: Path, dataset_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on two machines that nothing disturbed."""
    run = tmp_path_factory.mktemp("whole") / "run"
    with started(on_two_machines(recipe, dataset_path, run), [{}, {}]) as running:
        found = ended(running)
    assert found.statuses == [0, 0], found.errors
    return run


def test_the_weights_are_those_of_one_process(
    whole: Path, recipe: Path, dataset_path: Path, tmp_path: Path
) -> None:
    assert train(Recipe.load(recipe), dataset_path, tmp_path / "one", device="cpu").finished
    expected, found = state(tmp_path / "one"), state(whole)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(
            found[name], value, rtol=1e-3, atol=1e-4, msg=lambda m, n=name: f"{n}: {m}"
        )
    world = json.loads((whole / "provenance.json").read_text("utf-8"))["execution"]["world"]
    assert world == 2


@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_process_ends_the_other_and_the_run_goes_on(
    victim: int, whole: Path, recipe: Path, dataset_path: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    losing = (machine_cases.__file__, "lose", str(victim), *words(recipe, dataset_path, run))
    with started(agents("--", *losing), [{}, {}]) as running:
        found = ended(running)
    assert found.statuses == [1, 1]
    survivor = found.errors[1 - victim]
    assert "[rank" not in survivor, survivor  # PyTorch's mark of a process's traceback
    assert "gloo" not in survivor
    assert survivor.count("error: Another of the 2 processes has ended") == 1
    last = checkpoint.latest(run / "checkpoints")
    assert last is not None
    assert 320 <= last.images_seen < 640
    with started(on_two_machines(recipe, dataset_path, run), [{}, {}]) as running:
        assert ended(running).statuses == [0, 0]
    for name, value in state(whole).items():
        assert torch.equal(value, state(run)[name]), name
    journals = [Journal(each / "metrics.jsonl").lines() for each in (whole, run)]
    assert journals[0] == journals[1]


def rank_of(pid: int) -> int:
    (rank,) = re.findall(rb"\0RANK=(\d)\0", Path(f"/proc/{pid}/environ").read_bytes())
    return int(rank)


@pytest.mark.skipif(sys.platform != "linux", reason="finds processes under /proc")
@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_process_of_our_own_launcher(
    victim: int, recipe: Path, dataset_path: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    more = ("--processes", "2", "--budget", "10000kimg")  # it never ends by itself
    command = [sys.executable, "-m", "facegan", *words(recipe, dataset_path, run), *more]
    with started([command], [{}]) as running:
        while not (run / "samples" / "000000.000k.png").exists():
            assert running[0].poll() is None, running[0].communicate()
            time.sleep(0.01)
        children = Path(f"/proc/{running[0].pid}/task/{running[0].pid}/children").read_text()
        pids = [int(pid) for pid in children.split()]
        ranks = {
            Path(f"/proc/{pid}/environ").read_bytes().count(b"\0RANK=0\0"): pid for pid in pids
        }
        os.kill(ranks[1 - victim], signal.SIGKILL)
        found = ended(running)
    assert found.statuses == [1]
    assert f"error: Process {victim + 1} of 2 was ended by SIGKILL" in found.errors[0]
    assert "Traceback" not in found.errors[0]
    assert "gloo" not in found.errors[0]


def test_a_signal_that_comes_late_breaks_nothing(
    recipe: Path, dataset_path: Path, tmp_path: Path
) -> None:
    """A launcher tells processes one by one; the first tells the others, and all may be done."""
    found = in_two_processes(
        tmp_path, "late", str(recipe), str(dataset_path), str(tmp_path / "run")
    )
    assert found.statuses == [0, 0], found.errors
    last = checkpoint.latest(tmp_path / "run" / "checkpoints")
    assert last is not None
    assert last.images_seen == 16


def test_one_exchange_a_step_beside_the_gradients(
    recipe: Path, dataset_path: Path, tmp_path: Path
) -> None:
    out = tmp_path / "counts.json"
    run = str(tmp_path / "run")
    found = in_two_processes(tmp_path, "count", str(recipe), str(dataset_path), run, str(out))
    assert found.statuses == [0, 0], found.errors
    three, eight = json.loads(out.read_text("utf-8"))
    # The gradients of either player, and the values with what is asked.
    assert eight - three == 5 * 3


@pytest.mark.parametrize("missing", ["run", "dataset"])
def test_machines_that_do_not_see_the_same(
    missing: str,
    whole: Path,
    recipe: Path,
    dataset_path: Path,
    labelled_dataset_path: Path,
    tmp_path: Path,
) -> None:
    """By paths that differ, as if the same path led to something else on each machine."""
    runs = [whole, tmp_path / "elsewhere"] if missing == "run" else [tmp_path / "run"] * 2
    datasets = [dataset_path, dataset_path if missing == "run" else labelled_dataset_path]
    commands = [
        [
            sys.executable,
            "-m",
            "facegan",
            "train",
            str(recipe),
            "--data",
            str(dataset),
            "--run",
            str(run),
        ]
        for run, dataset in zip(runs, datasets, strict=True)
    ]
    meeting = (tmp_path / "meeting").as_uri()
    environments = [
        {"FACEGAN_MEETING": meeting, "WORLD_SIZE": "2", "RANK": rank} for rank in ("0", "1")
    ]
    with started(commands, environments) as running:
        found = ended(running)
    assert all(found.statuses)
    expected = "do not find the same run" if missing == "run" else "different datasets"
    assert expected in found.errors[0]
