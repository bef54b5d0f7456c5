from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from drawn_photographs import photograph, portrait
from facegan import faces
from facegan.errors import FaceganError
from facegan.faces import weights
from facegan.faces.geometry import Square, mapped


@pytest.fixture(autouse=True)
def _read_anew() -> None:
    weights.read_weights.cache_clear()


@pytest.mark.parametrize("degrees", [-30, -10, 0, 20, 30])
def test_a_turned_face_is_found_and_its_landmarks_turn_with_it(degrees: float) -> None:
    errors = []
    for seed in range(4):
        upright = portrait(seed)
        (still,) = faces.detect(upright)
        expected = faces.mesh(upright, still)
        square = Square(330, 190, 200, math.radians(degrees))
        picture = photograph(640, 400, (square, seed))
        (found,) = faces.detect(picture)
        assert found.score > 0.6
        left, top, width, height = found.box
        assert left < 330 < left + width
        assert top < 190 < top + height
        mesh = faces.mesh(picture, found)
        assert mesh.presence > 0.9
        known = np.concatenate([expected.eyes, expected.mouth])
        wanted = mapped(square.to_picture(256), known)
        got = np.concatenate([mesh.eyes, mesh.mouth])
        eyes = np.hypot(*(mesh.eyes[1] - mesh.eyes[0]))
        errors.append(np.hypot(*(got - wanted).T).mean() / eyes)
    assert np.mean(errors) < 0.04
    assert faces.landmarks(picture, found).shape == (468, 3)


def test_left_is_the_pictures_left_and_below_is_below() -> None:
    picture = portrait(3)
    (face,) = faces.detect(picture)
    left_eye, right_eye, nose, left_mouth, right_mouth = face.points5
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_mouth[0] < right_mouth[0]
    assert left_eye[1] < nose[1] < left_mouth[1]
    mesh = faces.mesh(picture, face)
    assert mesh.eyes[0, 0] < mesh.eyes[1, 0]
    assert mesh.mouth[0, 0] < mesh.mouth[1, 0]
    assert mesh.eyes[:, 1].max() < mesh.mouth[:, 1].min()
    assert np.abs(mesh.eyes - face.points5[:2]).max() < 12


def test_a_large_photograph_is_searched_reduced_and_answers_in_its_own_pixels() -> None:
    small = photograph(640, 300, (Square(200, 140, 180), 3))
    large = small.repeat(7, axis=0).repeat(7, axis=1)
    (face,), (same,) = faces.detect(small), faces.detect(large)
    assert np.array(same.box) / 7 == pytest.approx(np.array(face.box), abs=1)
    assert faces.landmarks(large, same) / 7 == pytest.approx(faces.landmarks(small, face), abs=2.5)


def test_several_faces_come_with_the_surest_first() -> None:
    squares = [Square(110, 120, 160), Square(330, 110, 130), Square(520, 130, 190)]
    picture = photograph(640, 260, *((square, seed) for seed, square in enumerate(squares)))
    found = faces.detect(picture)
    assert len(found) == 3
    assert [face.score for face in found] == sorted((face.score for face in found), reverse=True)
    middles = sorted(face.box[0] + face.box[2] / 2 for face in found)
    assert middles == pytest.approx([110, 330, 520], abs=25)


@pytest.mark.parametrize("shape", [(64, 64, 3), (1, 1, 3), (3, 500, 3), (500, 2, 3)])
def test_nothing_is_found_where_there_is_nothing(shape: tuple[int, ...]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    assert faces.detect(noise) == []


def test_the_mesh_says_where_there_is_no_face() -> None:
    picture = portrait(2)
    (face,) = faces.detect(picture)
    assert faces.mesh(picture, face).presence > 0.9
    noise = np.random.default_rng(0).integers(0, 256, picture.shape, np.uint8)
    assert faces.mesh(noise, face).presence < 0.1
    assert faces.mesh(np.zeros_like(picture), face).presence < 0.1


@pytest.mark.parametrize(
    "picture",
    [np.zeros((8, 8), np.uint8), np.zeros((8, 8, 3)), np.zeros((0, 8, 3), np.uint8)],
)
def test_only_pictures_are_searched(picture: np.ndarray) -> None:
    with pytest.raises(ValueError, match="uint8"):
        faces.detect(picture)


def test_threads_find_what_one_finds() -> None:
    pictures = [portrait(seed, 128) for seed in range(8)]

    def look(picture: np.ndarray) -> np.ndarray:
        return faces.landmarks(picture, faces.detect(picture)[0])

    alone = [look(picture) for picture in pictures]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(look, pictures * 3))
    for index, points in enumerate(together):
        assert np.array_equal(points, alone[index % 8])


@pytest.mark.parametrize("name", sorted(weights.HASHES))
def test_another_file_of_weights_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = bytearray((weights.FOLDER / name).read_bytes())
    assert weights.read_weights(name).tobytes() == bytes(data)
    weights.read_weights.cache_clear()
    data[len(data) // 2] ^= 1
    (tmp_path / name).write_bytes(data)
    monkeypatch.setattr(weights, "FOLDER", tmp_path)
    with pytest.raises(FaceganError, match="SHA-256"):
        weights.read_weights(name)
    (tmp_path / name).unlink()
    with pytest.raises(FaceganError, match="cannot be read"):
        weights.read_weights(name)


def test_opencv_computes_the_mesh_as_onnx_runtime_does() -> None:
    runtime = pytest.importorskip("onnxruntime")
    cv2 = pytest.importorskip("cv2")
    data = weights.read_weights(weights.MESH)
    session = runtime.InferenceSession(data.tobytes(), providers=["CPUExecutionProvider"])
    network = cv2.dnn.readNetFromONNX(data)
    names = [each.name for each in session.get_outputs()]
    assert names == list(network.getUnconnectedOutLayersNames())
    picture = portrait(4, 192).astype(np.float32).transpose(2, 0, 1)[None] / 255
    network.setInput(picture)
    for ours, theirs in zip(
        network.forward(names), session.run(names, {"input_1": picture}), strict=True
    ):
        assert ours.reshape(-1) == pytest.approx(theirs.reshape(-1), abs=2e-3)
