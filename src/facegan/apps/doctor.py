"""`facegan doctor`: this machine, what is chosen on it and why, and what extras would add."""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facegan.cache import cache_folder
from facegan.models import store
from facegan.values import Listing, Value, plain
from facegan.version import __version__


@dataclass(frozen=True)
class Extra:
    """An optional part of an installation.

    Attributes:
        name: as in `pip install 'facegan[NAME]'`.
        packages: modules that it brings.
        adds: what can be done with it.
    """

    name: str
    packages: tuple[str, ...]
    adds: str


EXTRAS = (
    Extra(
        "faces",
        ("dlib", "face_recognition_models"),
        "the share of images with a face; copies found by identity; the feature space 'faces'",
    ),
    Extra("fid", ("torch_fidelity",), "the feature space 'inception', so that FD is FID"),
    Extra(
        "onnx",
        ("onnxruntime", "onnx", "onnxscript"),
        "generators as ONNX files and offline pages; your own feature spaces as ONNX files",
    ),
    Extra(
        "studio",
        ("starlette", "uvicorn", "websockets"),
        "the studio in a browser, and the HTTP API",
    ),
    Extra("film", ("imageio_ffmpeg",), "films as MP4"),
    Extra("heic", ("pi_heif",), "import of HEIC photographs from phones"),
    Extra("parquet", ("pyarrow",), "import of Parquet datasets from the Hugging Face hub"),
    Extra("hub", ("huggingface_hub",), "models pushed to a hub and installed from one"),
    Extra("ray", ("ray", "pyarrow"), "studies on a Ray cluster"),
    Extra("slurm", ("submitit",), "studies on a SLURM cluster"),
    Extra("tensorboard", ("tensorboard",), "curves and grids in TensorBoard"),
    Extra("wandb", ("wandb",), "curves and grids in Weights & Biases"),
    Extra("mlflow", ("mlflow",), "curves and grids in MLflow"),
    Extra("aim", ("aim",), "curves and grids in Aim"),
)


@dataclass(frozen=True)
class Fact(Value):
    """Something of this machine.

    Attributes:
        name: what.
        value: in words.
    """

    name: str
    value: str


@dataclass(frozen=True)
class Choice(Value):
    """Something that is chosen here where nobody says otherwise.

    Attributes:
        what: is chosen.
        chosen: which.
        why: the reason.
    """

    what: str
    chosen: str
    why: str


@dataclass(frozen=True)
class ExtraHere(Value):
    """An extra on this machine.

    Attributes:
        extra: its name.
        installed: whether all its packages are there.
        adds: what can be done with it.
    """

    extra: str
    installed: bool
    adds: str


@dataclass(frozen=True)
class Doctor(Value):
    """What `facegan doctor` tells.

    Attributes:
        machine: what is here.
        choices: what is chosen on it, and why.
        extras: what is installed besides, and what would be added by the rest.
        problems: what does not work here, each with what to do.
    """

    machine: Listing[Fact]
    choices: Listing[Choice]
    extras: Listing[ExtraHere]
    problems: tuple[str, ...]

    def rows(self) -> list[dict[str, Any]]:
        """All of it in three columns."""
        facts = [("machine", fact.name, fact.value) for fact in self.machine]
        facts += [("chosen", one.what, f"{one.chosen}: {one.why}") for one in self.choices]
        facts += [
            ("extra", one.extra, f"{'installed' if one.installed else 'not installed'}: {one.adds}")
            for one in self.extras
        ]
        facts += [("problem", "", problem) for problem in self.problems]
        return [dict(zip(("part", "name", "said"), fact, strict=True)) for fact in facts]

    def to_dict(self) -> dict[str, Any]:
        """Machine, choices, extras and problems."""
        return {
            "machine": {fact.name: fact.value for fact in self.machine},
            "choices": [plain(one) for one in self.choices],
            "extras": [plain(one) for one in self.extras],
            "problems": list(self.problems),
        }


def doctor() -> Doctor:
    """Look at this machine: what is here, what facegan chooses on it and why, what is missing.

    Nothing is measured, so it takes as long as starting PyTorch does. `facegan train --dry-run` and
    `facegan recipes --cost` measure.
    """
    extras = Listing(ExtraHere(each.name, _there(each.packages), each.adds) for each in EXTRAS)
    return Doctor(_machine(), _choices(), extras, tuple(_problems()))


