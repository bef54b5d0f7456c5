"""The published implementations that scores are compared with; a test skips without them."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import pytest

# What torch-fidelity imports for its networks, its readers of pictures and its progress bars.
# What computes scores from features needs none of it: it is NumPy and PyTorch alone.
_UNUSED = {
    "torchvision": (),
    "torchvision.transforms": ("Compose", "Resize", "CenterCrop", "ToTensor", "Normalize"),
    "torchvision.transforms.functional": (),
    "torchvision.datasets": ("CIFAR10", "CIFAR100", "STL10"),
    "tqdm": (),
}


@contextmanager
def _stand_ins() -> Iterator[None]:
    """Empty modules in place of those of `_UNUSED` that are not installed, for one import."""
    absent = [name for name in _UNUSED if find_spec(name.partition(".")[0]) is None]
    made = {name: ModuleType(name) for name in absent}
    for name, module in made.items():
        for member in _UNUSED[name]:
            setattr(module, member, type(member, (), {}))
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(made[parent], child, module)
    if "tqdm" in made:
        made["tqdm"].tqdm = lambda steps, **_: steps  # type: ignore[attr-defined]
    sys.modules.update(made)
    try:
        yield
    finally:
        for name in made:
            del sys.modules[name]


def torch_fidelity(part: str) -> Any:
    """The module `torch_fidelity.<part>`."""
    if find_spec("torch_fidelity") is None:
        pytest.skip("torch-fidelity is not installed")
    with _stand_ins():
        return import_module(f"torch_fidelity.{part}")


def torchmetrics(part: str) -> Any:
    """The module `torchmetrics.image.<part>`."""
    pytest.importorskip("torchmetrics")
    if find_spec("torch_fidelity") is not None:
        torch_fidelity("metrics")  # torchmetrics imports it, and must find it imported
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return import_module(f"torchmetrics.image.{part}")
