"""Fixtures for all tests: a small dataset, small recipes, and a run that can be stopped."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from chromium import browser as browser
from facegan.data.writer import DatasetWriter
from facegan.training.reporter import Reporter
from tiny import SHORT, TINY, TINY_RECIPES, find_no_faces, no_entry

# PyTorch, which no import above brings in, reads these when it starts. One thread each: the
# tests' networks are tiny, and the number of threads is a condition of bit-for-bit equality.
for _variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

# What a shell starts in the background ignores Ctrl-C; here, tests interrupt what they started.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says how busy the machine is, and nothing of what is tested.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")

# Whole trainings, studies, clusters, processes, simulations, and networks of full size: what makes
# `pytest` take minutes. `bash scripts/test` runs them, too.
SLOW = (
    "api/test_notebook",
    "apps/test_trained_space",
    "apps/test_training_in_processes",
    "benchmarks/test_injected_faults",
    "benchmarks/test_mutated_imports",
    "cli/test_classes",
    "cli/test_commands",
    "cli/test_demo",
    "cli/test_editing",
    "cli/test_errors",
    "cli/test_evaluate",
    "cli/test_study_commands",
    "data/test_lfw",
    "data/test_resumed_import",
    "docs/test_read_and_typed",
    "docs/test_site",
    "editing/test_inversion",
    "evaluation/test_attributes",
    "evaluation/test_copy_search",
    "evaluation/test_faces",
    "loggers/",
    "losses/test_eight_gaussians",
    "packaging/",
    "report/test_figures",
    "runs/test_diagnosis",
    "studio/test_in_a_browser",
    "studio/test_onnx_engine",
    "studio/test_serving",
    "study/test_on_ray",
    "study/test_on_slurm",
    "study/test_power",
    "study/test_study.",
    "study/test_verdicts",
    "test_plugins",
    "training/test_conditional",
    "training/test_extending",
    "training/test_machines",
    "training/test_measuring",
    "training/test_processes",
    "training/test_quality",
    "training/test_resume",
)


# Where trainings are on drawn blobs, in which no detector finds a face: it would look at 64
# pictures a snapshot for nothing.
WITHOUT_FACES = (
    *("api/", "loggers/", "runs/", "study/", "training/", "test_plugins"),
    *("apps/test_training_in_processes", "cli/test_errors"),
)


@pytest.fixture(autouse=True)
def _no_looks_for_faces(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The face detector finds nothing, at once."""
    place = request.path.relative_to(Path(__file__).parent).as_posix()
    if place.startswith(WITHOUT_FACES):
        find_no_faces(monkeypatch)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Who asks for more threads asks for itself: the next test computes with one again."""
    yield
    torch = sys.modules.get("torch")
    if torch is not None and torch.get_num_threads() != 1:
        torch.set_num_threads(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what takes long, and begin with it: at the end, one process would wait for the other."""
    root = Path(__file__).parent
    for item in items:
        if item.path.relative_to(root).as_posix().startswith(SLOW):
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def draw_pictures(n: int, resolution: int, channels: int, seed: int = 0) -> np.ndarray:
    """Smooth coloured blobs, uint8 [n, H, W, C]: any two differ, and every byte value occurs."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:resolution, 0:resolution] / resolution
    centre = random.random((n, 2, 1, 1, channels))
    width = 0.15 + 0.3 * random.random((n, 1, 1, channels))
    distance = (y[None, :, :, None] - centre[:, 0]) ** 2 + (x[None, :, :, None] - centre[:, 1]) ** 2
    return (255 * np.exp(-distance / width**2)).round().astype(np.uint8)


def write_dataset(
    path: Path, n: int = 48, resolution: int = 32, channels: int = 3, seed: int = 0
) -> Path:
    """A dataset of blobs; every sixth one is held out, so that the train split has gaps."""
    names = [f"{i:03}.png" for i in range(n)]
    splits = ["holdout" if i % 6 == 5 else "train" for i in range(n)]
    with DatasetWriter(path, resolution=resolution, channels=channels) as writer:
        writer.add(draw_pictures(n, resolution, channels, seed), names, names, splits, names)
        writer.finish({"name": "blobs", "source": "drawn by the tests", "licence": "CC0-1.0"})
    return path


LABELS = ("warm", "light", "sure")


def write_labelled_dataset(path: Path, n: int = 48, resolution: int = 32, seed: int = 0) -> Path:
    """Blobs with labels of all kinds: binary, a quantity, a probability; some missing."""
    names = [f"{i:03}.png" for i in range(n)]
    splits = ["holdout" if i % 6 == 5 else "train" for i in range(n)]
    images = draw_pictures(n, resolution, 3, seed)
    red, _, blue = images.mean((1, 2)).T
    labels = np.stack((red > blue, images.mean((1, 2, 3)), red / (red + blue)), 1)
    labels[1::5, 0] = labels[3::7, 1] = np.nan
    with DatasetWriter(path, resolution, 3, label_names=list(LABELS)) as writer:
        writer.add(images, names, names, splits, names, labels.astype(np.float32))
        writer.finish({"name": "labelled", "source": "drawn by the tests", "licence": "CC0-1.0"})
    return path


@pytest.fixture(scope="session")
def make_dataset() -> Callable[..., Path]:
    """The function `write_dataset`."""
    return write_dataset


@pytest.fixture(scope="session")
def dataset_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """48 colour pictures of 32 pixels, 40 of them to train on. Do not write into it."""
    return write_dataset(tmp_path_factory.mktemp("datasets") / "blobs")


@pytest.fixture(scope="session")
def grey_dataset_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same in grey."""
    return write_dataset(tmp_path_factory.mktemp("datasets") / "grey", channels=1)


