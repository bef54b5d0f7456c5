"""The drawn portraits: reproducible, the same in every batch and at every size, labels true."""

import dataclasses

import numpy as np
import pytest

from facegan import portraits
from facegan.data.dataset import Dataset
from facegan.errors import DataError
from facegan.portraits import parameters as known

# Mean red, green and blue of 64 portraits at 32 px.
PINNED = (164.685, 138.565, 126.359)


def changed(people, **fields):
    """The same people with some parameters set to one value."""
    new = {name: np.full_like(getattr(people, name), value) for name, value in fields.items()}
    return dataclasses.replace(people, **new)


def difference(a, b, resolution=64):
    """Mean absolute difference [H, W] of two sets of people, in grey levels."""
    first = portraits.draw(a, resolution).astype(np.int64)
    return np.abs(first - portraits.draw(b, resolution)).mean(axis=(0, 3))


@pytest.fixture(scope="module")
def people():
    return portraits.sample(48, seed=5)


@pytest.fixture(scope="module")
def frontal(people):
    """People who hold still, so that features stand where we look for them."""
    still = changed(people, yaw=0, pitch=0, roll=0, shift_x=0, shift_y=0, head_size=1)
    return changed(still, glasses=0, beard=0, mustache=0, stubble=0, hair_style=1)


def test_an_item_depends_on_the_seed_and_its_number_alone():
    some, all_ = portraits.sample(10, seed=3, start=5), portraits.sample(15, seed=3)
    for field in dataclasses.fields(some):
        np.testing.assert_array_equal(getattr(some, field.name), getattr(all_, field.name)[5:])
    other = portraits.sample(15, seed=4)
    assert not np.array_equal(other.labels(), all_.labels())


def test_parameters_are_independent_of_each_other_and_of_neighbouring_items():
    people = portraits.sample(20_000)
    a, b, c = people.head_width, people.eye_size, people.background_hue
    for x, y in [(a, b), (b, c), (a[1:], a[:-1]), (c[1:], c[:-1])]:
        assert abs(np.corrcoef(x, y)[0, 1]) < 0.03


def test_pictures_are_pinned():
    """A change of the drawing shows here: look at the pictures before accepting new numbers."""
    pictures = portraits.draw(portraits.sample(64, seed=0), 32)
    means = pictures.mean(axis=(0, 1, 2))
    np.testing.assert_allclose(means, PINNED, atol=0.05)


@pytest.mark.parametrize("resolution", [16, 37, 64])
def test_batches_do_not_matter(people, resolution):
    together = portraits.draw(people, resolution)
    assert together.shape == (48, resolution, resolution, 3)
    assert together.dtype == np.uint8
    alone = [portraits.draw(people[i : i + 1], resolution)[0] for i in range(0, 48, 7)]
    np.testing.assert_array_equal(np.stack(alone), together[::7])
    np.testing.assert_array_equal(portraits.draw(people[::2], resolution), together[::2])


def test_the_same_picture_at_every_resolution(people):
    small = portraits.draw(people, 64).astype(np.float64)
    large = portraits.draw(people, 128).astype(np.float64)
    large = large.reshape(48, 64, 2, 64, 2, 3).mean(axis=(2, 4))
    apart = np.abs(small - large)
    assert apart.mean() < 1.0
    assert apart.mean(axis=(1, 2, 3)).max() < 2.0
    # Nothing appears at one resolution only: no patch of 4 × 4 pixels differs by much.
    patches = (small - large).reshape(48, 16, 4, 16, 4, 3).mean(axis=(2, 4))
    assert np.abs(patches).max() < 20


def test_grey_is_the_luma_of_colour(people):
    grey = portraits.draw(people, 32, channels=1)
    colour = portraits.draw(people, 32)
    assert grey.shape == (48, 32, 32, 1)
    luma = colour @ np.array([0.299, 0.587, 0.114])
    assert np.abs(grey[..., 0] - luma).max() <= 1.0


