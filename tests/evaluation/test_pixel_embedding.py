"""The pixel embedding: which changes leave a copy a copy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from facegan.evaluation.neighbours import neighbours
from facegan.evaluation.pixel_embedding import PixelEmbedding
from facegan.portraits import draw, sample

Change = Callable[[np.ndarray], np.ndarray]


@pytest.fixture(scope="module")
def faces() -> np.ndarray:
    return draw(sample(150), 64)


def jpeg(images: np.ndarray) -> np.ndarray:
    cv2 = pytest.importorskip("cv2")
    coded = (cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 20])[1] for image in images)
    return np.stack([cv2.imdecode(data, cv2.IMREAD_COLOR) for data in coded])


def bytes_of(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


CHANGES: dict[str, Change] = {
    "JPEG 20": jpeg,
    "brighter": lambda x: bytes_of(x + 20.0),
    "more contrast": lambda x: bytes_of((x - 128.0) * 1.25 + 128),
    "shifted by 1 px": lambda x: np.roll(x, 1, axis=2),
    "noise": lambda x: bytes_of(x + np.random.default_rng(0).normal(0, 15, x.shape)),
    "coarser": lambda x: x[:, ::2, ::2].repeat(2, axis=1).repeat(2, axis=2),
    "paler": lambda x: bytes_of(0.7 * x + 0.3 * x.mean(axis=3, keepdims=True)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_changed_copy_is_closer_than_any_other_face(faces: np.ndarray, change: Change) -> None:
    embedding = PixelEmbedding()
    original = embedding.features(faces)
    found = neighbours(embedding.features(change(faces)), original, 2)
    np.testing.assert_array_equal(found.indices[:, 0], np.arange(len(faces)))
    assert np.median(found.distances[:, 0] / found.distances[:, 1]) < 0.5


def test_a_blur_brings_no_face_closer_to_others(faces: np.ndarray) -> None:
    cv2 = pytest.importorskip("cv2")
    embedding = PixelEmbedding()
    known, new = faces[:75], faces[75:]
    blurred = np.stack([cv2.GaussianBlur(image, (0, 0), 2) for image in new])
    sharp, soft = (
        np.median(neighbours(embedding.features(x), embedding.features(known)).distances)
        for x in (new, blurred)
    )
    assert soft == pytest.approx(sharp, rel=0.1)


def test_it_keeps_the_contract_of_extractors() -> None:
    embedding = PixelEmbedding()
    images = draw(sample(7), 20)
    features = embedding.features(images)
    assert features.shape == (7, embedding.dimension)
    assert features.dtype == np.float32
    np.testing.assert_array_equal(features[3:4], embedding.features(images[3:4]))
    assert embedding.name == "pixels"
    assert embedding.fingerprint == PixelEmbedding().fingerprint
    assert len(embedding.fingerprint) == 64
    bright = features[:, :57].astype(np.float64)
    np.testing.assert_allclose(np.linalg.norm(bright, axis=1), 1, atol=0.02)


def test_grey_is_colour_with_equal_channels() -> None:
    embedding = PixelEmbedding()
    grey = draw(sample(3), 32, channels=1)
    colour = embedding.features(grey.repeat(3, axis=3))
    np.testing.assert_allclose(embedding.features(grey), colour, atol=1e-6)
    np.testing.assert_allclose(colour[:, 57:], 0, atol=1e-6)


@pytest.mark.parametrize("size", [8, 15, 16, 33, 125])
def test_any_size(size: int) -> None:
    embedding = PixelEmbedding()
    images = np.random.default_rng(0).integers(0, 256, (2, size, size, 3), dtype=np.uint8)
    features = embedding.features(images)
    assert np.isfinite(features).all()
    assert np.linalg.norm(features[0] - features[1]) > 0.1


def test_the_same_picture_at_two_sizes_is_nearly_the_same() -> None:
    embedding, people = PixelEmbedding(), sample(20)
    found = neighbours(embedding.features(draw(people, 96)), embedding.features(draw(people, 64)))
    assert found.indices[:, 0].tolist() == list(range(20))
    assert found.distances.max() < 0.05


def test_flat_pictures_are_not_blown_up() -> None:
    noise = np.random.default_rng(0).integers(127, 130, (2, 32, 32, 3)).astype(np.uint8)
    features = PixelEmbedding().features(noise)
    assert np.linalg.norm(features[0] - features[1]) < 0.5


def test_the_formula_of_its_docstring() -> None:
    fft = pytest.importorskip("scipy.fft")
    image = np.random.default_rng(0).integers(0, 256, (1, 16, 16, 3)).astype(np.uint8)
    red, green, blue = np.moveaxis(image[0].astype(np.float64), 2, 0)
    luminance = 0.299 * red + 0.587 * green + 0.114 * blue
    down, across = np.mgrid[:16, :16]
    frequency = np.hypot(down, across)
    fine, coarse = (frequency > 0) & (frequency <= 8), frequency <= 3
    waves = [
        fft.dctn(plane, norm="ortho") for plane in (luminance, red - luminance, blue - luminance)
    ]
    bright = (frequency * waves[0])[fine]
    colour = np.concatenate([(np.maximum(frequency, 1) * wave)[coarse] for wave in waves[1:]])
    expected = np.concatenate(
        [bright / np.linalg.norm(bright), 0.25 * colour / np.linalg.norm(waves[0][fine])]
    )
    # All but what keeps flat pictures flat: two grey levels beside a contrast of dozens.
    np.testing.assert_allclose(PixelEmbedding().features(image)[0], expected, rtol=0.02)
