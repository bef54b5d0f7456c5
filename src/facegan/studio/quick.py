"""Single pictures by ONNX Runtime, where it is installed and faster than PyTorch here.

Who drags a slider waits for one picture at a time, and for one picture PyTorch spends most of its
time between operations. The graph is made once by another process, so that nobody waits for it,
and kept in the cache.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from facegan.files import cache_folder, sha256
from facegan.generation.generator import OpenGenerator
from facegan.seeding import image_random
from facegan.version import __version__

if TYPE_CHECKING:
    from torch import Tensor

    from facegan.studio.computing import Pictures

Draw = Callable[["Tensor", "Tensor | None"], "Pictures"]

_PACKAGES = ("onnx", "onnxscript", "onnxruntime")
# Seconds that the exporter may take, and pictures by which the two are compared.
_PATIENCE = 600.0
_COMPARED, _TIMED = 4, 7


def quick_draw(opened: OpenGenerator) -> Draw | None:
    """What makes few pictures faster than `opened.pictures_at`; None where there is nothing.

    Takes seconds when the generator is seen for the first time.
    """
    device = next(opened.network.parameters()).device
    installed = all(importlib.util.find_spec(name) is not None for name in _PACKAGES)
    if not installed or device.type != "cpu" or opened.precision != "fp32":
        return None
    graph = _graph(opened.path)
    if graph is None:
        return None
    draw = _session(graph, opened)
    generator = opened.loaded.generator
    random = image_random(0)
    z, labels = generator.draw(random, _COMPARED), generator.draw_labels(random, _COMPARED)
    difference = np.abs(draw(z, labels).astype(int) - opened.pictures_at(z, labels))
    if difference.max() > 1:  # a last bit, which another order of sums may change
        return None
    one = z[:1], None if labels is None else labels[:1]
    faster = _seconds(lambda: draw(*one)) < _seconds(lambda: opened.pictures_at(*one))
    return draw if faster else None


def _graph(model: Path) -> bytes | None:
    """The generator's ONNX file, from the cache or made now."""
    place = cache_folder() / "onnx" / f"{sha256(model)}-{__version__}.onnx"
    if not place.is_file():
        command = [sys.executable, "-m", "facegan", "models", "export", str(model)]
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run(
                [*command, "--onnx", str(place), "--overwrite"],
                check=True,
                timeout=_PATIENCE,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        except (OSError, subprocess.SubprocessError):
            return None
    try:
        return place.read_bytes()
    except OSError:
        return None


def _session(graph: bytes, opened: OpenGenerator) -> Draw:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    # Threads that wait by spinning would take the processor from the browser.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    pixels = opened.loaded.pixels

    def draw(z: Tensor, labels: Tensor | None) -> Pictures:
        given: dict[str, Any] = {"z": z.numpy()}
        if labels is not None:
            given["labels"] = labels.numpy()
        (images,) = session.run(["images"], given)
        pictures: Pictures = pixels.to_bytes(torch.from_numpy(images)).numpy()
        return pictures

    return draw


def _seconds(work: Callable[[], object]) -> float:
    """The least of several tries, after one that does not count."""
    work()
    found = []
    for _ in range(_TIMED):
        begun = time.perf_counter()
        work()
        found.append(time.perf_counter() - begun)
    return min(found)
