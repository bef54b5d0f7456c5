"""The short form of `benchmarks/mutated_inputs.py`."""

from __future__ import annotations

import importlib.util
import random
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

FILE = Path(__file__).parents[2] / "benchmarks" / "mutated_inputs.py"


@pytest.fixture(scope="module")
def mutated() -> ModuleType:
    spec = importlib.util.spec_from_file_location("mutated_inputs", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules["mutated_inputs"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def formats(mutated: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """All that is tried."""
    return mutated.formats(tmp_path_factory.mktemp("mutated"))


def test_good_files_are_taken(mutated: ModuleType, formats: list[Any]) -> None:
    """Otherwise what follows would refuse all for another reason."""
    dice = random.Random(0)
    for each in formats:
        for good in dice.sample(each.good, min(len(each.good), 20)):
            assert mutated.outcome(each, good) == "taken", each.name


def test_nothing_but_errors_for_people_comes_out(mutated: ModuleType, formats: list[Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = mutated.tried(formats, 3000, seed=1)
    assert {
        name: counts["escaped"] for name, (counts, _) in found.items() if counts["escaped"]
    } == {}
    assert all(counts["refused"] for name, (counts, _) in found.items() if name != "journals")


def test_an_escape_is_counted(mutated: ModuleType) -> None:
    def read(data: bytes) -> None:
        raise ZeroDivisionError

    assert mutated.outcome(mutated.Format("x", [b""], read), b"") == "escaped"
