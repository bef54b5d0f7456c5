"""Networks without numbers: their names and shapes, at no cost of memory or time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode


@contextlib.contextmanager
def on_meta_device() -> Iterator[None]:
    """Networks that are built within have tensors of the device `meta`, whatever their size.

    Give them numbers with `load_state_dict(…, assign=True)`.
    """
    with torch.device("meta"), _Unfilled():
        yield


# Draws of first values, and what a number does to every value.
_DRAWS = ("rand", "randn")
_ARITHMETIC = ("add", "sub", "mul", "div", "true_divide", "__truediv__")


class _Unfilled(TorchFunctionMode):
    """Leaves first values out: there is nothing to fill, and PyTorch would import for seconds."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name in _DRAWS:
            kwargs.pop("generator", None)
            return torch.empty(*args, **kwargs)
        fills = name.endswith("_") and not name.endswith("__") and name != "requires_grad_"
        scales = name in _ARITHMETIC and len(args) == 2 and isinstance(args[1], int | float)
        # torch.nn.init hands its tensor over by name.
        filled = args[0] if args else kwargs.get("tensor")
        if (fills or scales) and isinstance(filled, Tensor) and filled.is_meta:
            return filled
        return func(*args, **kwargs)
