"""dlib: where faces are found, and who is shown.

Pictures are drawn; real ones come from the LFW archive where it is at hand, in the folder that
FACEGAN_DATA names or in ../shared/data beside the checkout, and never from the project.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import tarfile
import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from facegan.errors import DataError, FaceganError
from facegan.evaluation import dlib_models
from facegan.evaluation.detection import DETECTOR, FaceFinder, faces
from facegan.evaluation.extractors import open_extractor
from facegan.evaluation.extractors.faces import FaceIdentity
from facegan.portraits import draw, sample

DATA = Path(os.environ.get("FACEGAN_DATA", Path(__file__).parents[3] / "shared" / "data"))
ARCHIVE = DATA / "lfw-deepfunneled.tgz"

Images = np.ndarray


@pytest.fixture(scope="module")
def extra() -> None:
    if not dlib_models.installed():
        pytest.skip("the extra 'faces' is not installed")


@pytest.fixture(scope="module")
def finder(extra: None) -> FaceFinder:
    return FaceFinder()


@pytest.fixture(scope="module")
def identity(extra: None) -> FaceIdentity:
    return FaceIdentity()


@pytest.fixture(scope="module")
def portraits() -> Images:
    """130 of them, more than two of the groups that threads take, uint8 [130, 64, 64, 3]."""
    return draw(sample(130, seed=0), 64)


@pytest.fixture(scope="module")
def formatted() -> list[tuple[int, int]]:
    """What progress was told when `found` was."""
    return []


@pytest.fixture(scope="module")
def found(finder: FaceFinder, portraits: Images, formatted: list[tuple[int, int]]) -> Images:
    """Which of the portraits show a face, as a single thread finds them."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return finder.find(portraits, lambda done, total: formatted.append((done, total)))
    finally:
        torch.set_num_threads(threads)


def shuffled(images: Images) -> Images:
    """The same pictures, cut into 4 × 4 pieces that are put together in another order."""
    n, side, _, channels = images.shape
    piece = side // 4
    pieces = images.reshape(n, 4, piece, 4, piece, channels).swapaxes(2, 3)
    order = np.random.default_rng(0).permutation(16)
    mixed = pieces.reshape(n, 16, piece, piece, channels)[:, order]
    return mixed.reshape(pieces.shape).swapaxes(2, 3).reshape(images.shape)


def distances(a: Images, b: Images) -> Images:
    return np.linalg.norm(a.astype(np.float64) - b, axis=-1)


# Without the extra


