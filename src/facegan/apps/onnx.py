"""`facegan models export --onnx`: a generator for programs that know nothing of facegan."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from facegan.errors import FaceganError
from facegan.files import write_bytes
from facegan.runs.find import find_generator

# PyTorch and ONNX Runtime add the same numbers in another order.
_MOST = 1e-4


@dataclass(frozen=True)
class Exported:
    """An ONNX file that was written.

    Attributes:
        path: the file.
        size: in bytes.
        difference: how far ONNX Runtime's pictures are from PyTorch's at most, in the recipe's
            range; None where ONNX Runtime is not installed and nothing was compared.
    """

    path: Path
    size: int
    difference: float | None


def export_onnx(
    source: str | Path,
    out: str | Path,
    half: bool = False,
    best: bool = False,
    overwrite: bool = False,
) -> Exported:
    """Write a generator as an ONNX file, once its pictures have proved to be PyTorch's.

    Args:
        source: a run's folder, a generator.safetensors file, or a model's name.
        out: the file.
        half: store matrices and kernels in float16: half the size; still float32 arithmetic.
        best: of a run: its best snapshot instead of its last.
        overwrite: replace a file at `out`.

    Raises:
        FaceganError: a file is there, packages are missing, or the network cannot be written.
    """
    target = Path(out)
    if target.exists() and not overwrite:
        raise FaceganError(
            f"{target} is there already.", "Give another file, or replace it with `overwrite`."
        )
    from facegan.models.file import GeneratorFile
    from facegan.models.onnx import largest_difference, onnx_bytes

    loaded = GeneratorFile.load(find_generator(source, best=best))
    if half:
        loaded = loaded.halved()
    data = onnx_bytes(loaded, half)
    difference = largest_difference(data, loaded)
    if difference is not None and not difference <= _MOST:
        raise FaceganError(
            f"The ONNX graph's pictures differ from PyTorch's by {difference:.2g}; nothing was "
            "written.",
            "Please report this with the recipe: the exporter computes something else.",
        )
    write_bytes(target, data)
    return Exported(target, len(data), difference)
