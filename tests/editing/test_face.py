"""A face in a PNG: made again to the last bit, and nothing believed of what others wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from facegan.editing.face import ENTRY, EditedFace
from facegan.errors import DataError, FaceganError
from facegan.generation.generator import OpenGenerator, open_generator
from facegan.generation.png import save_png


@pytest.fixture(scope="module")
def model() -> OpenGenerator:
    return open_generator()


def png(path: Path, **texts: str) -> Path:
    info = PngImagePlugin.PngInfo()
    for keyword, text in texts.items():
        info.add_text(keyword.replace("__", "."), text)
    Image.new("RGB", (4, 4)).save(path, pnginfo=info)
    return path


@pytest.mark.parametrize(
    "face",
    [
        EditedFace(seed=7),
        EditedFace(seed=0, truncation=0.7, edits={"Age": -1.5, "Smiling": 2.0}, model="ab" * 32),
        EditedFace(seed=3, labels={"Smiling": 0.0}),
        EditedFace(latent=np.arange(5, dtype=np.float32) / 3, photograph=True),
        EditedFace(
            latent=np.ones(4, np.float32), row=np.array([np.nan, 1], np.float32), truncation=0.5
        ),
        EditedFace(seed=2, parts={0: 1.5, 9: -2.0}),
        EditedFace(seed=2, mixed=(EditedFace(seed=5, truncation=0.5, edits={"Age": 1.0}), 16)),
    ],
    ids=["seed", "edits", "labels", "latent", "row", "components", "mixture"],
)
def test_an_entry_gives_back_the_face(face: EditedFace, tmp_path: Path) -> None:
    path = tmp_path / "face.png"
    save_png(path, np.zeros((4, 4, 3), np.uint8), [], {}, {ENTRY: face.entry()})
    back = EditedFace.of_png(path)
    assert back.entry() == face.entry()
    for name in ("latent", "row"):
        one, other = getattr(face, name), getattr(back, name)
        assert (one is None) == (other is None)
        if one is not None:
            assert np.array_equal(one, other, equal_nan=True)


def test_edits_that_are_nothing_are_not_told() -> None:
    assert json.loads(EditedFace(seed=1, edits={"Age": 0.0}).entry()) == {"seed": 1}


def test_a_picture_of_generate_tells_its_seed(tmp_path: Path) -> None:
    texts = {
        "facegan__seed": "12",
        "facegan__model": "recipe: a; truncation: 0.7; labels: A=1, B=2",
    }
    face = EditedFace.of_png(png(tmp_path / "a.png", **texts))
    assert (face.seed, face.truncation, face.labels) == (12, 0.7, {"A": 1.0, "B": 2.0})


@pytest.mark.parametrize(
    "texts",
    [
        {},
        {"facegan__seed": "0-63"},
        {"facegan__seed": "-1"},
        {"facegan__seed": "9" * 40},
        {"facegan__seed": "1", "facegan__model": "truncation: much"},
        {"facegan__face": "{"},
        {"facegan__face": "[]"},
        {"facegan__face": "{}"},
        {"facegan__face": '{"seed":1,"z":"AAAA"}'},
        {"facegan__face": '{"seed":1.5}'},
        {"facegan__face": '{"seed":1,"psi":2}'},
        {"facegan__face": '{"seed":1,"edits":{"Age":1e9}}'},
        {"facegan__face": '{"seed":1,"edits":{"Age":NaN}}'},
        {"facegan__face": '{"seed":1,"parts":{"x":2.0}}'},
        {"facegan__face": '{"seed":1,"parts":{"0":1e9}}'},
        {"facegan__face": '{"seed":1,"mix":{"side":8}}'},
        {"facegan__face": '{"seed":1,"mix":{"side":8,"face":{"seed":2},"more":1}}'},
        {
            "facegan__face": '{"seed":1,"mix":{"side":8,"face":{"seed":2,"mix":'
            '{"side":8,"face":{"seed":3}}}}}'
        },
        {"facegan__face": '{"seed":1,"run":"rm"}'},
        {"facegan__face": '{"seed":1,"model":"x"}'},
        {"facegan__face": '{"z":"!!"}'},
        {"facegan__face": '{"z":"AAA="}'},
        {"facegan__face": '{"z":"AADAfw=="}'},
        {"facegan__face": '{"z":""}'},
        {"facegan__face": "[" * 100_000},
    ],
)
def test_texts_that_make_no_sense_are_refused(texts: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        EditedFace.of_png(png(tmp_path / "a.png", **texts))
    assert caught.value.hint
    assert len(caught.value.message) < 400


def test_what_is_no_png_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    for content in (b"", b"GIF89a", png(tmp_path / "b.png").read_bytes()[:40]):
        path.write_bytes(content)
        with pytest.raises(DataError, match="cannot be read"):
            EditedFace.of_png(path)


def test_a_face_has_one_beginning_and_possible_numbers() -> None:
    wrong: list[dict[str, Any]] = [
        {},
        {"seed": 1, "latent": np.zeros(3, np.float32)},
        {"seed": -1},
        {"seed": 1, "truncation": 1.5},
    ]
    for arguments in wrong:
        with pytest.raises(FaceganError):
            EditedFace(**arguments)


def test_a_seed_enters_the_network_as_generate_draws_it(model: OpenGenerator) -> None:
    drawn = EditedFace(seed=5, truncation=0.5).inputs(model)
    whole = EditedFace(seed=5).inputs(model)
    assert (drawn.rows, drawn.mixture) == (None, None)
    assert (drawn.z == np.float32(0.5) * whole.z).all()
    again = EditedFace(latent=whole.z[0]).inputs(model)
    assert (again.z == whole.z).all()


def test_what_does_not_fit_the_generator_is_refused(model: OpenGenerator) -> None:
    with pytest.raises(FaceganError, match="3 numbers"):
        EditedFace(latent=np.zeros(3, np.float32)).inputs(model)
    with pytest.raises(FaceganError, match="no directions"):
        EditedFace(seed=1, edits={"Age": 1.0}).inputs(model)
    with pytest.raises(FaceganError, match="no label"):
        EditedFace(seed=1, labels={"Age": 1.0}).inputs(model)
    with pytest.raises(FaceganError, match="no component 40"):
        EditedFace(seed=1, parts={40: 1.0}).inputs(model)
    with pytest.raises(FaceganError, match="8, 16, 32"):
        EditedFace(seed=1, mixed=(EditedFace(seed=2), 64)).inputs(model)
