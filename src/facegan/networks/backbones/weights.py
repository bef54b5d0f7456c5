"""Files of weights from elsewhere: found, verified, and only then read."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import TYPE_CHECKING

from facegan.errors import FaceganError

if TYPE_CHECKING:
    from torch import Tensor


def read_bytes(path: Path, hint: str) -> bytes:
    """All of a file, or a `FaceganError` with this hint."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise FaceganError(f"{path} cannot be read ({error.strerror or error}).", hint) from error


def read_known(path: Path, sha256: str, hint: str) -> bytes:
    """All of a file, every byte of which is known by its SHA-256 (hex)."""
    data = read_bytes(path, hint)
    _require_sum(path, data, sha256, hint)
    return data


def read_verified(path: Path, size: int, sha256: str, hint: str) -> dict[str, Tensor]:
    """The named tensors of a file whose every byte is known.

    What is hashed is what is read: the file is opened once. Nothing in it can run code.

    Args:
        path: of a file that `torch.save` wrote.
        size: that it must have, in bytes.
        sha256: that it must have (hex).
        hint: of the error: where the right file comes from.

    Raises:
        FaceganError: if it cannot be read, or is another file.
    """
    import torch

    data = read_bytes(path, hint)
    if len(data) != size:
        raise FaceganError(
            f"{path} is not the expected file: it has {len(data):,} bytes, not {size:,}.", hint
        )
    _require_sum(path, data, sha256, hint)
    # The file is the one whose checksum is known, and tensors alone are read from it.
    tensors: dict[str, Tensor] = torch.load(  # noqa: TID251
        io.BytesIO(data), "cpu", weights_only=True
    )
    return tensors


def _require_sum(path: Path, data: bytes, sha256: str, hint: str) -> None:
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise FaceganError(
            f"{path} is not the expected file: its SHA-256 is {found}, not {sha256}.", hint
        )


def fold_batch_norm(
    kernel: Tensor, gain: Tensor, offset: Tensor, mean: Tensor, variance: Tensor, epsilon: float
) -> tuple[Tensor, Tensor]:
    """One convolution that does what a convolution and its batch norm do, once trained.

    Args:
        kernel: of the convolution, [O, I, H, W].
        gain: of the batch norm (its weight), [O].
        offset: of the batch norm (its bias), [O].
        mean: running mean, [O].
        variance: running variance, [O].
        epsilon: that the batch norm adds to the variance.

    Returns:
        Kernel and bias, float32.
    """
    scale = gain.double() / (variance.double() + epsilon).sqrt()
    bias = offset.double() - mean.double() * scale
    return (kernel.double() * scale[:, None, None, None]).float(), bias.float()
