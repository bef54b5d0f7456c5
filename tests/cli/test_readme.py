"""Every command of the README, as it stands there, at a size that fits a test."""

from __future__ import annotations

import re
import shlex
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

README = Path(__file__).parents[2] / "README.md"
# What makes a command small: words of it, and what stands in their place.
SMALLER = (
    (r"--budget \S+", "--budget 32img"),
    (r"-n \d+", "-n 4"),
    (r"--resolution \d+", "--resolution 32"),
    (r"--crop 152", "--crop full"),
    (r"^(facegan study .*)", r"\1 --dry-run"),
    (r"^facegan studio.*", "facegan studio --help"),  # it runs until Ctrl-C
    (r"^(facegan evaluate .*)", r"\1 -n 60 --extractor selfsup --no-faces"),
)
TRAINED = (
    " --set generator.channels=4 --set discriminator.channels=4 --set training.batch=16"
    " --set evaluation.times=0"
)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README.read_text("utf-8"), re.DOTALL)


def commands() -> list[str]:
    """Those of facegan, in their order, without what stands behind them as a comment."""
    lines = [
        line.partition(" #")[0].strip() for block in blocks("sh") for line in block.split("\n")
    ]
    return [line for line in lines if line.startswith("facegan ")]


def small(command: str) -> str:
    for words, instead in SMALLER:
        command = re.sub(words, instead, command)
    if command.startswith("facegan train ") and "--dry-run" not in command:
        command += TRAINED
    return command


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, command: Any) -> Path:
    """A folder with what the README takes for granted: photographs, LFW, a plan, another run."""
    folder = tmp_path_factory.mktemp("readme")
    random = np.random.default_rng(0)
    (folder / "photographs").mkdir()
    shades = random.integers(0, 256, (300, 4, 4, 3), np.uint8)
    for n, shade in enumerate(shades):
        Image.fromarray(shade).resize((32, 32), Image.Resampling.BICUBIC).save(
            folder / f"photographs/{n:04}.png"
        )
    with tarfile.open(folder / "lfw-deepfunneled.tgz", "w:gz") as lfw:
        for n in range(24):
            name = f"lfw-deepfunneled/Person_{n % 8:02}/Person_{n % 8:02}_{n // 8 + 1:04}.jpg"
            Image.fromarray(shades[n]).resize((48, 48)).save(folder / "face.jpg")
            lfw.add(folder / "face.jpg", name)
    rows = [f"Person_{n % 8:02}/Person_{n % 8:02}_{n // 8 + 1:04}.jpg,{n % 2}" for n in range(24)]
    (folder / "lfw-attributes.csv").write_text("\n".join(["image,Smiling", *rows]) + "\n", "utf-8")
    shown = command("study", "quick", "--show", cwd=folder)
    (folder / "mine.toml").write_text(shown.out, "utf-8")
    begin = "train dcgan --data portraits:80@32 --run runs/b --budget 32img" + TRAINED
    assert command(*shlex.split(begin), cwd=folder).status == 0
    return folder


def test_every_command_does_what_it_says(
    home: Path, call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In their order, as a reader types them."""
    monkeypatch.chdir(home)
    # So that an evaluation of few pictures will do.
    monkeypatch.setattr("facegan.apps.packing.ENOUGH", 60)
    given = commands()
    assert len(given) > 15
    for line in given:
        ended = call(*shlex.split(small(line))[1:])
        assert ended.status == 0, f"{line}\n{ended.out}{ended.err}"
        assert "Traceback" not in ended.err, f"{line}\n{ended.err}"


def test_the_python_lines_run(
    home: Path, monkeypatch: pytest.MonkeyPatch, make_dataset: Callable[..., Path]
) -> None:
    monkeypatch.chdir(home)
    (block,) = blocks("python")
    make_dataset(home / "small", n=240)
    for words, instead in (
        ('"200kimg"', '"16img"'),
        ('data="portraits"', 'data="small"'),
        ("n=2000", 'n=100, extractors=["efflite0@32"]'),
        ('"runs/b"', '"runs/python"'),
        ("channels=32", "channels=4"),
    ):
        assert words in block
        block = block.replace(words, instead)
    exec(compile(block, str(README), "exec"), {})
    assert len(list((home / "pictures").glob("*.png"))) >= 16