def test_pictures_are_varied_and_neither_dark_nor_burnt_out(people):
    pictures = portraits.draw(people, 32).astype(np.float64)
    assert 90 < pictures.mean() < 190
    assert pictures.std(axis=0).mean() > 35
    assert (pictures > 253).mean() < 0.02
    distances = np.abs(pictures[:24] - pictures[24:]).mean(axis=(1, 2, 3))
    assert distances.min() > 5


@pytest.mark.parametrize(
    ("before", "after", "rows", "columns"),
    [
        ({"glasses": 0}, {"glasses": 1}, (24, 39), (14, 50)),
        ({"glasses": 1}, {"glasses": 2}, (24, 39), (14, 50)),
        ({"expression": 0, "smile": 0}, {"expression": 1, "smile": 1}, (25, 53), (19, 45)),
        ({"mouth_open": 0, "smile": 0.8}, {"mouth_open": 1, "smile": 0.8}, (22, 56), (18, 46)),
        ({"beard": 0}, {"beard": 1}, (22, 58), (11, 53)),
        ({"beard": 0}, {"beard": 2}, (42, 57), (25, 39)),
        ({"mustache": 0}, {"mustache": 1}, (37, 45), (23, 41)),
        ({"hair_style": 0, "hair_length": 0}, {"hair_style": 1}, (2, 38), (11, 53)),
        ({"freckles": 0}, {"freckles": 1}, (32, 43), (18, 46)),
        ({"earrings": 0}, {"earrings": 1}, (34, 41), (11, 53)),
        ({"eye_size": 0.85}, {"eye_size": 1.2}, (25, 36), (17, 47)),
        ({"iris_colour": 0}, {"iris_colour": 0.7}, (25, 36), (17, 47)),
        ({"garment_hue": 0.0}, {"garment_hue": 0.5}, (52, 64), (0, 64)),
    ],
)
def test_a_parameter_changes_its_place_and_only_that(frontal, before, after, rows, columns):
    plain = changed(frontal, **before)
    moved = difference(plain, changed(plain, **after))
    inside = np.zeros((64, 64), bool)
    inside[slice(*rows), slice(*columns)] = True
    assert moved[inside].max() > 2.0
    assert moved[~inside].max() < 0.5


def test_every_background_looks_different_and_leaves_the_face_alone(frontal):
    versions = [changed(frontal, background=k) for k in range(len(known.BACKGROUNDS))]
    for a in versions:
        for b in versions:
            if a is not b:
                moved = difference(a, b)
                assert moved[:8].mean() > 4.0
                assert moved[24:48, 24:40].max() < 0.2  # rounding


@pytest.mark.parametrize("name", sorted(known.CONTINUOUS))
def test_every_continuous_parameter_shows(people, name):
    people = people[:12]
    if name in ("glasses_roundness", "glasses_size", "glasses_hue", "glasses_lightness"):
        people = changed(people, glasses=1, glasses_lightness=0.8)
    if name == "hair_hue":
        people = changed(people, dyed=1)
    if name == "hair_wave":
        people = changed(people, hair_style=known.HAIR_STYLES.index("long"))
    if name == "part_side":
        people = changed(people, hair_style=known.HAIR_STYLES.index("side_part"))
    if name == "background_layout":
        people = changed(people, background=known.BACKGROUNDS.index("bokeh"))
    low, high = known.CONTINUOUS[name]
    middle = low + 0.5 * (high - low)
    moved = difference(changed(people, **{name: low}), changed(people, **{name: middle}))
    assert moved.max() > 1.0


