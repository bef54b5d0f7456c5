"""Pictures are opened in allowed formats alone, whatever a file's name says."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError

from facegan.data import pictures
from facegan.data.pictures import FORMATS, open_picture, read_png

POSTSCRIPT = (
    b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 40\n%%EndComments\n(hello) print\nshowpage\n"
)


@pytest.fixture
def ghostscript(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `gs` that leaves this file behind when it is called."""
    called, tools = tmp_path / "called", tmp_path / "tools"
    tools.mkdir()
    (tools / "gs").write_text(
        f'#!/bin/sh\necho "$*" >> "{called}"\n[ "$1" = --version ] && echo 10.0\n'
    )
    (tools / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", str(tools), prepend=":")
    # Pillow looks for it once.
    from PIL import EpsImagePlugin

    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)
    return called


def test_postscript_reaches_no_interpreter(tmp_path: Path, ghostscript: Path) -> None:
    path = tmp_path / "grid.png"
    path.write_bytes(POSTSCRIPT)
    # The stand-in works: Pillow alone would call it.
    with Image.open(path) as image, pytest.raises(subprocess.CalledProcessError):
        image.load()
    assert ghostscript.exists()
    ghostscript.unlink()
    assert read_png(path) is None
    with pytest.raises(UnidentifiedImageError):
        open_picture(path)
    with pytest.raises(UnidentifiedImageError):
        open_picture(io.BytesIO(POSTSCRIPT))
    assert not ghostscript.exists()


def test_no_other_format_may_be_asked_for(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="EPS"):
        open_picture(tmp_path / "a", ("PNG", "EPS"))
    assert not {"EPS", "PDF", "WMF", "IPTC", "FITS", "PSD"} & set(FORMATS)


def test_a_png_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    colours = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)
    path = tmp_path / "a.png"
    Image.fromarray(colours).save(path)
    read = read_png(path)
    assert read is not None
    assert np.array_equal(np.asarray(read), colours)
    whole = path.read_bytes()
    for cut in (0, 1, 20, len(whole) // 2, len(whole) - 20):
        path.write_bytes(whole[:cut])
        assert read_png(path) is None
    Image.fromarray(colours).save(path, "JPEG")
    assert read_png(path) is None
    assert read_png(tmp_path / "none.png") is None
    assert read_png(tmp_path) is None
    path.write_bytes(whole)
    monkeypatch.setattr(pictures, "MAX_PIXELS", 19)
    assert read_png(path) is None
