"""The short form of `benchmarks/mutated_imports.py`: damaged sources through the real import."""

from __future__ import annotations

import faulthandler
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def mutated() -> ModuleType:
    sys.path.insert(0, str(FOLDER))
    try:
        spec = importlib.util.spec_from_file_location(
            "mutated_imports", FOLDER / "mutated_imports.py"
        )
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["mutated_imports"] = module
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(FOLDER))
    return module


def test_good_sources_become_datasets(mutated: ModuleType, tmp_path: Path) -> None:
    for each in mutated.layouts():
        for name, content in each.files.items():
            place = tmp_path / "source" / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        assert mutated.here(tmp_path, each) == "made", each.name
        mutated.shutil.rmtree(tmp_path / "source")


@pytest.mark.filterwarnings("ignore")
def test_damaged_sources_leave_a_whole_dataset_or_nothing(
    mutated: ModuleType, tmp_path: Path
) -> None:
    found = mutated.tried(tmp_path, 300, 1, mutated.here)
    assert sum(counts["escaped"] for counts, _ in found.values()) == 0
    assert sum(counts.total() for counts, _ in found.values()) >= 280
    assert sum(counts["made"] for counts, _ in found.values()) > 30
    assert sum(counts["refused"] for counts, _ in found.values()) > 30


@pytest.mark.filterwarnings("ignore")
def test_the_same_through_the_command_line(mutated: ModuleType, tmp_path: Path) -> None:
    found = mutated.tried(tmp_path, 10, 2, mutated.apart)
    assert sum(counts["escaped"] for counts, _ in found.values()) == 0


@pytest.mark.filterwarnings("ignore")
def test_commands_that_escape_are_told_apart(
    mutated: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    each = mutated.layouts()[0]
    (tmp_path / "source").mkdir()

    def fails() -> None:
        raise KeyError

    monkeypatch.setattr("facegan.cli.main", fails)
    assert mutated.forked(tmp_path, each) == "escaped"

    def aborts() -> None:
        faulthandler.disable()  # it would tell of the abort in the tests' own output
        mutated.os.abort()

    monkeypatch.setattr("facegan.cli.main", aborts)
    assert mutated.forked(tmp_path, each) == "escaped"
