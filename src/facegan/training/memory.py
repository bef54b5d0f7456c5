"""Whether there is memory for a run, asked before it is taken."""

from __future__ import annotations

import contextlib
from pathlib import Path

import torch

from facegan.data.spec import ImageSpec
from facegan.device import Execution
from facegan.errors import DeviceError
from facegan.networks.interfaces import parameter_count
from facegan.recipe import Recipe

# Bytes for each number to learn: the weight, its gradient and two moments; the generator has
# its average besides.
_GENERATOR, _DISCRIMINATOR = 20, 16


def require_memory(recipe: Recipe, spec: ImageSpec, execution: Execution) -> None:
    """Refuse networks whose weights, gradients and moments cannot fit.

    What activations take is not known before a step; they come on top.

    Raises:
        DeviceError: naming what is asked for and what is there.
    """
    try:
        with torch.device("meta"):
            generator = parameter_count(recipe.generator.build(spec, recipe.data.range))
            discriminator = parameter_count(recipe.discriminator.build(spec, recipe.data.range))
    except RuntimeError as error:  # a size beyond any number
        raise _too_large(
            "more numbers to learn than can be counted", available(execution)
        ) from error
    wanted = generator * _GENERATOR + discriminator * _DISCRIMINATOR
    there = available(execution)
    if there is not None and wanted > there:
        raise _too_large(f"{generator + discriminator:,} numbers to learn", there, wanted)


def available(execution: Execution) -> int | None:
    """Bytes that this process may still take where it computes; None where nobody says."""
    if execution.device.type == "cuda":
        return int(torch.cuda.mem_get_info(execution.device)[0])
    found = [_machine(), _group("memory.max", "memory.current")]
    known = [each for each in found if each is not None]
    return min(known) if known else None


def _too_large(what: str, there: int | None, wanted: int | None = None) -> DeviceError:
    need = "" if wanted is None else f", which take {wanted / 1e9:,.1f} GB to train"
    have = "" if there is None else f"; {there / 1e9:,.1f} GB are free"
    return DeviceError(
        f"The networks of this recipe have {what}{need}{have}.",
        "Make them narrower, or train where there is more memory.",
    )


def _machine() -> int | None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text("ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


def _group(most: str, used: str) -> int | None:
    """What is left of the limit of this process's control group, where there is one."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        name = Path("/proc/self/cgroup").read_text("ascii").strip().rpartition("::")[2]
        for folder in (Path("/sys/fs/cgroup") / name.lstrip("/"), Path("/sys/fs/cgroup")):
            if (folder / most).exists() and (limit := (folder / most).read_text().strip()) != "max":
                return int(limit) - int((folder / used).read_text())
    return None
