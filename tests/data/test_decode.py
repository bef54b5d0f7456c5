"""Files of every kind become the right picture, or are left out for the right reason."""

from __future__ import annotations

import contextlib
import io

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imagefiles import encoded, jpeg, png, png_16_bits, png_bomb, scene
from PIL import Image

from facegan.data import decode as module
from facegan.data.decode import Shape, decode
from facegan.data.members import SkippedFile

AS_IS = Shape(resolution=40)


def difference(data: bytes, wanted: np.ndarray, shape: Shape = AS_IS) -> int:
    pixels = decode(data, shape).pixels
    assert pixels.dtype == np.uint8
    assert pixels.shape == (shape.resolution, shape.resolution, shape.channels)
    return int(np.abs(pixels.astype(int) - wanted.reshape(pixels.shape)).max())


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM", "WEBP"])
def test_lossless_formats_come_out_unchanged(kind: str):
    options = {"lossless": True} if kind == "WEBP" else {}
    assert difference(encoded(scene(), kind, **options), scene()) == 0
    assert decode(encoded(scene(), kind, **options), AS_IS).conversions == ()


def test_jpeg_is_decoded_in_full():
    data = encoded(scene(90, 90), "JPEG", quality=95)
    wanted = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
    wanted = cv2.resize(wanted, (40, 40), interpolation=cv2.INTER_AREA)
    assert difference(data, wanted) == 0


def test_grey_and_colour_convert_both_ways():
    grey = scene()[:, :, 0]
    picture = decode(encoded(grey), AS_IS)
    assert np.array_equal(picture.pixels, np.repeat(grey[:, :, None], 3, 2))
    assert picture.conversions == ("grey repeated as colour",)
    one = Shape(40, channels=1)
    assert difference(encoded(grey), grey, one) == 0
    luma = scene() @ np.array([0.299, 0.587, 0.114])
    assert difference(png(), luma.round().astype(int), one) <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_every_orientation_is_turned_upright(orientation: int, kind: str):
    stored = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        8: lambda a: np.rot90(a, -1),
    }[orientation](scene(60, 40))
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"JPEG": {"quality": 95}, "WEBP": {"lossless": True}}.get(kind, {})
    data = encoded(np.ascontiguousarray(stored), kind, exif=exif, **options)
    upright = scene(60, 40)[:, 10:50]
    assert difference(data, upright) <= (8 if kind == "JPEG" else 0)
    if kind == "JPEG":
        turned = "turned upright" in decode(data, AS_IS).conversions
        assert turned == (orientation > 1)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_broken_exif_spoils_no_picture():
    data = encoded(scene(), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff garbage")
    assert decode(data, AS_IS).conversions == ()


def test_cmyk_becomes_rgb():
    picture = Image.fromarray(scene()).convert("CMYK")
    assert difference(encoded(picture, "JPEG", quality=100), scene()) <= 8
    assert decode(encoded(picture, "JPEG"), AS_IS).conversions == ("CMYK",)


def test_palette_becomes_rgb():
    picture = Image.fromarray(scene()).quantize(64)
    assert difference(encoded(picture), np.asarray(picture.convert("RGB"))) == 0
    assert decode(encoded(picture), AS_IS).conversions == ("palette",)


def test_alpha_is_laid_over_white():
    alpha = np.linspace(0, 255, 40).round().astype(np.uint8)[None, :].repeat(40, 0)
    data = encoded(np.dstack([scene(), alpha]))
    share = alpha[:, :, None] / 255
    assert difference(data, (scene() * share + 255 * (1 - share)).round().astype(int)) <= 1
    assert decode(data, AS_IS).conversions == ("alpha laid over the background",)
    opaque = encoded(np.dstack([scene(), np.full_like(alpha, 255)]))
    assert decode(opaque, AS_IS).conversions == ()


def test_transparent_palette_entries_show_the_background():
    picture = Image.fromarray((scene()[:, :, 0] > 127).astype(np.uint8), "P")
    picture.putpalette([10, 20, 30, 200, 100, 50])
    pixels = decode(encoded(picture, transparency=0), AS_IS).pixels
    hidden = np.asarray(picture) == 0
    assert (pixels[hidden] == 255).all()
    assert (pixels[~hidden] == (200, 100, 50)).all()


def test_grey_with_alpha_stays_grey():
    picture = np.dstack([scene()[:, :, 0], np.full((40, 40), 255, np.uint8)])
    data = encoded(Image.fromarray(picture, "LA"))
    assert difference(data, scene()[:, :, 0], Shape(40, channels=1)) == 0


def test_16_bits_are_scaled_and_rounded_not_clipped():
    ramp = np.linspace(0, 65535, 1600).round().astype(np.uint16).reshape(40, 40)
    wanted = (ramp / 257).round().astype(int)
    assert difference(encoded(ramp), wanted[:, :, None].repeat(3, 2)) == 0
    colour = np.dstack([ramp, ramp[::-1], ramp.T])
    assert difference(png_16_bits(colour), (colour / 257).round().astype(int)) == 0
    assert decode(png_16_bits(colour), AS_IS).conversions == ("16 bits",)
    tiff = cv2.imencode(".tiff", colour[:, :, ::-1])[1].tobytes()
    assert difference(tiff, (colour / 257).round().astype(int)) == 0


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF"])
def test_the_first_of_several_frames_is_taken(kind: str):
    first, second = (Image.fromarray(np.full((40, 40, 3), v, np.uint8)) for v in (200, 20))
    data = encoded(first, kind, save_all=True, append_images=[second])
    picture = decode(data, AS_IS)
    assert abs(int(picture.pixels.mean()) - 200) <= 2
    assert "first of several frames" in picture.conversions


def test_full_takes_the_centred_square():
    assert difference(encoded(scene(70, 40)), scene(70, 40)[:, 15:55]) == 0
    assert difference(encoded(scene(40, 71)), scene(40, 71)[15:55]) == 0


def test_a_crop_takes_its_centred_square():
    shape = Shape(30, crop=30)
    assert difference(encoded(scene(50, 40)), scene(50, 40)[5:35, 10:40], shape) == 0
    with pytest.raises(SkippedFile, match="smaller than the crop"):
        decode(encoded(scene(50, 29)), shape)


def test_shrinking_averages_areas():
    picture = scene(80, 80)
    wanted = picture.reshape(40, 2, 40, 2, 3).mean((1, 3))
    assert difference(encoded(picture), wanted.round().astype(int)) <= 1


def test_enlarging_is_cubic_and_said():
    picture = decode(png(side=20), AS_IS)
    wanted = cv2.resize(scene(20, 20), (40, 40), interpolation=cv2.INTER_CUBIC)
    assert np.array_equal(picture.pixels, wanted)
    assert picture.conversions == ("enlarged",)


LEFT_OUT = {
    "text": (b"hello, I am text" * 9, "not an image"),
    "zeros": (bytes(500), "not an image"),
    "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n", "not an image"),
    "png header alone": (png()[:33], "damaged image"),
    "jpeg cut short": (jpeg(side=90)[:-400], "damaged image"),
    "png cut short": (png()[:-60], "damaged image"),
    "gif cut short": (encoded(Image.fromarray(scene()).quantize(8), "GIF")[:-200], "damaged image"),
    "png of nonsense": (png()[:60] + bytes(99) + png()[160:], "damaged image"),
    "tiny": (png(side=15), "too small"),
    "bomb": (png_bomb(), "too many pixels"),
    "smaller bomb": (png_bomb(9000, 9000), "too many pixels"),
    "floats": (encoded(Image.fromarray(np.zeros((40, 40), np.float32)), "TIFF"), "unsupported"),
}


