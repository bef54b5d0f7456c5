"""Files that the page writes are read by others: Pillow, zipfile; and the page reads theirs."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from node import needs_node, run
from PIL import Image, ImageSequence

from facegan.data.pictures import open_picture
from facegan.data.pixels import Pixels
from facegan.generation.png import save_png

pytestmark = needs_node

_IMAGES = """
import { pngBytes, apngBytes, zipBytes, pngTexts, crc32 } from "FRONT/files.js";
import { writeFileSync, readFileSync } from "node:fs";
const images = given.images.map((pixels) => ({
  width: given.side, height: given.side,
  data: Uint8ClampedArray.from(pixels.flat(2)),
}));
"""


def rgba(images: np.ndarray) -> dict[str, Any]:
    alpha = np.full((*images.shape[:3], 1), 255, np.uint8)
    return {"images": np.concatenate([images, alpha], 3).tolist(), "side": images.shape[1]}


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, 9, 9, 3), np.uint8)


def test_png_with_texts(images: np.ndarray, tmp_path: Path) -> None:
    run(
        _IMAGES
        + """
        const face = JSON.stringify({ seed: 1, ö: "日本" });
        const texts = { Software: "facegan", "facegan.face": face };
        writeFileSync("a.png", await pngBytes(images[0], texts));
        """,
        rgba(images),
        tmp_path,
    )
    with open_picture(tmp_path / "a.png") as opened:
        assert np.array_equal(np.asarray(opened), images[0])
        assert opened.text["Software"] == "facegan"  # type: ignore[attr-defined]
        assert opened.text["facegan.face"] == '{"seed":1,"ö":"日本"}'  # type: ignore[attr-defined]


def test_animated_png(images: np.ndarray, tmp_path: Path) -> None:
    run(_IMAGES + 'writeFileSync("a.png", await apngBytes(images, 40));', rgba(images), tmp_path)
    with open_picture(tmp_path / "a.png") as opened:
        assert opened.n_frames == 3  # type: ignore[attr-defined]
        assert opened.info["duration"] == 40
        frames = [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(opened)]
    assert np.array_equal(frames, images)


def test_zip(tmp_path: Path) -> None:
    run(
        _IMAGES
        + """
        const text = new TextEncoder();
        writeFileSync("a.zip", zipBytes([["ö.txt", text.encode("one")], ["b", text.encode("")]]));
        """,
        {"images": [], "side": 0},
        tmp_path,
    )
    with zipfile.ZipFile(tmp_path / "a.zip") as opened:
        assert opened.testzip() is None
        assert opened.namelist() == ["ö.txt", "b"]
        assert opened.read("ö.txt") == b"one"


def test_texts_of_facegans_own_pictures(images: np.ndarray, tmp_path: Path) -> None:
    save_png(tmp_path / "a.png", images[0], [7], {"model": "lfw-64", "truncation": "0.7"})
    Image.fromarray(images[0]).save(tmp_path / "plain.png")
    (tmp_path / "photograph.jpg").write_bytes(b"\xff\xd8\xff\xe0 no PNG")
    (tmp_path / "cut.png").write_bytes((tmp_path / "a.png").read_bytes()[:60])
    names = ["a.png", "plain.png", "photograph.jpg", "cut.png"]
    own, plain, photograph, _ = run(
        _IMAGES
        + """
        const texts = [];
        for (const name of given.names) {
          texts.push(await pngTexts(new Uint8Array(readFileSync(name))));
        }
        console.log(JSON.stringify(texts));
        """,
        {"images": [], "names": names},
        tmp_path,
    )
    assert own["facegan.seed"] == "7"
    assert own["facegan.model"] == "model: lfw-64; truncation: 0.7"
    assert plain == {}
    assert photograph is None


@pytest.mark.parametrize("range_", ["unit", "symmetric", "standard"])
def test_values_become_the_same_bytes(range_: Any) -> None:
    import torch

    mean, std = [0.5, 0.4, 0.45], [0.25, 0.2, 0.3]
    pixels = Pixels.of(range_, mean, std)
    every = torch.arange(256, dtype=torch.uint8).view(1, 16, 16, 1).repeat(1, 1, 1, 3)
    values = pixels.to_model(every).contiguous()
    values = torch.cat([values, values + 0.5 / 255, torch.randn(2, 3, 16, 16)])
    found = run(
        """
        import { toBytes } from "FRONT/engine.js";
        const model = { resolution: 16, channels: 3, pixels: given.pixels };
        const bytes = toBytes(Float32Array.from(given.values), given.n, model);
        console.log(JSON.stringify([...bytes]));
        """,
        {
            "values": values.flatten().tolist(),
            "n": len(values),
            "pixels": {"range": range_, "mean": mean, "std": std},
        },
    )
    assert np.array_equal(found, pixels.to_bytes(values).flatten().numpy())
