"""The tutorial as a reader types it, from the first command to the last, at a size that fits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from documents import ROOT, blocks, commands
from PIL import Image

from hub_server import TOKEN, Hub, serving
from typed import call

TUTORIAL = ROOT / "docs/tutorial.md"
# What makes a command small: words of it, and what stands in their place. Each must be needed.
SMALLER = (
    (r"--resolution 64 --align", "--resolution 32"),  # the stand-ins for photographs are no faces
    (r"--budget 20min", "--budget 32img"),
    (r"--budget 25min", "--budget 64img"),
    (r"--from lfw-64", "--from runs/first"),  # of another size
    (r"(^train .* --run .*)", r"\1 --set training.batch=16 --set evaluation.times=0"),
    (r"(^train ignm-cpu .* --run .*)", r"\1 --set generator.refine=0"),
    (r"(^train .* --run .*)", r"\1 --set generator.channels=4 --set discriminator.channels=4"),
    (r"(^evaluate .*faces)$", r"\1 -n 60"),
    (r"-n 1000", "-n 60"),
    (r"(^evaluate .*)", r"\1 --extractor selfsup --no-faces --no-copying"),
    (r"(^generate .*)-n \d+", r"\1-n 4"),
)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """What the reader has: a folder of photographs, a text of limits, a login at a hub."""
    pytest.importorskip("huggingface_hub")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FACEGAN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    # So that an evaluation of few pictures will do.
    monkeypatch.setattr("facegan.apps.packing.ENOUGH", 60)
    shades = np.random.default_rng(0).integers(0, 256, (300, 4, 4, 3), np.uint8)
    Path("photographs").mkdir()
    for n, shade in enumerate(shades):
        picture = Image.fromarray(shade).resize((32, 32), Image.Resampling.BICUBIC)
        picture.save(f"photographs/{n:04}.png")
    Path("limits.txt").write_text("Shades of colour, and nobody's face.\n", "utf-8")
    with serving() as server:
        server.owner = "somebody"
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


def test_every_command_in_its_order(hub: Hub) -> None:
    needed = set()
    for command in commands(TUTORIAL):
        line = " ".join(command.words)
        for words, instead in SMALLER:
            line, found = re.subn(words, instead, line)
            if found:
                needed.add(words)
        ended = call(*line.split())
        assert ended.status == 0, f"{line}\n{ended.out}{ended.err}"
        if command.words[:2] == ["report", "runs/first"] and len(command.words) == 2:
            # The lines of Python come with step 7, where a run is there.
            for block in blocks(TUTORIAL, "python"):
                exec(compile(block, str(TUTORIAL), "exec"), {})
    assert needed == {words for words, _ in SMALLER}
    # What the last step gives away.
    for name in ("README.md", "samples.png", "report.html", "index.html"):
        assert Path("my-faces", name).stat().st_size > 1000
    there = hub.repositories["somebody/my-faces"]
    newest = there.commits[there.branches["main"]]
    assert newest["model.safetensors"] == Path("my-faces.safetensors").read_bytes()
    assert "nobody's face" in newest["README.md"].decode()
    assert "index.html" in newest
    assert Path("sixteen.png").exists()
