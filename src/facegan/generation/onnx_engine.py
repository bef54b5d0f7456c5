"""Pictures by ONNX Runtime, where it is installed: for whoever wants few of them, and soon.

For one picture PyTorch spends most of its time between operations. The graph is made once and
kept in the cache; the studio has another process make it, so that nobody waits for it.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from facegan.cache import cache_folder, keep_entry, read_entry
from facegan.errors import FaceganError
from facegan.files import sha256
from facegan.models.file import GeneratorFile
from facegan.models.onnx import largest_difference, onnx_bytes
from facegan.networks.interfaces import Generator
from facegan.seeding import image_random
from facegan.version import __version__

if TYPE_CHECKING:
    import numpy.typing as npt

    from facegan.generation.generator import OpenGenerator

    Draw = Callable[[Tensor, Tensor | None], npt.NDArray[np.uint8]]

_PACKAGES = ("onnx", "onnxscript", "onnxruntime")
# Seconds that the exporter may take, and pictures by which the two are compared.
_PATIENCE = 600.0
_COMPARED, _TIMED = 4, 7
# As far as a graph's pictures may be from PyTorch's, in the recipe's range.
_MOST = 1e-4


class OnnxGenerator(Generator):
    """A generator whose pictures ONNX Runtime computes, on the processor; it cannot be trained.

    Args:
        generator: of which it draws latents and labels.
        graph: its ONNX file.
    """

    singly = True

    def __init__(self, generator: Generator, graph: bytes) -> None:
        super().__init__(generator.latent, generator.spec, generator.noise)
        if generator.spec.labels:
            self.label_rows = generator.label_rows
        self._session = _session(graph)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """See `Generator.forward`; float32 on the CPU, each picture by itself."""
        rows = [None] * len(z) if labels is None else labels.split(1)
        return torch.cat([_run(self._session, *one) for one in zip(z.split(1), rows, strict=True)])

    def synthesise(self, code: Tensor) -> Tensor:
        """The graph takes latents and labels."""
        raise NotImplementedError


def by_onnx(loaded: GeneratorFile, path: Path) -> OnnxGenerator:
    """A generator by ONNX Runtime; its graph is made now, where it was not kept.

    Args:
        loaded: the generator.
        path: its file.

    Raises:
        FaceganError: a package is missing, or the network cannot be written as a graph.
    """
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise FaceganError(
            f"ONNX Runtime's pictures need {' and '.join(missing)}.",
            "Install what is missing: pip install 'facegan[onnx]'.",
        )
    place = _kept(path)
    graph = read_entry(place)
    if graph is None:
        graph = onnx_bytes(loaded)
        difference = largest_difference(graph, loaded)
        if difference is None or not difference <= _MOST:
            raise FaceganError(
                f"The graph's pictures differ from PyTorch's by {difference or 0:.2g}.",
                "Compute with PyTorch, and please report this with the recipe.",
            )
        keep_entry(place, graph, "the ONNX graph")
    return OnnxGenerator(loaded.generator, graph)


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
    draw = _draw(graph, opened)
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
    place = _kept(model)
    graph = read_entry(place)
    if graph is not None:
        return graph
    with tempfile.TemporaryDirectory(prefix="facegan-") as folder:
        file = Path(folder) / "graph.onnx"
        command = [sys.executable, "-m", "facegan", "models", "export", str(model)]
        try:
            subprocess.run(
                [*command, "--onnx", str(file)],
                check=True,
                timeout=_PATIENCE,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            graph = file.read_bytes()
        except (OSError, subprocess.SubprocessError):
            return None
    keep_entry(place, graph, "the ONNX graph")
    return graph


def _kept(model: Path) -> Path:
    return cache_folder() / "onnx" / f"{sha256(model)}-{__version__}.onnx"


def _session(graph: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    # Threads that wait by spinning would take the processor from the browser.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def _run(session: Any, z: Tensor, labels: Tensor | None) -> Tensor:
    given: dict[str, Any] = {"z": z.numpy()}
    if labels is not None:
        given["labels"] = labels.numpy()
    (images,) = session.run(["images"], given)
    return torch.from_numpy(images)


def _draw(graph: bytes, opened: OpenGenerator) -> Draw:
    session, pixels = _session(graph), opened.loaded.pixels
    return lambda z, labels: pixels.to_bytes(_run(session, z, labels)).numpy()


def _seconds(work: Callable[[], object]) -> float:
    """The least of several tries, after one that does not count."""
    work()
    found = []
    for _ in range(_TIMED):
        begun = time.perf_counter()
        work()
        found.append(time.perf_counter() - begun)
    return min(found)