@pytest.fixture(params=["dlib", "face_recognition_models"])
def without(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of the two packages is missing."""
    find_spec = importlib.util.find_spec

    def missing(name: str, *rest: Any) -> Any:
        return None if name == request.param else find_spec(name, *rest)

    monkeypatch.setattr(importlib.util, "find_spec", missing)


@pytest.mark.usefixtures("without")
def test_a_missing_extra_is_said_with_what_to_run() -> None:
    assert not dlib_models.installed()
    picture = np.zeros((1, 64, 64, 3), np.uint8)
    for use in (FaceFinder, FaceIdentity, lambda: faces(picture, picture, 0)):
        with pytest.raises(FaceganError, match="not installed") as caught:
            use()
        assert caught.value.hint == "Run: pip install 'facegan[faces]'"


def test_other_weights_are_refused(extra: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in tuple(dlib_models.HASHES):
        with monkeypatch.context() as patch:
            patch.setitem(dlib_models.HASHES, name, "0" * 64)
            with pytest.raises(FaceganError) as caught:
                FaceIdentity()
        assert f"{name} is not the expected file: its SHA-256 is" in caught.value.message
        assert "face-recognition-models==0.3.0" in caught.value.hint


def test_a_missing_file_of_weights_is_said(extra: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dlib_models, "_FOLDER", "nowhere")
    with pytest.raises(FaceganError, match="cannot be read") as caught:
        dlib_models.identity_weights()
    assert "--force-reinstall" in caught.value.hint


def test_the_package_of_the_weights_is_never_imported(identity: FaceIdentity) -> None:
    """It imports pkg_resources, which setuptools no longer has."""
    assert "face_recognition_models" not in sys.modules


# Finding faces


def test_drawn_faces_are_found(found: Images) -> None:
    assert found.dtype == np.bool_
    assert found.shape == (130,)
    assert 0.75 < found.mean() < 1


def test_progress_counts_pictures(found: Images, formatted: list[tuple[int, int]]) -> None:
    assert formatted == [(64, 130), (128, 130), (130, 130)]


def test_what_is_no_face_is_not_found(finder: FaceFinder, portraits: Images) -> None:
    random = np.random.default_rng(0)
    noise = random.integers(0, 256, (10, 64, 64, 3), dtype=np.uint8)
    coarse = random.integers(0, 256, (10, 8, 8, 3), dtype=np.uint8)
    flat = np.array([0, 128, 255], np.uint8).reshape(-1, 1, 1, 1).repeat(64, 1).repeat(64, 2)
    for images in (noise, coarse, flat, shuffled(portraits[:40])):
        assert not finder.find(images).any()


def test_threads_and_neighbours_change_nothing(
    finder: FaceFinder, portraits: Images, found: Images
) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        assert (finder.find(portraits) == found).all()
    finally:
        torch.set_num_threads(threads)
    assert (finder.find(portraits[75:85]) == found[75:85]).all()


def test_one_finder_serves_several_threads(
    finder: FaceFinder, portraits: Images, found: Images
) -> None:
    seen: list[Images] = []

    def look() -> None:
        seen.append(finder.find(portraits[:70]))

    users = [threading.Thread(target=look) for _ in range(2)]
    for user in users:
        user.start()
    for user in users:
        user.join()
    assert len(seen) == 2
    for result in seen:
        assert (result == found[:70]).all()


def test_grey_is_seen_as_rgb_with_equal_channels(finder: FaceFinder, portraits: Images) -> None:
    grey = portraits[:20, :, :, :1]
    found = finder.find(grey)
    assert found.any()
    assert (found == finder.find(grey.repeat(3, axis=3))).all()


def test_only_pictures_are_looked_at(finder: FaceFinder) -> None:
    for images in (np.zeros((2, 8, 8, 3)), np.zeros((8, 8, 3), np.uint8)):
        with pytest.raises(DataError, match="are none"):
            finder.find(images)
    assert finder.find(np.zeros((0, 8, 8, 3), np.uint8)).shape == (0,)


def test_shares_stand_side_by_side(portraits: Images, found: Images) -> None:
    real = portraits[:60]
    noise = np.random.default_rng(0).integers(0, 256, real[30:].shape, dtype=np.uint8)
    generated = np.concatenate((real[:30], noise))
    formatted: list[tuple[int, int]] = []
    seen = faces(generated, real, 0, lambda done, total: formatted.append((done, total)))
    assert (seen.detector, seen.n) == (DETECTOR, 60)
    assert seen.generated.value == pytest.approx(found[:30].sum() / 60)
    assert seen.real.value == pytest.approx(found[:60].mean())
    # As wide as a share's interval is: 1.96 standard errors to each side.
    for share in (seen.generated, seen.real):
        error = np.sqrt(share.value * (1 - share.value) / 60)
        assert share.value - share.low == pytest.approx(1.96 * error, abs=0.03)
        assert share.high - share.value == pytest.approx(1.96 * error, abs=0.03)
    assert formatted == [(60, 120), (120, 120)]
    assert faces(generated, real, 0) == seen


def test_shares_of_unequal_numbers_are_refused(portraits: Images) -> None:
    for generated, real in ((portraits, portraits[:3]), (portraits[:0], portraits[:0])):
        with pytest.raises(DataError, match="generated and"):
            faces(generated, real, 0)


# Who is shown


def test_the_numbers_of_dlib(identity: FaceIdentity, portraits: Images) -> None:
    import dlib

    folder = importlib.util.find_spec("face_recognition_models").submodule_search_locations[0]
    path = Path(folder) / "models" / "dlib_face_recognition_resnet_model_v1.dat"
    reference = dlib.face_recognition_model_v1(str(path))
    chips = identity.chips(portraits[:6])
    expected = np.array(reference.compute_face_descriptor(list(chips)))
    np.testing.assert_allclose(identity.features(portraits[:6]), expected, atol=2e-6)


def test_every_picture_has_a_vector(identity: FaceIdentity) -> None:
    random = np.random.default_rng(0)
    for shape in ((3, 64, 64, 3), (2, 250, 250, 1), (1, 8, 8, 3), (1, 1, 1, 1)):
        for images in (random.integers(0, 256, shape, dtype=np.uint8), np.zeros(shape, np.uint8)):
            found = identity.features(images)
            assert found.dtype == np.float32
            assert found.shape == (shape[0], 128)
            assert np.isfinite(found).all()


def test_neighbours_change_no_vector(identity: FaceIdentity, portraits: Images) -> None:
    together = identity.features(portraits[:20])
    for i in (0, 7, 17):
        np.testing.assert_allclose(
            identity.features(portraits[i : i + 1])[0], together[i], atol=1e-6
        )


def test_colours_are_taken_as_red_green_blue(identity: FaceIdentity, portraits: Images) -> None:
    """Mirrored they stay the same person, with red and blue exchanged less so."""
    plain, other = (identity.features(some) for some in (portraits[:30], portraits[:30, ..., ::-1]))
    assert np.median(distances(plain, other)) > 0.1


def test_alignment_follows_the_face(identity: FaceIdentity, portraits: Images) -> None:
    wide = draw(sample(30, seed=1), 80)
    plain, moved = (identity.features(wide[:, 8:72, x : x + 64]) for x in (8, 11))
    between = distances(plain[:, None], plain[None])[~np.eye(30, dtype=bool)]
    assert np.median(distances(plain, moved)) < 0.2 * np.median(between)


def test_it_says_what_it_is(identity: FaceIdentity) -> None:
    found = open_extractor("faces")
    assert (found.name, found.dimension) == ("faces", 128)
    assert found.fingerprint == identity.fingerprint
    assert len(found.fingerprint) == 64
    assert "192 px" in found.resizer
    assert "5 landmarks" in found.resizer


# Real faces


@pytest.fixture(scope="module")
def people(extra: None) -> tuple[Images, list[str]]:
    """80 real faces at 64 pixels, and whose they are."""
    if not ARCHIVE.exists():
        pytest.skip(f"the LFW archive is not at {ARCHIVE}; set FACEGAN_DATA to its folder")
    images, names = [], []
    with tarfile.open(ARCHIVE, "r|gz") as archive:
        for member in archive:
            if not member.name.endswith(".jpg"):
                continue
            file = archive.extractfile(member)
            assert file is not None
            picture = cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_COLOR_RGB)
            face = np.ascontiguousarray(picture[49:201, 49:201])
            images.append(cv2.resize(face, (64, 64), interpolation=cv2.INTER_AREA))
            names.append(Path(member.name).parent.name)
            if len(names) == 80:
                break
    return np.stack(images), names


def test_real_faces_are_found(finder: FaceFinder, people: tuple[Images, list[str]]) -> None:
    assert finder.find(people[0]).mean() >= 0.95
    assert not finder.find(shuffled(people[0])).any()


def test_one_person_is_close_to_herself(
    identity: FaceIdentity, people: tuple[Images, list[str]]
) -> None:
    images, names = people
    found = identity.features(images)
    between = distances(found[:, None], found[None])
    person = np.array(names)
    same = (person[:, None] == person) & ~np.eye(len(person), dtype=bool)
    different = person[:, None] != person
    assert same.sum() >= 20
    assert (between[same][:, None] < between[different][::7]).mean() > 0.97
    # A mirrored face is still the same person's; one upside down is nobody's.
    mirrored, turned = (identity.features(some) for some in (images[:, :, ::-1], images[:, ::-1]))
    assert np.median(distances(found, mirrored)) < 0.4 * np.median(between[different])
    assert np.median(distances(found, turned)) > 0.8 * np.median(between[different])
