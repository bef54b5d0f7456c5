"""Networks in ONNX files, through the extra `onnx`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from facegan.errors import FaceganError, nearest

if TYPE_CHECKING:
    from facegan.evaluation.extractors.custom import Network

_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


def load_onnx(
    file: Path, data: bytes, size: int, output: str | None, device: torch.device
) -> Network:
    """A function that runs the network.

    Args:
        file: where it comes from, for errors.
        data: its bytes. All weights must be in them, for a fingerprint to mean something.
        size: the side of the pictures that it will be given, in pixels.
        output: the name of the output to take; None takes the first.
        device: where to run it; the CPU, where ONNX Runtime does not have it.

    Raises:
        FaceganError: if ONNX Runtime is missing, or cannot run this file on such pictures.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise FaceganError(
            f"{file} is ONNX, which needs a package that is not installed.",
            "Run: pip install 'facegan[onnx]'",
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    # Weights in other files would be looked for here, where there can be none: not in the
    # working directory.
    options.add_session_config_entry(
        "session.model_external_initializers_file_folder_path", str(file.absolute())
    )
    wanted = "CUDAExecutionProvider"
    has_cuda = device.type == "cuda" and wanted in onnxruntime.get_available_providers()
    providers = [(wanted, {"device_id": device.index or 0})] if has_cuda else []
    try:
        session = onnxruntime.InferenceSession(
            data, options, providers=[*providers, "CPUExecutionProvider"]
        )
    except Exception as error:  # ONNX Runtime's errors have no other base
        raise FaceganError(
            f"{file} cannot be loaded: {_first_line(error)}",
            "It must be ONNX with all weights in the one file, as "
            "torch.onnx.export(…, external_data=False) writes it.",
        ) from error
    outputs = [found.name for found in session.get_outputs()]
    if output is not None and output not in outputs:
        raise FaceganError(f"{file} has no output {output!r}.", nearest(output, outputs))
    taken, fed = output or outputs[0], _input(file, session, size)

    def run(pixels: torch.Tensor) -> npt.NDArray[Any]:
        try:
            (found,) = session.run([taken], {fed.name: pixels.numpy().astype(_TYPES[fed.type])})
        except Exception as error:
            raise FaceganError(
                f"{file} cannot process pictures of shape {list(pixels.shape)}: "
                f"{_first_line(error)}",
                "It must take float32 [N, 3, size, size] for any N.",
            ) from error
        return np.asarray(found)

    return run


def _input(file: Path, session: Any, size: int) -> Any:
    """The one input of the network, if it takes pictures of this size, any number at once."""
    inputs = session.get_inputs()
    fits = (
        len(inputs) == 1
        and inputs[0].type in _TYPES
        and len(inputs[0].shape) == 4
        # A dimension that may vary has a name in the place of a number.
        and not isinstance(inputs[0].shape[0], int)
        and all(
            given == needed or not isinstance(given, int)
            for given, needed in zip(inputs[0].shape[1:], (3, size, size), strict=True)
        )
    )
    if not fits:
        takes = ", ".join(f"{each.name}: {each.type} {each.shape}" for each in inputs)
        raise FaceganError(
            f"{file} does not take pictures of {size} pixels. Its input is {takes or 'nothing'}.",
            f"It must have one input, float32 [N, 3, {size}, {size}], N free (a dynamic axis).",
        )
    return inputs[0]


def _first_line(error: Exception) -> str:
    """What ONNX Runtime says, without the places in its source that follow."""
    return str(error).partition("\n")[0]
