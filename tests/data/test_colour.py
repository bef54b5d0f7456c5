"""Colours mean what the photographer saw: profiles are applied, broken ones do no harm."""

from __future__ import annotations

import io
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from imagefiles import encoded, fill_folder, png, scene
from PIL import Image, ImageCms

from facegan.data import pictures
from facegan.data.colour import APPLIED, UNUSABLE
from facegan.data.decode import Shape, decode
from facegan.data.importer import import_images
from facegan.data.members import SkippedFile
from facegan.errors import DataError

FIXTURES = Path(__file__).parent.parent / "fixtures" / "pictures"
SHAPE = Shape(40, min_size=1)


def s15(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def profile(primaries: np.ndarray, gamma: float | None = None) -> bytes:
    """A display profile by its three primaries (XYZ at D50, a column each); sRGB's curve, or a
    power."""
    name = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(78)
    if gamma is None:  # the curve of IEC 61966-2.1, as five parameters
        values = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
        curve = b"para\0\0\0\0" + struct.pack(">HH", 3, 0) + b"".join(map(s15, values))
    else:
        curve = b"para\0\0\0\0" + struct.pack(">HH", 0, 0) + s15(gamma)
    tags = {b"desc": name, b"wtpt": b"XYZ \0\0\0\0" + s15(0.9642) + s15(1) + s15(0.8249)}
    for tag, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries.T, strict=True):
        tags[tag] = b"XYZ \0\0\0\0" + b"".join(map(s15, column))
    for tag in (b"rTRC", b"gTRC", b"bTRC"):
        tags[tag] = curve
    at, table, data = 132 + 12 * len(tags), b"", b""
    for tag, body in tags.items():
        body += bytes(-len(body) % 4)
        table += tag + struct.pack(">II", at + len(data), len(body))
        data += body
    size = at + len(data)
    head = struct.pack(">I4sI4s4s4s", size, b"\0\0\0\0", 0x02400000, b"mntr", b"RGB ", b"XYZ ")
    head += bytes(12) + b"acsp" + bytes(28) + s15(0.9642) + s15(1) + s15(0.8249) + bytes(48)
    return head + struct.pack(">I", len(tags)) + table + data


# Columns are red, green and blue in XYZ, adapted to D50 (Bradford). Sources: IEC 61966-2-1 and
# SMPTE EG 432-1, as the ICC's own profiles have them.
SRGB = np.array(
    [[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]]
)
P3 = np.array(
    [[0.51512, 0.29198, 0.15710], [0.24120, 0.69225, 0.06657], [-0.00105, 0.04189, 0.78407]]
)


def linear(values: np.ndarray) -> np.ndarray:
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def curved(values: np.ndarray) -> np.ndarray:
    values = values.clip(0, 1)
    return np.where(values <= 0.0031308, values * 12.92, 1.055 * values ** (1 / 2.4) - 0.055)


def in_srgb(pixels: np.ndarray, primaries: np.ndarray) -> np.ndarray:
    """The closed form: linear light, into XYZ, into sRGB's primaries, curved; 0 to 255."""
    light = linear(pixels / 255) @ primaries.T @ np.linalg.inv(SRGB).T
    return curved(light) * 255


def test_display_p3_comes_out_right() -> None:
    pixels = (scene(40, 40) * 0.7 + 40).astype(np.uint8)
    file = encoded(pixels, icc_profile=profile(P3))
    picture = decode(file, SHAPE)
    wanted = in_srgb(pixels, P3)
    assert np.abs(picture.pixels - wanted).max() <= 2
    assert np.abs(pixels - wanted).max() > 10  # what would be wrong without it
    assert picture.conversions == (APPLIED,)


