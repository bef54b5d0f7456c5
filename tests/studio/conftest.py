"""A generator to open the studio with: small, or of faces."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_generators import LABELS, write_directions, write_generator


@pytest.fixture(scope="session")
def model(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small generator with directions."""
    path = write_generator(tiny, tmp_path_factory.mktemp("models") / "small.safetensors")
    write_directions(path)
    return path


@pytest.fixture(scope="session")
def labelled(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small generator with labels."""
    return write_generator(tiny, tmp_path_factory.mktemp("models") / "labelled.safetensors", LABELS)


@pytest.fixture(scope="session")
def mixing(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small generator with labels whose faces can be mixed by resolution."""
    path = tmp_path_factory.mktemp("models") / "mixing.safetensors"
    return write_generator(tiny, path, LABELS, recipe="ignm", size=6)


@pytest.fixture(scope="session")
def run_folder(make_run_folder: Callable[[Path], Path], tmp_path_factory: Any) -> Path:
    """A folder with two runs."""
    folder = tmp_path_factory.mktemp("runs")
    for name in ("a", "b"):
        make_run_folder(folder / name)
    return Path(folder)


@pytest.fixture(scope="session")
def make_run_folder(tiny: Any, dataset_path: Path) -> Callable[[Path], Path]:
    """`make_run_folder(path)`: a finished small run."""
    import shutil

    from facegan.apps.train import train

    made: list[Path] = []

    def make(path: Path) -> Path:
        if made:
            shutil.copytree(made[0], path)
        else:
            train(tiny("gan"), dataset_path, path, device="cpu", threads=1)
            made.append(path)
        return path

    return make
