"""The exported page: one HTML file with the generator in it, which works anywhere, offline.

It holds the front end, ONNX Runtime Web and the generator's ONNX graph with weights in half
precision, each compressed. From file:// a browser fetches nothing, so nothing is fetched: modules
are one inline script, the runtime is imported from a blob, and its WebAssembly is handed over as
bytes. The content security policy lets that script run, and no request out.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from facegan.editing.directions import directions_beside
from facegan.errors import FaceganError
from facegan.files import write_text
from facegan.generation.generator import open_generator
from facegan.models.onnx import largest_difference, onnx_bytes
from facegan.studio import assets
from facegan.studio.about import page_about
from facegan.studio.guessing import guessing

_MODULE, _WASM = "ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm.gz"
_SOURCE_MAP = b"//# sourceMappingURL="
# As far as a graph's pictures may be from PyTorch's: see `facegan.apps.onnx`.
_MOST = 1e-4


@dataclass(frozen=True)
class Page:
    """A written page.

    Attributes:
        path: the file.
        size: in bytes.
        directions: how many edits by meaning it offers.
    """

    path: Path
    size: int
    directions: int


def export_page(
    source: str | Path | None,
    out: str | Path,
    *,
    best: bool = False,
    name: str | None = None,
    overwrite: bool = False,
) -> Page:
    """Write a page that draws a generator's faces in any browser, without a server.

    Args:
        source: a run's folder, a generator.safetensors file, or a model's name; None for the
            model in the box.
        out: the file.
        best: of a run: its best snapshot instead of its last.
        name: what the page calls the generator; the model's or the file's by default.
        overwrite: replace a file at `out`.

    Raises:
        FaceganError: a file is there, or the generator cannot be written as ONNX.
    """
    target = Path(out)
    if target.exists() and not overwrite:
        raise FaceganError(
            f"{target} is there already.", "Give another file, or replace it with `overwrite`."
        )
    opened = open_generator(source, best, "cpu")
    halved = opened.loaded.halved()
    graph = onnx_bytes(halved, half=True, mixing=True)
    difference = largest_difference(graph, halved)
    if difference is not None and not difference <= _MOST:
        raise FaceganError(
            f"The page's pictures would differ from PyTorch's by {difference:.2g}; nothing was "
            "written.",
            "Please report this with the recipe: the exporter computes something else.",
        )
    directions = directions_beside(opened.path)
    about = page_about(opened, name or name_of(source, opened.model), directions)
    # A path of this machine is of no use elsewhere, and nobody's business.
    about["source"] = opened.model or Path(about["source"]).name
    about["guessing"] = guessing(opened)
    write_text(target, page(about, graph))
    return Page(target, target.stat().st_size, 0 if directions is None else len(directions.names))


def name_of(source: str | Path | None, model: str | None) -> str:
    """What a generator is called: a model's name, or that of a run's folder or file."""
    return model or Path(source or "generator").resolve().name.removesuffix(".safetensors")


def page(about: dict[str, object], graph: bytes) -> str:
    """The page's HTML.

    Args:
        about: what `page_about` says.
        graph: the ONNX file.
    """
    script, style = assets.script(), assets.front("style.css")
    if "</script" in script or "</style" in style:
        raise ValueError("a file of the front end would end its element")
    module = assets.runtime(_MODULE).partition(_SOURCE_MAP)[0]
    blocks = {
        "runtime-module": gzip.compress(module, 9, mtime=0),
        "runtime-wasm": assets.runtime(_WASM),
        "generator": gzip.compress(graph, 9, mtime=0),
    }
    policy = "; ".join(
        (
            "default-src 'none'",
            # The runtime is a module of its own, made of bytes of this file.
            f"script-src 'sha256-{_sha256(script)}' blob: 'wasm-unsafe-eval'",
            f"style-src 'sha256-{_sha256(style)}'",
            "img-src blob: data:",
            "media-src blob:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    head = (
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n<style>{style}</style>\n'
    )
    # JSON in a script element ends it at "</": as < it means the same and ends nothing.
    boot = json.dumps({"model": about}, ensure_ascii=False).replace("<", "\\u003c")
    foot = f'<script type="application/json" id="boot">{boot}</script>\n'
    for name, content in blocks.items():
        text = base64.b64encode(content).decode()
        foot += f'<script type="application/octet-stream" id="{name}">{text}</script>\n'
    foot += f'<script type="module">{script}</script>\n'
    text = assets.front("index.html")
    return text.replace("<!-- head -->\n", head).replace("<!-- foot -->\n", foot)


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