def test_what_is_in_no_gamut_is_cut_off_and_not_wrapped() -> None:
    file = encoded(np.full((40, 40, 3), (255, 0, 0), np.uint8), icc_profile=profile(P3))
    assert decode(file, SHAPE).pixels[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("made", ["own", "Pillow's"])
def test_srgb_under_another_name_changes_nothing(made: str) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    file = encoded(scene(), icc_profile=profile(SRGB) if made == "own" else srgb)
    picture = decode(file, SHAPE)
    assert np.array_equal(picture.pixels, scene())
    assert picture.conversions == ()


def test_alpha_stays_beside_the_colours() -> None:
    pixels = np.dstack([scene(), np.full((40, 40), 255, np.uint8)])
    plain = decode(encoded(scene(), icc_profile=profile(P3)), SHAPE).pixels
    assert np.array_equal(decode(encoded(pixels, icc_profile=profile(P3)), SHAPE).pixels, plain)
    pixels[:, :, 3] = 0
    clear = decode(encoded(pixels, icc_profile=profile(P3)), SHAPE)
    assert (clear.pixels == 255).all()
    assert APPLIED in clear.conversions


def test_a_palette_of_another_space() -> None:
    image = Image.fromarray(scene()).quantize(16)
    plain = np.asarray(image.convert("RGB"))
    picture = decode(encoded(image, icc_profile=profile(P3)), SHAPE)
    assert np.abs(picture.pixels - in_srgb(plain, P3)).max() <= 2


@pytest.mark.parametrize(
    "broken",
    [b"nonsense", profile(P3)[:200], profile(P3).replace(b"RGB ", b"CMYK"), b"\0" * 5000],
    ids=["text", "cut", "of another space", "zeros"],
)
def test_a_broken_profile_is_counted_and_changes_nothing(broken: bytes) -> None:
    picture = decode(encoded(scene(), icc_profile=broken), SHAPE)
    assert np.array_equal(picture.pixels, scene())
    assert picture.conversions == (UNUSABLE,)


def test_the_card_counts_profiles(tmp_path: Path) -> None:
    files = {
        "a.png": encoded(scene(), icc_profile=profile(P3)),
        "b.png": encoded(scene(), icc_profile=b"broken"),
        "c.png": png(),
    }
    dataset = import_images(fill_folder(tmp_path / "in", files), tmp_path / "out", holdout=0)
    assert dataset.card["conversions"] == {APPLIED: 1, UNUSABLE: 1, "enlarged": 3}


def test_heic_is_read_upright() -> None:
    pytest.importorskip("pi_heif")
    drawn = scene(64, 48, 3)
    drawn[:, :8] = (230, 30, 30)
    picture = decode((FIXTURES / "drawn.heic").read_bytes(), Shape(48, min_size=1))
    assert np.abs(picture.pixels.astype(int) - drawn[:, 8:56]).mean() < 3
    # The same file with a quarter of a turn: what was at the left is at the bottom.
    turned = decode((FIXTURES / "turned.heic").read_bytes(), Shape(48, min_size=1))
    assert np.abs(turned.pixels.astype(int) - np.rot90(picture.pixels)).mean() < 3


def test_heic_without_its_extra_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    monkeypatch.delitem(Image.OPEN, "HEIF", raising=False)
    pictures.register_heif.cache_clear()
    source = fill_folder(tmp_path / "in", {"a.heic": (FIXTURES / "drawn.heic").read_bytes()})
    try:
        with pytest.raises(DataError, match="1 × HEIC without its extra"):
            import_images(source, tmp_path / "out")
        with pytest.raises(SkippedFile) as caught:
            decode((FIXTURES / "drawn.heic").read_bytes(), SHAPE)
    finally:
        pictures.register_heif.cache_clear()
    assert "facegan[heic]" in caught.value.detail


@pytest.mark.parametrize(
    ("start", "name"),
    [
        (b"\xff\x0a", "JPEG XL"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"\0\0\0\x1cftypavif", "AVIF"),
        (b"%PDF-1.4", "not an image"),
        (b"8BPS\0\1", "Photoshop"),
    ],
)
def test_formats_that_are_not_read_are_named(start: bytes, name: str) -> None:
    with pytest.raises(SkippedFile) as caught:
        decode(start + bytes(200), SHAPE)
    assert caught.value.reason == name
    assert "convert" in caught.value.detail


def test_sixteen_bits_have_their_profile_too() -> None:
    grey = (np.arange(1600, dtype=np.uint16).reshape(40, 40) * 40).astype(np.uint16)
    buffer = io.BytesIO()
    Image.fromarray(grey).save(buffer, "PNG", icc_profile=b"broken")
    assert set(decode(buffer.getvalue(), SHAPE).conversions) == {
        "16 bits",
        UNUSABLE,
        "grey repeated as colour",
    }
