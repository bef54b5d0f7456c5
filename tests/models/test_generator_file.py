"""Generator files: what is saved comes back, and nothing else is let in."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from facegan.apps.train import train
from facegan.data.pixels import Pixels
from facegan.data.spec import ImageSpec
from facegan.errors import FaceganError, RunError
from facegan.models.file import GeneratorFile
from facegan.runs.find import find_generator

Make = Callable[..., Any]
DATASET = {"name": "blobs", "source": "drawn", "licence": "CC0-1.0", "fingerprint": "ab" * 32}
STANDARD = Pixels.of("standard", (0.5, 0.4, 0.3), (0.2, 0.3, 0.1))


def made(tiny: Make, name: str, pixels: Pixels, channels: int = 3) -> GeneratorFile:
    recipe = tiny(name, f"data.range={pixels.range}")
    torch.manual_seed(0)
    generator = recipe.generator.build(ImageSpec(32, channels), recipe.data.range)
    for _ in range(2):
        generator(torch.randn(8, 6))  # other running statistics than the initial ones
    return GeneratorFile(generator.eval(), recipe, pixels, 1234, DATASET)


@pytest.fixture
def saved(tiny: Make, tmp_path: Path) -> Path:
    file = tmp_path / "saved.safetensors"
    made(tiny, "dcgan", Pixels.of("symmetric")).save(file)
    return file


def resaved(source: Path, target: Path, tensors: Any = None, **changes: Any) -> Path:
    """A copy of a generator file with entries of its metadata or its tensors changed."""
    with safe_open(source, framework="pt") as file:
        about = json.loads(file.metadata()["facegan"])
    metadata = {"facegan": json.dumps(about | changes)}
    save_file(load_file(source) if tensors is None else tensors, target, metadata=metadata)
    return target


@pytest.mark.parametrize(
    ("name", "pixels", "channels"),
    [("gan", Pixels.of("unit"), 1), ("dcgan", Pixels.of("symmetric"), 3), ("dcgan", STANDARD, 3)],
)
def test_round_trip(tiny: Make, tmp_path: Path, name: str, pixels: Pixels, channels: int) -> None:
    file = made(tiny, name, pixels, channels)
    file.save(tmp_path / "g.safetensors")
    found = GeneratorFile.load(tmp_path / "g.safetensors")
    assert found.recipe == file.recipe
    assert found.pixels == pixels
    assert found.generator.spec == ImageSpec(32, channels)
    assert (found.images_seen, found.dataset) == (1234, DATASET)
    assert not found.generator.training
    z = torch.randn(4, 6)
    assert torch.equal(found.generator(z), file.generator(z))


def test_saved_twice_gives_the_same_bytes(tiny: Make, saved: Path, tmp_path: Path) -> None:
    GeneratorFile.load(saved).save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == saved.read_bytes()
    other = made(tiny, "dcgan", Pixels.of("symmetric"))
    other.generator.to(memory_format=torch.channels_last)
    other.save(tmp_path / "layout.safetensors")
    assert (tmp_path / "layout.safetensors").read_bytes() == saved.read_bytes()


def test_a_foreign_safetensors_file(tmp_path: Path) -> None:
    file = tmp_path / "foreign.safetensors"
    save_file({"a": torch.zeros(3)}, file)
    with pytest.raises(RunError, match="no generator that facegan wrote"):
        GeneratorFile.load(file)


@pytest.mark.parametrize("kept", [0, 4, 7, 100, -1])
def test_a_truncated_file(saved: Path, kept: int) -> None:
    saved.write_bytes(saved.read_bytes()[:kept])
    with pytest.raises(RunError, match="not a readable safetensors file"):
        GeneratorFile.load(saved)


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.target,)


@pytest.mark.parametrize("write", [torch.save, lambda o, f: Path(f).write_bytes(pickle.dumps(o))])
def test_pickled_code_is_refused_and_not_run(tmp_path: Path, write: Any) -> None:
    sprung = tmp_path / "sprung"
    file = tmp_path / "model.pt"
    write(Trap(sprung), file)
    with pytest.raises(RunError, match="not a readable safetensors file"):
        GeneratorFile.load(file)
    assert not sprung.exists()
    pickle.loads(pickle.dumps(Trap(sprung)))
    assert sprung.exists(), "the trap itself does not work"


def test_a_newer_format_asks_for_an_upgrade(saved: Path, tmp_path: Path) -> None:
    newer = resaved(saved, tmp_path / "newer.safetensors", format=2, version="9.0", recipe="?")
    with pytest.raises(RunError, match=r"facegan 9\.0, in a newer format") as caught:
        GeneratorFile.load(newer)
    assert "upgrade" in caught.value.hint


def wrong_tensors(good: dict[str, torch.Tensor]) -> dict[str, dict[str, torch.Tensor]]:
    first = "layers.0.weight"
    return {
        "shape": good | {first: torch.zeros(1, 2, 3)},
        "missing": {k: v for k, v in good.items() if k != first},
        "extra": good | {"layers.99.weight": torch.zeros(2)},
        "none": {},
    }


@pytest.mark.parametrize("wrong", ["shape", "missing", "extra", "none"])
def test_tensors_that_do_not_fit(saved: Path, tmp_path: Path, wrong: str) -> None:
    tensors = wrong_tensors(load_file(saved))[wrong]
    file = resaved(saved, tmp_path / "wrong.safetensors", tensors)
    with pytest.raises(RunError, match="does not hold the generator"):
        GeneratorFile.load(file)


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "one"},
        {"format": None},
        {"recipe": "name = 3"},
        {"recipe": 3},
        {"spec": {"resolution": "64", "channels": 3, "labels": 0}},
        {"spec": {"resolution": 33, "channels": 3, "labels": 0}},
        {"spec": {"resolution": 64, "colours": 3}},
        {"spec": 64},
        {"pixels": {"range": "standard", "mean": [], "std": []}},
        {"pixels": {"range": "bogus", "mean": [], "std": []}},
        {"pixels": {"range": "unit", "mean": [], "std": []}},
        {"pixels": None},
    ],
    ids=str,
)
def test_metadata_that_makes_no_sense(saved: Path, tmp_path: Path, changes: dict[str, Any]) -> None:
    """`unit` would be a lie: the recipe inside says `symmetric`."""
    file = resaved(saved, tmp_path / "wrong.safetensors", **changes)
    with pytest.raises(FaceganError):
        GeneratorFile.load(file)


def test_metadata_that_is_not_json(saved: Path, tmp_path: Path) -> None:
    for text in ("{", "[]", "3", "null", ""):
        save_file(load_file(saved), tmp_path / "x.safetensors", metadata={"facegan": text})
        with pytest.raises(RunError, match="does not hold"):
            GeneratorFile.load(tmp_path / "x.safetensors")


def test_finding_a_runs_generator(
    tiny: Make, watcher: Any, dataset_path: Path, tmp_path: Path, saved: Path
) -> None:
    assert find_generator(saved) == saved
    run = tmp_path / "run"
    train(tiny("gan"), dataset_path, run, reporter=watcher(72))
    assert find_generator(run) == run / "checkpoints" / "000000.072k" / "generator.safetensors"
    (run / "checkpoints" / "000000.072k" / "generator.safetensors").write_bytes(b"broken")
    assert find_generator(run) == run / "checkpoints" / "000000.064k" / "generator.safetensors"
    (run / "checkpoints" / "000000.064k" / "manifest.json").unlink()
    with pytest.raises(RunError, match="Every checkpoint"):
        find_generator(str(run))
    with pytest.raises(RunError, match="does not exist"):
        find_generator(tmp_path / "absent")
    with pytest.raises(RunError, match="is not a run"):
        find_generator(tmp_path)
    with pytest.raises(RunError, match="not a readable"):
        GeneratorFile.load(tmp_path)