@pytest.fixture(scope="session")
def labelled_dataset_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Colour pictures with the labels `warm` (binary), `light` (a quantity), `sure` (0 to 1)."""
    return write_labelled_dataset(tmp_path_factory.mktemp("datasets") / "labelled")


@pytest.fixture(scope="session")
def other_dataset_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Other pictures of the same shape."""
    return write_dataset(tmp_path_factory.mktemp("datasets") / "other", seed=1)


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing that tests make reaches the user's cache or models, also from subprocesses."""
    patch = pytest.MonkeyPatch()
    patch.setenv("FACEGAN_CACHE", str(tmp_path_factory.mktemp("cache")))
    patch.setenv("FACEGAN_HOME", str(tmp_path_factory.mktemp("home")))
    yield
    patch.undo()


@pytest.fixture(scope="session")
def tiny() -> Callable[..., Any]:
    """`tiny(name, *settings)`: a shipped recipe made small, 24 steps of 8 images long."""
    from facegan.recipe import Recipe

    def make(name: str, *settings: str) -> Recipe:
        recipe = Recipe.load(name)
        assert recipe.generator.kind in TINY, no_entry(recipe.generator.kind, "TINY")
        small = (*TINY[recipe.generator.kind], *TINY_RECIPES.get(name, ()))
        return recipe.override(*small, *SHORT, *settings)

    return make


class Watcher(Reporter):
    """A reporter that records what it is told and asks the run to stop, as SIGTERM does.

    Args:
        stop_at: images after which to send the signal; None lets the run end.
    """

    def __init__(self, stop_at: int | None = None) -> None:
        self.stop_at = stop_at
        self.said: list[str] = []
        self.lines: list[dict[str, Any]] = []
        self.steps: list[tuple[int, dict[str, float]]] = []

    def step(self, images_seen: int, values: dict[str, float]) -> None:
        self.steps.append((images_seen, values))
        if self.stop_at is not None and images_seen >= self.stop_at:
            self.stop_at = None
            signal.raise_signal(signal.SIGTERM)

    def tick(self, line: dict[str, Any], timing: dict[str, Any]) -> None:
        self.lines.append(line)

    def say(self, message: str) -> None:
        self.said.append(message)


@pytest.fixture(scope="session")
def watcher() -> type[Watcher]:
    """The class `Watcher`."""
    return Watcher


def final_bytes(run: Path) -> dict[str, bytes]:
    """What two equal runs must have in common, to the last byte."""
    last = sorted((run / "checkpoints").glob("[0-9]*k"))[-1]
    files = [last / "state.safetensors", last / "generator.safetensors", run / "metrics.jsonl"]
    found = {file.name: file.read_bytes() for file in files}
    for sample in sorted((run / "samples").glob("*.png")):
        found[f"samples/{sample.name}"] = sample.read_bytes()
    return found | {"checkpoint": last.name.encode()}


@pytest.fixture(scope="session")
def bytes_of() -> Callable[[Path], dict[str, bytes]]:
    """The function `final_bytes`."""
    return final_bytes


@pytest.fixture(scope="session")
def trainer_of(dataset_path: Path) -> Callable[..., Any]:
    """`trainer_of(recipe)`: a trainer on the small dataset or another, as the app builds it."""
    import torch

    from facegan.budget import parse_budget
    from facegan.data.dataset import Dataset
    from facegan.device import Execution
    from facegan.training.batch_source import BatchSource
    from facegan.training.plan import choose_precision
    from facegan.training.state import TrainingState
    from facegan.training.step import Trainer

    def make(recipe: Any, execution: Execution | None = None, data: Path = dataset_path) -> Trainer:
        dataset = Dataset.open(data)
        here = execution or Execution(torch.device("cpu"))
        batch_source = BatchSource.of(recipe, dataset, here)
        execution = execution or choose_precision(recipe, batch_source.spec, batch_source, here)
        state = TrainingState(recipe, batch_source.spec, execution, batch_source.label_rows())
        total = parse_budget(recipe.training.budget).images
        assert total is not None
        return Trainer(recipe, state, batch_source, execution, total)

    return make
