"""Words become classes: imported, trained on, asked for by name."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from facegan.data.conditions import scaled_by_column
from facegan.data.dataset import Dataset
from facegan.generation.samples import image_inputs
from facegan.models.file import GeneratorFile

SMALL = shlex.split(
    "--set generator.channels=4 --set generator.latent.size=6 --set discriminator.channels=4"
    " --set training.batch=8 --set training.ticks=2 --set training.snapshots=1"
    " --set training.precision=fp32"
)
WORDS = ("Glad", "very sad", "GLAD ", "Angry", "very  Sad", "angry")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of three moods and a table with semicolons that says so, in six spellings."""
    home = tmp_path_factory.mktemp("classes")
    (home / "faces").mkdir()
    random = np.random.default_rng(0)
    rows = ["Bild;emotion;age"]
    for number in range(24):
        pixels = random.integers(0, 256, (32, 32, 3), np.uint8)
        Image.fromarray(pixels).save(home / "faces" / f"{number}.png")
        rows.append(f"{number}.png;{WORDS[number % 6]};{20 + number % 5},5")
    (home / "moods.csv").write_text("\r\n".join(rows), "utf-8-sig")
    return home


@pytest.fixture(scope="module")
def trained(home: Path, call: Any) -> Path:
    before = Path.cwd()
    os.chdir(home)
    try:
        words = "data import faces moods --resolution 32 --labels moods.csv --holdout 0"
        imported = call(*shlex.split(words))
        assert imported.status == 0, imported.err
        assert "emotion: 3 classes (angry, glad, very sad)" in imported.out
        command = "train dcgan --data moods --run run --device cpu --budget 32img"
        ended = call(*shlex.split(command), *SMALL, "--set", "data.labels=['emotion']")
        assert ended.status == 0, ended.err
    finally:
        os.chdir(before)
    return home


def test_the_classes_are_the_networks_labels(trained: Path) -> None:
    checkpoint = sorted((trained / "run" / "checkpoints").glob("*k"))[-1]
    labels = GeneratorFile.load(checkpoint / "generator.safetensors").generator.spec.labels
    assert [label.name for label in labels] == [
        "emotion=angry",
        "emotion=glad",
        "emotion=very sad",
    ]
    assert all(label.binary for label in labels)
    card = Dataset.open(trained / "moods").card
    assert card["labels"]["classes"] == {"emotion": {"angry": 8, "glad": 8, "very sad": 8}}


@pytest.mark.parametrize(
    "asked",
    [
        "--label emotion=glad",
        "--emotion Glad",
        "--emotion=glad",
        "--label emotion=glad=1",
        "--glad 1",
    ],
)
def test_a_class_is_asked_for_by_name(
    trained: Path, call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    monkeypatch.chdir(trained)
    out = tmp_path / "made"
    words = shlex.split(f"generate run --dataset -n 5 --out {out} {asked}")
    ended = call(*words)
    assert ended.status == 0, ended.err
    made = Dataset.open(out)
    assert made.labels is not None
    assert made.labels.tolist() == [[0, 1, 0]] * 5
    assert made.card["generated"]["labels"]["emotion=glad"] == 1


def test_another_class_is_another_picture(trained: Path) -> None:
    checkpoint = sorted((trained / "run" / "checkpoints").glob("*k"))[-1]
    generator = GeneratorFile.load(checkpoint / "generator.safetensors").generator
    made = {}
    for mood in ("glad", "very sad"):
        columns = scaled_by_column({"emotion": mood}, generator.spec.labels)
        z, labels = image_inputs(generator, 0, columns)
        with torch.no_grad():
            made[mood] = generator(z, labels)
    # After four steps its pictures are nearly grey: in bytes, they may be equal.
    assert not torch.equal(made["glad"], made["very sad"])


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("--emotion happy", "emotion has no class 'happy'"),
        ("--emotoin glad", "no option --emotoin"),
        ("--label emotion=gald", "Did you mean 'glad'?"),
    ],
)
def test_a_class_that_there_is_not(
    trained: Path, call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str, said: str
) -> None:
    monkeypatch.chdir(trained)
    ended = call(*shlex.split(f"generate run --out {tmp_path / 'x'} {asked}"))
    assert ended.status == 2
    assert said in ended.err


def test_the_classes_are_listed_together(
    trained: Path, call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trained)
    checkpoint = sorted(Path("run/checkpoints").glob("*k"))[-1]
    ended = call("models", "labels", str(checkpoint / "generator.safetensors"))
    assert ended.status == 0, ended.err
    assert "--emotion" in ended.out
    assert "one of angry, glad, very sad" in " ".join(ended.out.split())
