"""Image files of every kind, drawn here, for the tests of the importers."""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image


def scene(width: int = 40, height: int = 40, seed: int = 0) -> np.ndarray:
    """A smooth picture without symmetry: uint8 [H,W,3]; another one for each seed."""
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    a, b, c = np.random.default_rng(seed).uniform(0.2, 0.8, 3)
    channels = [x * a + y * (1 - a), (x * y + b) / 2, np.abs(y - c)]
    return (np.stack(channels, axis=2) * 255).round().astype(np.uint8)


def encoded(pixels: np.ndarray | Image.Image, kind: str = "PNG", **options: object) -> bytes:
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png(seed: int = 0, side: int = 40) -> bytes:
    return encoded(scene(side, side, seed))


def jpeg(seed: int = 0, side: int = 40) -> bytes:
    return encoded(scene(side, side, seed), "JPEG", quality=95)


def png_16_bits(pixels: np.ndarray) -> bytes:
    """A PNG of uint16 [H,W,3], which Pillow cannot write."""
    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    return _png(header, zlib.compress(rows))


def png_bomb(width: int = 60_000, height: int = 60_000) -> bytes:
    """A small file whose header declares a giant."""
    return _png(struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0), zlib.compress(b"\0" * 100))


def _png(header: bytes, data: bytes) -> bytes:
    chunks = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def fill_folder(folder: Path, files: Mapping[str, bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def fill_zip(path: Path, files: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def fill_tar(path: Path, files: Mapping[str, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            add_to_tar(archive, name, content)
    return path


def add_to_tar(
    archive: tarfile.TarFile,
    name: str,
    content: bytes = b"",
    kind: bytes = tarfile.REGTYPE,
    to: str = "",
) -> None:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, to, len(content)
    archive.addfile(info, io.BytesIO(content))


def lfw_files(people: int = 12, most: int = 3) -> dict[str, bytes]:
    """Drawn pictures laid out as LFW is: person k has 1 to `most` of them."""
    return {
        f"lfw-drawn/Person_{k:02}/Person_{k:02}_{i + 1:04}.jpg": jpeg(10 * k + i)
        for k in range(people)
        for i in range(1 + k % most)
    }