@pytest.mark.parametrize("case", LEFT_OUT)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_what_is_no_picture_is_left_out_with_its_reason(case: str):
    data, reason = LEFT_OUT[case]
    with pytest.raises(SkippedFile) as caught:
        decode(data, AS_IS)
    assert caught.value.reason.startswith(reason)


def test_size_is_judged_before_decoding(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MAX_PIXELS", 1599)
    monkeypatch.setattr(module, "_eight_bits", lambda *_: pytest.fail("was decoded"))
    with pytest.raises(SkippedFile, match="too many pixels"):
        decode(png(), AS_IS)


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP"]),
    place=st.floats(0, 0.999),
    junk=st.binary(min_size=1, max_size=20),
)
@pytest.mark.filterwarnings("ignore")
def test_damage_anywhere_escapes_as_nothing_else(kind: str, place: float, junk: bytes):
    data = bytearray(encoded(scene(), kind))
    start = int(place * len(data))
    data[start : start + len(junk)] = junk
    with contextlib.suppress(SkippedFile):
        assert decode(bytes(data), AS_IS).pixels.shape == (40, 40, 3)


def test_multi_picture_files_of_cameras_are_no_animation():
    buffer = io.BytesIO()
    pictures = [Image.fromarray(scene(seed=s)) for s in (0, 1)]
    pictures[0].save(buffer, "MPO", save_all=True, append_images=pictures[1:])
    assert decode(buffer.getvalue(), AS_IS).conversions == ()
