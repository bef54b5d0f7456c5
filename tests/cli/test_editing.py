"""`facegan directions`, `edit` and `film`, as a person types them, on the model in the box."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import facegan
from facegan.editing.directions import Directions, path_beside
from facegan.editing.face import ENTRY
from facegan.editing.finding import find_directions
from facegan.generation.generator import open_generator
from facegan.models.store import find_model

MODEL = find_model("lfw-64").path


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


# --- directions ----------------------------------------------------------------------------
def test_the_model_in_the_box_has_directions_and_they_can_be_shown(call: Any) -> None:
    ended = call("directions", "lfw-64", "--show")
    assert (ended.status, ended.err) == (0, "")
    for name in ("Smiling", "Eyeglasses", "Age", "Male", "Blond_Hair", "Turned_Right"):
        assert name in ended.out
    table = ended.out.split("\n\n")[0]
    assert max(map(len, table.splitlines())) <= 80
    assert "…" not in table


def test_directions_are_found_written_and_used(
    call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facegan.apps.edit._FEWEST_FACES", 300)
    out = tmp_path / "own.safetensors"
    words = ("--name", "Smiling", "--name", "Light", "-n", "300", "--measured", "8")
    ended = call("directions", "lfw-64", *words, "--out", str(out))
    assert ended.status == 0, ended.err
    found = Directions.load(out, MODEL)
    assert found.names == ("Smiling", "Light")
    assert (found.gain > 0.5).all()
    assert found.found.kinds == ("attribute", "light")
    assert found.rows()[0]["direction"] == "Smiling"
    picture = tmp_path / "a.png"
    ended = call("edit", "--set", "light=2", "--directions", str(out), "--out", str(picture))
    assert ended.status == 0, ended.err
    before = facegan.generate(out=tmp_path / "before", n=1)[0]
    assert pixels(picture).mean() > pixels(before).mean() + 5


def test_the_same_faces_give_the_same_directions() -> None:
    one, other = (
        find_directions(open_generator(MODEL, device="cpu"), ["Light"], n=60, measured=2)
        for _ in range(2)
    )
    assert one.names == ("Light",)
    assert (one.vectors == other.vectors).all()


# --- edit ----------------------------------------------------------------------------------
def test_an_edited_picture_says_how_and_is_made_again_from_what_it_says(
    call: Any, tmp_path: Path
) -> None:
    one, two, three = (tmp_path / f"{name}.png" for name in ("one", "two", "three"))
    words = ("--seed", "7", "--set", "smiling=+2", "--truncation", "0.8")
    ended = call("edit", "lfw-64", *words, "--out", str(one))
    assert (ended.status, ended.out) == (0, f"Wrote {one}.\n")
    with Image.open(one) as image:
        texts = image.info
    assert texts["facegan.seed"] == "7"
    assert "edits: Smiling=2" in texts["facegan.model"]
    assert "truncation: 0.8" in texts["facegan.model"]
    assert "trainedAlgorithmicMedia" in texts["DigitalSourceType"]
    said = json.loads(texts[ENTRY])
    assert (said["seed"], said["psi"], said["edits"]) == (7, 0.8, {"Smiling": 2.0})
    assert call("edit", "--from", str(one), "--set", "age=1", "--out", str(two)).status == 0
    assert (pixels(two) != pixels(one)).any()
    assert call("edit", "--from", str(two), "--set", "age=-1", "--out", str(three)).status == 0
    assert one.read_bytes() == three.read_bytes()


def test_a_face_that_is_not_changed_is_the_seeds_picture(call: Any, tmp_path: Path) -> None:
    made = facegan.generate(out=tmp_path / "plain", n=3, seed=4, truncation=0.7)
    out = tmp_path / "same.png"
    words = ("--seed", "4", "-n", "3", "--truncation", "0.7", "--set", "smiling=0")
    assert call("edit", *words, "--columns", "3", "--out", str(out)).status == 0
    whole = pixels(out)
    for place, path in enumerate(made):
        assert (whole[:, 66 * place : 66 * place + 64] == pixels(path)).all()


def test_a_sheet_shows_every_face_from_less_to_more(call: Any, tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    assert call("edit", "-n", "2", "--sheet", "light", "--out", str(out)).status == 0
    whole = pixels(out)
    assert whole.shape == (2 * 66 - 2, 7 * 66 - 2, 3)
    light = [whole[:, 66 * k : 66 * k + 64].mean() for k in range(7)]
    assert light == sorted(light)
    plain = facegan.generate(out=tmp_path / "plain", n=1)[0]
    assert (whole[:64, 3 * 66 : 3 * 66 + 64] == pixels(plain)).all()


def test_the_file_is_named_by_what_it_shows(
    call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call("edit", "--seed", "3", "--set", "Blond-Hair=1.5").status == 0
    assert [path.name for path in tmp_path.iterdir()] == ["lfw-64-blond-hair-1.5-seed-3.png"]


# --- film ----------------------------------------------------------------------------------
def test_a_walk_is_a_loop_through_the_faces_of_its_seeds(call: Any, tmp_path: Path) -> None:
    out = tmp_path / "walk.webp"
    words = ("--seeds", "1,5", "--seconds", "0.5", "--rate", "8", "--out", str(out))
    ended = call("film", *words)
    assert ended.status == 0, ended.err
    assert str(out) in ended.out
    made = facegan.generate(out=tmp_path / "plain", n=5, seed=1)
    with Image.open(out) as film:
        assert film.n_frames == 8
        for frame, path in ((0, made[0]), (4, made[4])):
            film.seek(frame)
            found = np.asarray(film.convert("RGB")).astype(int)
            assert np.abs(found - pixels(path)).max() <= 1
        assert b"seeds: 1 5" in film.info["xmp"]


def test_a_sweep_moves_all_faces_there_and_back(tmp_path: Path) -> None:
    out = facegan.film(
        None,
        tmp_path / "sweep.apng",
        seeds=[0, 1],
        sweep=("light", -2, 2),
        seconds=0.5,
        rate=8,
        scale=2,
    )
    with Image.open(out) as film:
        assert film.n_frames == 8
        assert film.size == (2 * (2 * 66 - 2), 128)
        light = []
        for frame in range(8):
            film.seek(frame)
            light.append(np.asarray(film.convert("RGB")).mean())
    assert light[:5] == sorted(light[:5])
    assert np.allclose(light[1:4], light[:4:-1])


def test_kept_faces_are_filmed_with_their_edits(call: Any, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    for name, words in {
        "a": ("--seed", "3", "--set", "smiling=2", "--truncation", "0.7"),
        "b": ("--seed", "4", "--mix", "5@16"),
    }.items():
        ended = call("edit", *words, "--out", str(kept / f"{name}.png"))
        assert ended.status == 0, ended.err
    with zipfile.ZipFile(tmp_path / "faces.zip", "w") as archive:
        for file in sorted(kept.iterdir()):
            archive.write(file, file.name)
        archive.writestr("faces.json", "{}")
    made = []
    for number, given in enumerate((kept, tmp_path / "faces.zip")):
        out = tmp_path / f"walk-{number}.apng"
        words = ("--faces", str(given), "--seconds", "0.1", "--rate", "20", "--out", str(out))
        ended = call("film", *words)
        assert ended.status == 0, ended.err
        made.append(out.read_bytes())
        with Image.open(out) as film:
            assert film.n_frames == 4
            for place, name in ((0, "a"), (2, "b")):
                film.seek(place)
                found = np.asarray(film.convert("RGB")).astype(int)
                with Image.open(kept / f"{name}.png") as picture:
                    assert np.abs(found - np.asarray(picture)).max() <= 1
    assert made[0] == made[1]
    refused = {
        "two faces": ("--faces", str(kept / "a.png")),
        "leave yours out": ("--faces", str(kept), "--truncation", "0.5"),
        "no PNG": ("--faces", str(tmp_path)),
        "as a zip": ("--faces", str(_written(tmp_path / "no.zip"))),
    }
    for said, words in refused.items():
        ended = call("film", *words)
        assert ended.status != 0
        assert said.lower() in ended.err.lower()


def _written(path: Path) -> Path:
    path.write_bytes(b"no zip")
    return path


# --- mixing and photographs ----------------------------------------------------------------
def test_two_faces_are_mixed_and_the_file_says_so(call: Any, tmp_path: Path) -> None:
    out = tmp_path / "mixed.png"
    ended = call("edit", "--seed", "1", "--mix", "5@16", "--out", str(out))
    assert ended.status == 0, ended.err
    with Image.open(out) as image:
        assert "mixed: from 16 px on with seed 5" in image.info["facegan.model"]
        entry = json.loads(image.info[ENTRY])
    assert entry["mix"] == {"side": 16, "face": {"seed": 5}}
    again = tmp_path / "again.png"
    ended = call("edit", "--from", str(out), "--set", "smiling=0", "--out", str(again))
    assert ended.status == 0, ended.err
    assert (pixels(again) == pixels(out)).all()
    made = facegan.generate(out=tmp_path / "plain", n=5, seed=1)
    for path in (made[0], made[4]):
        assert np.abs(pixels(out).astype(int) - pixels(path)).mean() > 2


def test_a_face_is_found_in_a_photograph_and_edited(call: Any, tmp_path: Path) -> None:
    """The photograph is a generated face, enlarged, turned and beside the middle."""
    face = facegan.generate(out=tmp_path / "face", n=1, seed=18, truncation=0.6)[0]
    with Image.open(face) as image:
        large = image.convert("RGB").resize((256, 256), Image.Resampling.BICUBIC)
    photograph = Image.new("RGB", (500, 400), (90, 110, 130))
    photograph.paste(large, (180, 80))
    photograph = photograph.rotate(8, Image.Resampling.BICUBIC)
    photograph.save(tmp_path / "photograph.png")
    out, both = tmp_path / "found.png", tmp_path / "both.png"
    words = ("--steps", "30", "--out", str(out), "--compare", str(both))
    ended = call("invert", str(tmp_path / "photograph.png"), *words)
    assert ended.status == 0, ended.err
    assert "The generator holds" in ended.out
    assert "two of its faces are" in ended.out
    assert np.abs(pixels(out).astype(int) - pixels(face)).mean() < 30
    side_by_side = pixels(both)
    assert (side_by_side[:, 66:] == pixels(out)).all()
    with Image.open(out) as image:
        said = json.loads(image.info[ENTRY])
        assert image.size == (64, 64)
    assert said["from"] == "photograph"
    assert "seed" not in said
    again = tmp_path / "again.png"
    assert call("edit", "--from", str(out), "--out", str(again)).status == 0
    assert (pixels(again) == pixels(out)).all()
    smile = tmp_path / "smile.png"
    ended = call("edit", "--from", str(out), "--set", "smiling=2", "--out", str(smile))
    assert ended.status == 0
    assert (pixels(smile) != pixels(out)).any()


def test_what_is_cut_out_already_is_taken_as_it_is(tmp_path: Path) -> None:
    face = facegan.generate(out=tmp_path / "face", n=1, seed=2)[0]
    found = facegan.invert(None, face, tmp_path / "found.png", aligned=True, steps=0)
    assert (found.photograph == pixels(face)).all()
    assert found.faces is None
    assert found.inverted.curve == (found.inverted.error,)
    assert found.rows()[0]["verdict"] == found.inverted.verdict


def test_an_encoder_is_written_where_it_is_asked_for(
    call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facegan.apps.invert._FEWEST_PICTURES", 100)
    monkeypatch.setattr("facegan.editing.inversion._OWN_STEPS", 4)
    out = tmp_path / "own.encoder.safetensors"
    ended = call("models", "encoder", "lfw-64", "-n", "100", "--out", str(out))
    assert ended.status == 0, ended.err
    assert "explains" in ended.out
    assert out.stat().st_size > 100_000


# --- what is refused -----------------------------------------------------------------------
@pytest.mark.parametrize(
    ("words", "fragments"),
    [
        (("edit", "--out", "a.png"), ("nothing to change", "smiling")),
        (("edit", "--set", "smilng=1"), ("'smilng'", "mean 'Smiling'")),
        (("edit", "--set", "smiling"), ("--set smiling", "NAME=AMOUNT")),
        (("edit", "--set", "smiling=much"), ("--set smiling=much", "NAME=AMOUNT")),
        (("edit", "--set", "smiling=99"), ("Smiling", "99", "20")),
        (("edit", "--set", "smiling=nan"), ("Smiling", "nan")),
        (("edit", "--set", "age=1", "--set", "Age=2"), ("twice",)),
        (("edit", "--set", "age=1", "--seed", "-1"), ("-1", "seed")),
        (("edit", "--set", "age=1", "-n", "0"), ("0", "from 1")),
        (("edit", "--set", "age=1", "--truncation", "2"), ("2", "[0, 1]")),
        (("edit", "--set", "age=1", "--out", "a.jpg"), ("a.jpg", ".png")),
        (("edit", "--set", "age=1", "--label", "old=1"), ("'old'", "without labels")),
        (("edit", "--sheet", "nose"), ("'nose'", "Smiling")),
        (("edit", "--from", "none.png", "--set", "age=1"), ("none.png", "cannot be read")),
        (("edit", "--set", "age=1", "--directions", "none"), ("none", "safetensors")),
        (("edit", "own.safetensors", "--set", "age=1"), ("no directions", "facegan directions")),
        (("edit", "--mix", "3"), ("--mix 3", "SEED@SIDE")),
        (("edit", "--mix", "3@64"), ("64", "8, 16, 32")),
        (("invert", "none.jpg"), ("none.jpg", "cannot be read")),
        (("invert", "text.jpg"), ("text.jpg", "no photograph")),
        (("invert", "blank.png"), ("no face", "looks into the camera")),
        (("invert", "blank.png", "--crop", "10"), ("crop", "aligned")),
        (("invert", "blank.png", "--aligned", "--crop", "999"), ("999", "1 to 80")),
        (("invert", "blank.png", "--steps", "-1"), ("-1", "from 0")),
        (("invert", "blank.png", "--out", "a.jpg"), ("a.jpg", ".png")),
        (("models", "encoder", "-n", "5"), ("5", "1000")),
        (("directions", "-n", "5"), ("5", "1000")),
        (("directions", "--name", "Nose"), ("'Nose'", "Pointy_Nose")),
        (("film", "--out", "a.avi"), ("a.avi", ".webp")),
        (("film", "--seeds", "1"), ("two faces", "more of them")),
        (("film", "--seeds", "a"), ("--seeds a", "1,5,9")),
        (("film", "--seeds", "5-1"), ("--seeds 5-1", "0-7")),
        (("film", "--rate", "1000"), ("1000", "60")),
        (("film", "--seconds", "nan"), ("nan", "frame")),
        (("film", "--seconds", "1e9"), ("frames", "20,000")),
        (("film", "--scale", "99"), ("99", "16")),
        (("film", "--sweep", "age"), ("--sweep age", "NAME=FROM:TO")),
        (("film", "--sweep", "nose=1:2"), ("'nose'", "Smiling")),
    ],
    ids=lambda value: (
        " ".join(value) if value and value[0] in ("edit", "film", "directions") else ""
    ),
)
def test_what_cannot_be_done_is_told_and_leaves_nothing(
    call: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    fragments: tuple[str, ...],
) -> None:
    monkeypatch.chdir(tmp_path)
    if "own.safetensors" in words:
        shutil.copy(MODEL, "own.safetensors")
    (tmp_path / "text.jpg").write_text("no picture")
    Image.new("RGB", (90, 80), "white").save(tmp_path / "blank.png")
    before = sorted(tmp_path.iterdir())
    ended = call(*words)
    assert ended.status == 2, ended.err
    assert "Traceback" not in ended.err
    assert len(ended.lines) <= 6
    for fragment in fragments:
        assert fragment in ended.err
    assert sorted(tmp_path.iterdir()) == before


def test_directions_of_another_generator_are_refused(call: Any, tmp_path: Path) -> None:
    """A generator that was trained on has other directions, though its file has the same name."""
    own = tmp_path / "own.safetensors"
    shutil.copy(MODEL, own)
    shutil.copy(path_beside(MODEL), path_beside(own))
    assert call("edit", str(own), "--set", "age=1", "--out", str(tmp_path / "a.png")).status == 0
    found = Directions.load(path_beside(own))
    object.__setattr__(found, "found", found.found.model_copy(update={"model": "0" * 64}))
    found.save(path_beside(own))
    ended = call("edit", str(own), "--set", "age=1", "--out", str(tmp_path / "b.png"))
    assert ended.status == 2
    assert "another generator" in ended.err
    assert not (tmp_path / "b.png").exists()