def _machine() -> Listing[Fact]:
    import torch

    from facegan.device import choose_device
    from facegan.memory import available, usable_cores

    found = Listing(
        [
            Fact("facegan", f"{__version__} in {Path(__file__).parents[1]}"),
            Fact("Python", f"{platform.python_version()} in {sys.prefix}"),
            Fact("PyTorch", f"{torch.__version__}"),
            Fact("system", platform.platform()),
            Fact("processor", _processor()),
            Fact("vector units", torch.backends.cpu.get_cpu_capability()),
            Fact("cores", f"{len(usable_cores())} usable of {os.cpu_count()}"),
        ]
    )
    memory = available(torch.device("cpu"))
    if memory is not None:
        found.append(Fact("free memory", f"{memory / 2**30:.1f} GiB"))
    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            about = torch.cuda.get_device_properties(number)
            size = f"{about.total_memory / 2**30:.0f} GiB"
            found.append(Fact(f"GPU {number}", f"{about.name}, {size}"))
    else:
        other = choose_device("auto").type
        found.append(Fact("GPU", "Metal" if other == "mps" else "none that this PyTorch can use"))
    found.append(Fact("cache", f"{cache_folder()} ({_size(cache_folder())})"))
    found.append(Fact("models", f"{store.installed_folder()}"))
    return found


def _choices() -> Listing[Choice]:
    import torch

    from facegan.device import choose_device, has_bf16
    from facegan.loggers import choose

    device = choose_device("auto")
    chosen = Listing[Choice]()
    if device.type == "cpu":
        reason = f"this PyTorch ({torch.__version__}) finds no GPU"
    else:
        reason = "a GPU comes before the processor"
    chosen.append(Choice("device", str(device), reason))
    if asked := os.environ.get("OMP_NUM_THREADS"):
        said = f"OMP_NUM_THREADS is {asked}"
    else:
        said = "one for each usable core"
    chosen.append(Choice("threads", str(torch.get_num_threads()), said))
    if has_bf16(device):
        chosen.append(
            Choice(
                "precision of training",
                "bf16 or fp32, whichever is faster",
                "it multiplies bfloat16 by itself; each run tries both for some steps",
            )
        )
    else:
        chosen.append(
            Choice(
                "precision of training",
                "fp32",
                "it has no units for bfloat16, so bf16 would be slower",
            )
        )
    chosen.append(
        Choice(
            "precision of pictures",
            "fp32",
            "a seed's picture stays the same, whatever else is asked for",
        )
    )
    chosen.append(_layout(device.type, has_bf16(device)))
    chosen.append(_forms(device.type, has_bf16(device)))
    names = ", ".join(logger.name for logger in choose(None)) or "none"
    there = "TensorBoard is installed" if names != "none" else "TensorBoard is not installed"
    chosen.append(Choice("tracker", names, there))
    return chosen


def _layout(device: str, bf16: bool) -> Choice:
    if device == "cpu":
        return Choice("memory layout", "channels_last", "convolutions are faster with it")
    if bf16:
        return Choice("memory layout", "channels_last in bf16", "GPUs gain from it in bf16 alone")
    return Choice("memory layout", "contiguous", "GPUs do not gain from channels_last in fp32")


def _forms(device: str, bf16: bool) -> Choice:
    """Which of `networks.kernels` are used here."""
    import torch

    what = "convolutions that halve or double"
    if device != "cpu":
        return Choice(what, "PyTorch's own", "the other forms are for processors")
    forms = ["phases for few channels"]
    if not bf16:
        return Choice(what, forms[0], "matrix products and Winograd's form pay in bf16 alone")
    forms.append("matrix products for many")
    why = "by shape, as measured on a processor with AVX512-BF16"
    if torch.cpu._is_amx_tile_supported():
        return Choice(what, ", ".join(forms), f"{why}; with AMX, Winograd's form does not pay")
    return Choice(what, ", ".join([*forms, "Winograd's for wide maps in bf16"]), why)


def _there(packages: tuple[str, ...]) -> bool:
    def found(name: str) -> bool:
        spec = importlib.util.find_spec(name)
        # A folder of that name, as some trackers make, is no package.
        return spec is not None and spec.origin is not None

    return all(found(name) for name in packages)


def _problems() -> list[str]:
    found = []
    for name, folder, variable in (
        ("cache", cache_folder(), "FACEGAN_CACHE"),
        ("models", store.installed_folder(), "FACEGAN_HOME"),
    ):
        there = folder
        while not there.exists() and there != there.parent:
            there = there.parent
        if not os.access(there, os.W_OK):
            found.append(f"The folder for {name} cannot be written: {folder}. Set {variable}.")
    if not (store.BUNDLED / f"{store.DEFAULT}{store.SUFFIX}").exists():
        found.append("The bundled model is missing: install facegan again.")
    return found


def _processor() -> str:
    """What it calls itself; Linux alone keeps that in a file."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _size(folder: Path) -> str:
    total = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return f"{total / 1e6:.0f} MB" if total else "empty"