def test_labels_are_the_parameters():
    people = portraits.sample(5000, seed=1)
    table = people.labels()
    assert table.dtype == np.float32
    assert table.shape == (5000, len(portraits.LABEL_NAMES))
    assert (*portraits.BINARY, *portraits.CONTINUOUS) == portraits.LABEL_NAMES
    columns = dict(zip(portraits.LABEL_NAMES, table.T, strict=True))
    for name in portraits.BINARY:
        assert set(np.unique(columns[name])) == {0.0, 1.0}, name
    for name, (low, high) in portraits.CONTINUOUS.items():
        assert columns[name].min() >= np.float32(low), name
        assert columns[name].max() <= np.float32(high), name
        # The documented range is used, not just kept to.
        assert np.ptp(columns[name]) > 0.8 * (high - low), name
    np.testing.assert_array_equal(columns["Eyeglasses"], people.glasses > 0)
    np.testing.assert_array_equal(columns["Beard"], people.beard > 0)
    np.testing.assert_array_equal(columns["Smiling"], people.smile > 0.4)
    np.testing.assert_array_equal(columns["Mouth_Slightly_Open"], people.mouth_open > 0)
    assert (columns["Sunglasses"] <= columns["Eyeglasses"]).all()
    styles = ["Bald", "Short_Hair", "Side_Part", "Bangs", "Long_Hair", "Curly_Hair", "Hair_Bun"]
    assert (sum(columns[style] for style in styles) == 1).all()
    assert columns["age"][columns["Gray_Hair"] == 1].min() > 36


def test_modes_occur_as_often_as_stated():
    n = 200_000
    people = portraits.sample(n, seed=11)
    index = portraits.mode_index(people)
    truth = portraits.mode_probabilities()
    assert index.dtype == np.int64
    assert truth.shape == (portraits.MODE_COUNT,)
    assert truth.sum() == pytest.approx(1.0, abs=1e-12)
    assert np.prod([len(v) for v in portraits.MODES.values()]) == portraits.MODE_COUNT
    counts = np.bincount(index, minlength=portraits.MODE_COUNT)
    chi_square = ((counts - n * truth) ** 2 / (n * truth)).sum()
    freedom = portraits.MODE_COUNT - 1
    assert abs(chi_square - freedom) < 4 * np.sqrt(2 * freedom)


def test_modes_are_ordered_as_documented():
    people = portraits.sample(2000)
    hair, beard, glasses, expression, background = np.unravel_index(
        portraits.mode_index(people), [len(values) for values in portraits.MODES.values()]
    )
    np.testing.assert_array_equal(hair, people.hair_style)
    np.testing.assert_array_equal(beard, people.beard > 0)
    np.testing.assert_array_equal(glasses, people.glasses > 0)
    np.testing.assert_array_equal(expression, people.expression)
    np.testing.assert_array_equal(background, people.background)


@pytest.mark.parametrize(
    "act",
    [
        lambda path: portraits.sample(0),
        lambda path: portraits.sample(3, seed=-1),
        lambda path: portraits.sample(3, start=-1),
        lambda path: portraits.draw(portraits.sample(1), 15),
        lambda path: portraits.draw(portraits.sample(1), 4096),
        lambda path: portraits.draw(portraits.sample(1), 32, channels=4),
        lambda path: portraits.write(path, 0),
        lambda path: portraits.write(path, 5, resolution=8),
        lambda path: portraits.write(path, 5, channels=2),
    ],
)
def test_what_cannot_be_done_is_said_with_a_hint(tmp_path, act):
    with pytest.raises(DataError) as caught:
        act(tmp_path / "dataset")
    assert caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_write_makes_a_pack(tmp_path):
    seen = []
    path = tmp_path / "dataset"
    portraits.write(path, 25, resolution=32, seed=7, progress=lambda *now: seen.append(now))
    dataset = Dataset.open(path, verify=True)
    people = portraits.sample(25, seed=7)
    np.testing.assert_array_equal(dataset.images, portraits.draw(people, 32))
    np.testing.assert_array_equal(dataset.labels, people.labels())
    assert dataset.label_names == portraits.LABEL_NAMES
    assert dataset.splits == ["train"] * 23 + ["holdout"] * 2
    assert len(set(dataset.identities)) == 25
    assert seen[-1] == (25, 25)
    assert "seed 7" in dataset.card["source"]
    assert "CC0-1.0" in dataset.card["licence"]


def test_write_is_reproducible_and_grey_on_request(tmp_path):
    for name in ("a", "b"):
        portraits.write(tmp_path / name, 12, resolution=16, channels=1)
    a, b = Dataset.open(tmp_path / "a"), Dataset.open(tmp_path / "b")
    assert a.fingerprint == b.fingerprint
    assert a.spec.channels == 1
