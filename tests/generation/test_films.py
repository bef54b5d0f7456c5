"""Films: walks on the sphere, and files that hold every frame and say what they show."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facegan.errors import FaceganError, StorageError
from facegan.generation import films
from facegan.generation.films import eased, enlarged, film_bytes, slerp, write_film
from facegan.generation.inputs import Inputs, Mixture, joined, walked
from facegan.networks.interfaces import Latent

SIZE = 16


def frames(n: int, side: int = 16, channels: int = 3) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (side, side, channels), np.uint8) for _ in range(n)]


def latents(n: int, noise: int = 0) -> np.ndarray:
    return np.random.default_rng(1).standard_normal((n, SIZE + noise), np.float32)


# --- latents -------------------------------------------------------------------------------
def test_half_the_way_on_a_sphere_is_the_bisector() -> None:
    one, other = np.array([[2.0, 0.0]]), np.array([[0.0, 2.0]])
    assert np.allclose(slerp(one, other, 0.5), [[np.sqrt(2), np.sqrt(2)]])
    assert np.allclose(slerp(one, other, 0.0), one)
    assert np.allclose(slerp(one, other, 1.0), other)


def test_angles_grow_evenly_and_lengths_between_the_ends() -> None:
    one, other = latents(2)[:, None]
    way = np.concatenate([slerp(one, 3 * other, share) for share in np.linspace(0, 1, 11)])
    units = way / np.linalg.norm(way, axis=1, keepdims=True)
    angles = np.arccos((units[1:] * units[:-1]).sum(1).clip(-1, 1))
    assert np.allclose(angles, angles[0], atol=1e-6)
    lengths = np.linalg.norm(way, axis=1)
    assert np.allclose(np.diff(lengths), np.diff(lengths)[0])


@pytest.mark.parametrize("factor", [1.0, -1.0])
def test_where_there_is_no_one_way_the_straight_line_is_taken(factor: float) -> None:
    one = latents(1)
    found = slerp(one, factor * one, 0.25)
    assert np.isfinite(found).all()
    assert np.allclose(found, (0.75 + 0.25 * factor) * one)


def test_easing_begins_and_ends_slowly() -> None:
    assert (eased(0.0), eased(0.5), eased(1.0)) == (0.0, 0.5, 1.0)
    assert eased(0.01) < 0.001


def test_a_loop_visits_every_face_and_leads_back() -> None:
    faces = Inputs(latents(3, noise=4), np.array([[0.0], [np.nan], [1.0]], np.float32))
    steps = list(walked(faces, 4, Latent(size=SIZE)))
    assert len(steps) == 12
    for place in range(3):
        assert (steps[4 * place].z == faces.z[place]).all()
    # A label that one of two faces does not know is the nearer one's.
    rows = [float(step.rows[0, 0]) for step in steps]  # type: ignore[index]
    assert rows[:2] == [0.0, 0.0]
    assert np.isnan(rows[2:6]).all()
    assert rows[8:] == [1.0, *(1 - eased(k / 4) for k in (1, 2, 3))]
    open_ended = list(walked(faces, 4, Latent(size=SIZE), loop=False))
    assert len(open_ended) == 9
    assert (open_ended[-1].z == faces.z[2]).all()


def test_uniform_latents_stay_in_their_range() -> None:
    faces = Inputs(np.sign(latents(3)))
    for step in walked(faces, 5, Latent(size=SIZE, distribution="uniform")):
        assert (np.abs(step.z) <= 1).all()


def test_what_is_mixed_in_comes_and_goes_along_a_walk() -> None:
    z = latents(3)
    plain, one, two = (Inputs(z[k : k + 1]) for k in range(3))
    share = np.array([[0.0, 1.0]], np.float32)
    mixed = Inputs(one.z, None, Mixture(two.z, None, share))
    steps = list(walked(joined([plain, mixed]), 2, Latent(size=SIZE), loop=False))
    assert [step.mixture.share.tolist() for step in steps] == [  # type: ignore[union-attr]
        [[0.0, 0.0]],
        [[0.0, 0.5]],
        [[0.0, 1.0]],
    ]
    # Halfway, the other face is the one that is mixed in, and none between.
    assert np.allclose(steps[1].mixture.z, two.z)  # type: ignore[union-attr]
    assert (steps[2].mixture.z == two.z).all()  # type: ignore[union-attr]


# --- files ---------------------------------------------------------------------------------
@pytest.mark.parametrize("ending", ["webp", "apng"])
def test_lossless_films_hold_every_frame(tmp_path: Path, ending: str) -> None:
    shown = frames(5)
    path = tmp_path / f"film.{ending}"
    write_film(path, iter(shown), rate=20, about={"recipe": "gan <&>"})
    with Image.open(path) as film:
        assert film.n_frames == 5
        for number, frame in enumerate(shown):
            film.seek(number)
            assert (np.asarray(film.convert("RGB")) == frame).all()
            assert film.info["duration"] == 50
        assert film.info.get("loop", 0) == 0
        words = str(film.info)
    assert "trainedAlgorithmicMedia" in words
    assert "gan" in words
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_a_gif_holds_its_frames_and_says_that_it_is_generated(tmp_path: Path) -> None:
    path = tmp_path / "film.gif"
    write_film(path, frames(4), rate=10, about={"recipe": "gan"})
    with Image.open(path) as film:
        assert film.n_frames == 4
        assert b"not a photograph" in film.info["comment"]


@pytest.mark.parametrize(("side", "channels"), [(16, 3), (17, 1)])
def test_an_mp4_plays_every_frame(tmp_path: Path, side: int, channels: int) -> None:
    ffmpeg = pytest.importorskip("imageio_ffmpeg")
    # Smooth pictures: H.264 keeps those nearly as they are.
    ramp = np.linspace(0, 200, side, dtype=np.uint8)[None, :, None]
    shown = [np.broadcast_to(ramp + 5 * n, (side, side, channels)).copy() for n in range(7)]
    path = tmp_path / "film.mp4"
    write_film(path, iter(shown), rate=24, about={"recipe": "gan"})
    even = side + side % 2
    command = [ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-i", str(path)]
    raw = subprocess.run(
        [*command, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], capture_output=True, check=True
    ).stdout
    found = np.frombuffer(raw, np.uint8).reshape(-1, even, even, 3)[:, :side, :side]
    assert len(found) == 7
    for frame, got in zip(shown, found, strict=True):
        assert np.abs(got.astype(int) - frame).mean() < 4
    said = subprocess.run([*command, "-f", "ffmetadata", "-"], capture_output=True, check=True)
    assert b"not a photograph" in said.stdout


def test_what_cannot_be_written_is_refused_before_any_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(FaceganError, match=r"\.mp4, \.webp"):
        films.format_of(tmp_path / "film.avi")
    monkeypatch.setitem(__import__("sys").modules, "imageio_ffmpeg", None)
    with pytest.raises(FaceganError, match=r"facegan\[film\]"):
        films.format_of(tmp_path / "film.mp4")
    assert "mp4" not in films.formats()
    with pytest.raises(FaceganError, match="needs a picture"):
        film_bytes([], "webp")


def test_a_film_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> object:
        yield from frames(2)
        raise RuntimeError("no more")

    for ending in ("webp", "apng", "gif", "mp4"):
        if ending in films.formats():
            with pytest.raises(RuntimeError, match="no more"):
                write_film(tmp_path / f"film.{ending}", broken())  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        write_film(tmp_path / "file" / "film.webp", frames(2))


def test_enlarging_keeps_flat_pictures_flat() -> None:
    grey = np.full((4, 4, 1), 99, np.uint8)
    assert (enlarged(grey, 3) == 99).all()
    assert enlarged(grey, 3).shape == (12, 12, 1)
    assert enlarged(grey, 1) is grey
