"""Directions: what a step does to a latent, and files that were damaged or are for another."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from facegan.editing import directions as editing
from facegan.editing.directions import Directions, DirectionSearch, directions_beside, path_beside
from facegan.errors import FaceganError, RunError
from facegan.files import sha256
from facegan.models.store import is_name

SIZE = 5


def made(model: str = "0" * 64, latent: Any = "normal", **changes: Any) -> Directions:
    """Three directions along the first three axes."""
    k = 3
    arrays = {
        "vectors": np.eye(k, SIZE, dtype=np.float32),
        "centre": np.zeros(k, np.float32),
        "spread": np.ones(k, np.float32),
        "up": np.array([[1, 0.4, 0], [0, 2, 0], [0, 0, 1]], np.float32),
        "down": np.array([[1, 0, 0], [0, 2, -1], [0, 0, 1]], np.float32),
        "identity": np.full(k, 0.5, np.float32),
        "plain_up": np.eye(k, dtype=np.float32),
        "plain_down": np.eye(k, dtype=np.float32),
        "plain_identity": np.full(k, 0.7, np.float32),
    }
    found = DirectionSearch(
        model=model,
        latent=latent,
        kinds=("attribute", "age", "light"),
        explained=(0.5, 0.4, 0.3),
        faces=10,
        seed=0,
        measured=4,
        step=2.0,
        identity="faces",
        weak=("Wearing_Hat",),
    )
    return Directions(("Smiling", "Age", "Light"), found=found, **(arrays | changes))


def latents(n: int = 4, noise: int = 0) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((n, SIZE + noise), np.float32)


def test_gain_and_leakage_are_read_off_the_effects() -> None:
    directions = made()
    assert directions.gain.tolist() == [1, 2, 1]
    assert np.allclose(directions.leakage, [[0, 0.4, 0], [0, 0, -0.5], [0, 0, 0]])


def test_a_normal_latent_keeps_its_length_and_turns_towards_the_direction() -> None:
    z = latents(noise=7)
    moved = made().moved(z, {"smiling": 2.0, "AGE": -1.0})
    wanted = z[:, :SIZE] + np.array([2, -1, 0, 0, 0])
    lengths = np.linalg.norm(z[:, :SIZE], axis=1, keepdims=True)
    assert np.allclose(moved[:, :SIZE], wanted * lengths / np.linalg.norm(wanted, axis=1)[:, None])
    assert (moved[:, SIZE:] == z[:, SIZE:]).all()
    assert moved.dtype == np.float32


def test_a_uniform_latent_stays_in_its_range() -> None:
    z = latents().clip(-1, 1)
    moved = made(latent="uniform").moved(z, {"Light": 5.0})
    assert (moved[:, 2] == 1).all()
    assert (np.delete(moved, 2, 1) == np.delete(z, 2, 1)).all()


def test_no_edit_changes_no_bit() -> None:
    z = latents()
    assert (made().moved(z, {}) == z).all()
    assert (made().moved(z, {"Smiling": 0.0}) == z).all()


@pytest.mark.parametrize(
    ("wanted", "fragments"),
    [
        ({"smilin": 1.0}, ("'smilin'", "mean 'Smiling'")),
        ({"wearing-hat": 1.0}, ("do not vary enough", "Smiling")),
        ({"Age": 1e9}, ("Age", "1e+09", "20")),
        ({"Age": float("nan")}, ("Age", "nan")),
        ({"Age": 1.0, "age": 2.0}, ("twice",)),
    ],
)
def test_impossible_edits_are_refused(wanted: dict[str, float], fragments: tuple[str, ...]) -> None:
    with pytest.raises(FaceganError) as caught:
        made().moved(latents(), wanted)
    for fragment in fragments:
        assert fragment in str(caught.value)


def test_latents_of_another_generator_are_refused() -> None:
    with pytest.raises(FaceganError, match="do not fit"):
        made().moved(latents()[:, :4], {"Age": 1.0})


def test_a_file_gives_back_what_was_saved(tmp_path: Path) -> None:
    path = tmp_path / "a.directions.safetensors"
    directions = made()
    directions.save(path)
    back = Directions.load(path)
    assert back.names == directions.names
    assert back.found == directions.found
    for name in editing._TENSORS:
        assert (getattr(back, name) == getattr(directions, name)).all()
    assert path.read_bytes() == back.to_bytes()


def test_directions_are_found_beside_their_model_alone(tmp_path: Path) -> None:
    model = tmp_path / "mine.safetensors"
    model.write_bytes(b"weights")
    assert path_beside(model).name == "mine.directions.safetensors"
    assert directions_beside(model) is None
    made(sha256(model)).save(path_beside(model))
    assert directions_beside(model) is not None
    model.write_bytes(b"other weights")
    with pytest.raises(RunError, match="another generator"):
        directions_beside(model)


def test_what_lies_beside_a_model_is_no_model() -> None:
    assert is_name("mine")
    assert not is_name("mine.directions")


def _about(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    """Changes the JSON of a file."""

    def apply(path: Path) -> None:
        about = json.loads(
            made().to_bytes()[8:].split(b'__metadata__":')[1].split(b'},"')[0] + b"}"
        )
        said = json.loads(about[editing.KEY])
        change(said)
        save_file(load_file(path), path, {editing.KEY: json.dumps(said)})

    return apply


def _arrays(change: Callable[[dict[str, np.ndarray]], Any]) -> Callable[[Path], None]:
    """Changes the arrays of a file."""

    def apply(path: Path) -> None:
        arrays = {name: getattr(made(), name).copy() for name in editing._TENSORS}
        change(arrays)
        about = {"format": 1, "names": made().names, **made().found.model_dump(mode="json")}
        save_file(arrays, path, {editing.KEY: json.dumps(about)})

    return apply


def _nan(arrays: dict[str, np.ndarray]) -> None:
    arrays["vectors"][0, 0] = np.nan


@pytest.mark.parametrize(
    ("damage", "fragment"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-9]), "not a readable safetensors"),
        (lambda path: path.write_bytes(b"{}"), "not a readable safetensors"),
        (lambda path: save_file({"a": latents()}, path), "no directions"),
        (_arrays(_nan), "not finite"),
        (_arrays(lambda a: a.update(spread=-a["spread"])), "spread"),
        (_arrays(lambda a: a.update(up=a["up"][:2])), "up"),
        (_arrays(lambda a: a.update(vectors=a["vectors"].astype(np.float64))), "float64"),
        (_arrays(lambda a: a.update(vectors=a["vectors"][:, :0])), "vectors"),
        (_arrays(lambda a: a.update(more=a["spread"])), "more"),
        (_arrays(lambda a: a.pop("identity") is None), "tensors"),
        (_about(lambda said: said.update(names=["Age", "age", "b"])), "repeat"),
        (_about(lambda said: said.update(names=3)), "make sense"),
        (_about(lambda said: said.update(format=99)), "newer"),
        (_about(lambda said: said.update(latent="cauchy")), "latent"),
        (_about(lambda said: said.update(kinds=["age"])), "does not fit"),
        (_about(lambda said: said.update(run="os.system('x')")), "run"),
        (_about(lambda said: said.pop("model")), "model"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(
    tmp_path: Path, damage: Callable[[Path], Any], fragment: str
) -> None:
    path = tmp_path / "a.directions.safetensors"
    made().save(path)
    damage(path)
    with pytest.raises(RunError) as caught:
        Directions.load(path)
    assert fragment in str(caught.value)
    assert caught.value.hint


def test_names_in_a_file_cannot_speak_to_a_terminal(tmp_path: Path) -> None:
    path = tmp_path / "a.directions.safetensors"
    made().save(path)
    _about(lambda said: said.update(names=["\x1b[2Jx", "b", "c"]))(path)
    assert "\x1b" not in Directions.load(path).names[0]
