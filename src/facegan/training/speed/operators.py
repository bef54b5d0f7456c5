"""What the operators of a computation cost: time, arithmetic, and memory traffic of each.

PyTorch hands every operator below autograd and autocast to a dispatch mode, those of a
backward pass too; there each is timed alone and its arithmetic counted by PyTorch's own
formulas. Traffic is what an operator must move at least: its inputs once, its outputs once.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from facegan.device import synchronise

Kind = Literal["products", "normalisation", "updates", "copies", "elementwise"]


@dataclass
class Operator:
    """All calls of one operator with the same shapes and number formats.

    Attributes:
        name: PyTorch's, such as `aten.mm`.
        shapes: of its tensors, as text: `bf16[64,128,16,16]`.
        kind: `products` are convolutions and matrix products; `updates` those of optimizers,
            averages and gradient norms, many tensors at a time; `copies` also convert, pad, fill
            and gather; `elementwise` is all else, reductions included.
        calls: how many.
        seconds: of all of them.
        flops: of all of them; a multiplication and an addition count two.
        bytes: of all of them.
    """

    name: str
    shapes: str
    kind: Kind
    calls: float = 0.0
    seconds: float = 0.0
    flops: float = 0.0
    bytes: float = 0.0


class Recorder(TorchDispatchMode):
    """Records the operators that run inside it. What they compute does not change.

    Args:
        device: whose clock is asked. On a GPU each operator is waited for, so that its time is
            its own; the time of all together is then longer than that of the computation.
    """

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self._device = device
        self._found: dict[tuple[str, str], Operator] = {}

    @property
    def operators(self) -> list[Operator]:
        """What ran, the longest first."""
        return sorted(self._found.values(), key=lambda each: each.seconds, reverse=True)

    def __torch_dispatch__(
        self,
        func: Any,
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        synchronise(self._device)
        begin = time.perf_counter()
        out = func(*args, **kwargs)
        synchronise(self._device)
        seconds = time.perf_counter() - begin
        if not func.is_view:
            self._add(func, args, kwargs, out, seconds)
        return out

    def _add(
        self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any, seconds: float
    ) -> None:
        packet = func._overloadpacket
        given = _tensors((args, kwargs))
        made = _tensors(out)
        key = (str(packet), ", ".join(map(_shape, given[:4])))
        count = _COUNTS.get(packet)
        if key not in self._found:
            self._found[key] = Operator(*key, kind=_kind(str(packet), count is not None))
        entry = self._found[key]
        entry.calls += 1
        entry.seconds += seconds
        entry.flops += 0 if count is None else count(*args, **kwargs, out_val=out)
        # An output that is an input (in-place) is written as well as read.
        entry.bytes += sum(tensor.nbytes for tensor in (*given, *made))


def _convolution(args: tuple[Any, ...], weight: int, images: Tensor) -> float:
    """One multiplication and one addition for each weight at each place it is applied to."""
    return 2.0 * images.shape[0] * images[0, 0].numel() * args[weight].numel()


def _convolution_forward(*args: Any, out_val: Tensor, **kwargs: Any) -> float:
    transposed = args[6]
    return _convolution(args, 1, args[0] if transposed else out_val)


def _convolution_backward(*args: Any, out_val: Any, **kwargs: Any) -> float:
    """As much again for the gradient of the input, and for that of the weights."""
    transposed, mask = args[7], args[10]
    once = _convolution(args, 2, args[1] if transposed else args[0])
    return once * (int(mask[0]) + int(mask[1]))


# PyTorch's own formulas, but for convolutions: there they take those in groups for full ones.
_COUNTS = flop_registry | {
    torch.ops.aten.convolution: _convolution_forward,
    torch.ops.aten.convolution_backward: _convolution_backward,
}


def _tensors(values: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]


def _shape(tensor: Tensor) -> str:
    names = {torch.bfloat16: "bf16", torch.float32: "fp32", torch.float16: "fp16"}
    kind = names.get(tensor.dtype, str(tensor.dtype).removeprefix("torch."))
    return f"{kind}[{','.join(map(str, tensor.shape))}]"


_COPIES = ("copy", "clone", "pad", "fill", "zero", "cat", "stack", "index", "gather", "empty")


def _kind(name: str, has_flops: bool) -> Kind:
    if has_flops:
        return "products"
    if "norm" in name and "_foreach" not in name and "linalg" not in name:
        return "normalisation"
    if "_fused_" in name or "_foreach_" in name or "linalg" in name:
        return "updates"
    if any(word in name for word in _COPIES):
        return "copies"
    return "elementwise"
