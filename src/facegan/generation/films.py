"""Films of generated pictures: walks between latents, and files that say what they show.

WebP, APNG and GIF come through Pillow; MP4 needs the extra `film`, which brings ffmpeg.
"""

from __future__ import annotations

import io
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from facegan.errors import FaceganError, one_line, storage
from facegan.files import write_bytes
from facegan.generation.png import DECLARED
from facegan.version import __version__

Frame = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Kind = Literal["mp4", "webp", "apng", "gif"]

FORMATS: dict[str, Kind] = {".mp4": "mp4", ".webp": "webp", ".apng": "apng", ".gif": "gif"}
MEDIA_TYPES = {
    "mp4": "video/mp4",
    "webp": "image/webp",
    "apng": "image/apng",
    "gif": "image/gif",
}
# Of H.264: nothing can be seen of what is lost.
_QUALITY = 16
_NEARLY_PARALLEL = 1e-4


# --- latents -------------------------------------------------------------------------------
def slerp(one: npt.ArrayLike, other: npt.ArrayLike, share: float) -> npt.NDArray[np.float64]:
    """Spherical interpolation between rows [N, Z], their lengths interpolated too.

    Latents drawn from a normal distribution lie close to a sphere, and the middle of a straight
    line between two of them far inside of it, where the generator has not learned anything (White
    2016, arXiv:1609.04468, section 2.1).

    Args:
        one: the rows for `share` 0.
        other: those for 1. Where both point the same way, or in opposite ways, there is no one way
            along a sphere, and the straight line is taken.
        share: in [0, 1].
    """
    a, b = np.asarray(one, np.float64), np.asarray(other, np.float64)
    lengths = [np.linalg.norm(x, axis=-1, keepdims=True) for x in (a, b)]
    ways = [x / np.maximum(length, 1e-12) for x, length in zip((a, b), lengths, strict=True)]
    angle = np.arccos((ways[0] * ways[1]).sum(-1, keepdims=True).clip(-1, 1))
    sine = np.sin(angle)
    straight = sine < _NEARLY_PARALLEL
    sine = np.where(straight, 1.0, sine)
    way = (np.sin((1 - share) * angle) * ways[0] + np.sin(share * angle) * ways[1]) / sine
    length = (1 - share) * lengths[0] + share * lengths[1]
    return np.where(straight, (1 - share) * a + share * b, way * length)


def eased(share: float) -> float:
    """Begins and ends slowly: 3t² − 2t³."""
    return share * share * (3 - 2 * share)


def walk(
    latents: Floats,
    steps: int,
    *,
    size: int,
    distribution: Literal["normal", "uniform"] = "normal",
    loop: bool = True,
) -> Iterator[tuple[int, float, Floats]]:
    """The latents of a walk from one face to the next, slower near each of them.

    Args:
        latents: float32 [K, Z + noise], K ≥ 1.
        steps: from each face to the next.
        size: Z; the noise behind it is interpolated on a sphere of its own.
        distribution: of z; a uniform one is interpolated in straight lines.
        loop: whether the walk goes on from the last face to the first.

    Yields:
        The number of the face that it comes from, how far it is to the next in [0, 1], and float32
        [1, Z + noise]. With `loop`, K · steps of them, the first the first face, and the one after
        the last would be it again; else (K − 1) · steps + 1.
    """
    count = len(latents)
    stretches = count if loop else count - 1
    for place in range(stretches):
        one, other = latents[place], latents[(place + 1) % count]
        for step in range(steps):
            share = eased(step / steps)
            yield place, share, _between(one, other, share, size, distribution)
    if not loop or count == 1:
        yield count - 1, 0.0, latents[-1:].copy()


def _between(
    one: Floats, other: Floats, share: float, size: int, distribution: Literal["normal", "uniform"]
) -> Floats:
    if share == 0.0:
        return one[None].copy()
    if distribution == "uniform":
        head = (1 - share) * one[:size] + share * other[:size]
    else:
        head = slerp(one[:size], other[:size], share)
    tail = slerp(one[size:], other[size:], share) if len(one) > size else one[size:]
    return np.concatenate([head, tail])[None].astype(np.float32)


# --- files ---------------------------------------------------------------------------------
def format_of(path: Path) -> Kind:
    """The format that a file's ending asks for.

    Raises:
        FaceganError: it is no film's, or needs a package that is not installed.
    """
    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        raise FaceganError(
            f"{path.name} does not end as a film does.", f"Allowed: {', '.join(FORMATS)}."
        )
    if kind == "mp4":
        _ffmpeg()
    return kind


def formats() -> tuple[Kind, ...]:
    """The formats that can be written here."""
    try:
        _ffmpeg()
    except FaceganError:
        return tuple(kind for kind in FORMATS.values() if kind != "mp4")
    return tuple(FORMATS.values())


def write_film(
    path: Path,
    frames: Iterable[Frame],
    rate: float = 24.0,
    about: Mapping[str, str] | None = None,
) -> None:
    """Write a film; its format is what the file's ending says. It appears complete or not at all.

    Args:
        path: the file.
        frames: uint8 [H, W, C] each, all of one shape; taken one at a time.
        rate: frames a second.
        about: what made it, for its metadata.

    Raises:
        FaceganError: the format is unknown or needs a package, or there is no frame.
        StorageError: the file cannot be written.
    """
    write_bytes(path, film_bytes(frames, format_of(path), rate, about or {}))


def film_bytes(
    frames: Iterable[Frame], kind: Kind, rate: float = 24.0, about: Mapping[str, str] | None = None
) -> bytes:
    """The content of a film's file; see `write_film`."""
    words = said(about or {})
    pictures = (_coloured(frame) for frame in frames)
    first = next(pictures, None)
    if first is None:
        raise FaceganError("A film needs a picture.", "Give at least one.")
    if kind == "mp4":
        return _mp4(first, pictures, rate, words)
    return _animated(first, pictures, kind, rate, words, dict(about or {}))


def said(about: Mapping[str, str]) -> str:
    """What a film's metadata say in words."""
    made = "; ".join(f"{key}: {value}" for key, value in about.items())
    return f"Generated by a neural network; not a photograph. facegan {__version__}; {made}"


def _coloured(frame: Frame) -> Frame:
    return np.repeat(frame, 3, 2) if frame.shape[2] == 1 else frame


def _animated(
    first: Frame,
    rest: Iterator[Frame],
    kind: Kind,
    rate: float,
    words: str,
    about: Mapping[str, str],
) -> bytes:
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    target = io.BytesIO()
    options: dict[str, Any] = {"duration": 1000 / rate, "loop": 0, "save_all": True}
    if kind == "webp":
        options |= {"duration": max(1, round(1000 / rate)), "lossless": True, "method": 2}
        options["xmp"] = xmp(words)
    elif kind == "apng":
        text = PngInfo()
        text.add_text("DigitalSourceType", DECLARED)
        text.add_text("Software", f"facegan {__version__}")
        text.add_text("Comment", "Generated by a neural network; not a photograph.")
        text.add_text("facegan.model", "; ".join(f"{k}: {v}" for k, v in about.items()))
        options["pnginfo"] = text
    else:
        options["comment"] = words.encode("ascii", "replace")[:255]
    frames: Iterable[Image.Image] = (Image.fromarray(frame) for frame in rest)
    if kind == "apng":
        frames = list(frames)  # Pillow goes through them twice
    Image.fromarray(first).save(
        target, "PNG" if kind == "apng" else kind.upper(), append_images=frames, **options
    )
    return target.getvalue()


def xmp(words: str) -> bytes:
    """XMP that declares a generated picture, for formats without texts of their own."""
    from html import escape

    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:e="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
        f'xmlns:dc="http://purl.org/dc/elements/1.1/" e:DigitalSourceType="{DECLARED}">'
        f'<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{escape(words)}</rdf:li></rdf:Alt>'
        "</dc:description></rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


def _mp4(first: Frame, rest: Iterator[Frame], rate: float, words: str) -> bytes:
    height, width = first.shape[:2]
    with tempfile.TemporaryDirectory(prefix="facegan-film-") as folder:
        target = Path(folder) / "film.mp4"
        command = [
            *(_ffmpeg(), "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24"),
            *("-s", f"{width}x{height}", "-r", f"{rate:g}", "-i", "-"),
            # H.264 in the form that all players know wants even sides.
            *("-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-c:v", "libx264", "-pix_fmt", "yuv420p"),
            *("-crf", str(_QUALITY), "-movflags", "+faststart", "-threads", "2"),
            *("-metadata", f"comment={words}", str(target)),
        ]
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=errors)
            assert process.stdin is not None
            try:
                process.stdin.write(np.ascontiguousarray(first).tobytes())
                for frame in rest:
                    process.stdin.write(np.ascontiguousarray(frame).tobytes())
                process.stdin.close()
            except BrokenPipeError:
                pass
            except BaseException:
                process.kill()
                process.wait()
                raise
            failed = process.wait()
            errors.seek(0)
            why = one_line(errors.read().decode("utf-8", "replace"))
        if failed or not target.exists():
            raise FaceganError(
                f"ffmpeg could not write the film: {why or f'status {failed}'}.",
                "Write .webp instead, which needs no other program.",
            )
        with storage(target):
            return target.read_bytes()


def _ffmpeg() -> str:
    """The ffmpeg that the extra `film` brings. Raises FaceganError without it."""
    try:
        import imageio_ffmpeg

        path: str = imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError) as error:
        raise FaceganError(
            "MP4 needs ffmpeg, which is not installed.",
            "Run: pip install 'facegan[film]', or write .webp instead.",
        ) from error
    return path


def enlarged(frame: Frame, factor: int) -> Frame:
    """A picture uint8 [H, W, C], `factor` times as large in each direction, smooth."""
    if factor == 1:
        return frame
    import cv2

    height, width, channels = frame.shape
    size = (width * factor, height * factor)
    large = cv2.resize(frame, size, interpolation=cv2.INTER_CUBIC)
    return large.reshape(size[1], size[0], channels).astype(np.uint8, copy=False)
