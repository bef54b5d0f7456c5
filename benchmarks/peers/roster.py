"""Which peers there are, what is installed for each, and what is measured."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

_WORKERS = Path(__file__).parent / "workers"
REFERENCE = "facegan"


@dataclass(frozen=True)
class Task:
    """One thing to measure.

    Attributes:
        title: heading of its table.
        unit: of the figures.
        more: whether more is better.
        about: what exactly was done.
        steps: training steps to time, if it trains.
        warmup: steps before them.
    """

    title: str
    unit: str
    more: bool
    about: str
    steps: int = 1
    warmup: int = 0


TASKS: dict[str, Task] = {
    "train-dcgan": Task(
        "Training DCGAN at 64 pixels",
        "img/s",
        True,
        "Real images shown a second, batch 64, 64 channels, latent of 100, Adam.",
        steps=10,
        warmup=3,
    ),
    "train-resnet": Task(
        "Training a residual GAN (SNGAN) at 64 pixels",
        "img/s",
        True,
        "Real images shown to the discriminator a second, batch 64, five of its updates for each "
        "of the generator's, hinge loss, Adam. The same convolutions on both sides; "
        "torch-mimicry enlarges bilinearly, facegan by copying.",
        steps=2,
        warmup=1,
    ),
    "sample": Task(
        "Sampling from DCGAN, in memory",
        "img/s",
        True,
        "From latents to arrays of bytes; generator in evaluation mode, untrained.",
    ),
    "sample-resnet": Task(
        "Sampling from the residual GAN, in memory",
        "img/s",
        True,
        "From latents to arrays of bytes; generator in evaluation mode, untrained.",
    ),
    "sample-png": Task(
        "Sampling from DCGAN, to PNG files",
        "img/s",
        True,
        "From latents to files, one for each picture. What has no way of its own: torchvision's "
        "`save_image`.",
    ),
    "latency": Task(
        "One picture from DCGAN",
        "ms",
        False,
        "From the latent to bytes, median of 30 calls.",
    ),
    "import": Task(
        "Importing the LFW archive at 64 pixels",
        "img/s",
        True,
        "From the archive to bytes ready for training. facegan: the whole command. plain: unpack, "
        "then one pass of ImageFolder with Resize and CenterCrop through a DataLoader with a "
        "process for each core, kept as one array.",
    ),
    "startup": Task(
        "Start-up",
        "s",
        False,
        "From the command to the end of its --help; where there is no command, the import.",
    ),
    "first-step": Task(
        "First training step of DCGAN",
        "s",
        False,
        "From the start of the process to the end of the first step. facegan's includes trying "
        "both number formats, which it does once for each run.",
    ),
}

_GAN = ("train-dcgan", "sample", "sample-png", "latency", "startup", "first-step")


@dataclass(frozen=True)
class Peer:
    """One row of the tables.

    Attributes:
        name: of the row.
        worker: the script that measures it.
        tasks: what it is asked for.
        package: its name in the package index, required with ==; empty for what is not from there.
        requirements: installed beside the shared PyTorch; None runs this very Python.
        bare: installed without what they require: their pins exclude this PyTorch, or ask for
            what is not needed here.
        environment: the name of its virtual environment.
        bridge: whether its worker supplies what newer releases took away.
        note: what a reader must know: pins that were loosened, what was supplied.
    """

    name: str
    worker: Path
    tasks: tuple[str, ...]
    package: str = ""
    requirements: tuple[str, ...] | None = ()
    bare: tuple[str, ...] = ()
    environment: str = ""
    bridge: bool = False
    note: str = ""

    @property
    def version(self) -> str:
        """The release that is installed; empty for what is not from the index."""
        for each in (*self.bare, *(self.requirements or ())):
            name, _, version = each.partition("==")
            if name == self.package:
                return version
        return ""


_VEGANS = Peer(
    name="vegans",
    worker=_WORKERS / "vegans_worker.py",
    tasks=_GAN,
    package="vegans",
    requirements=("matplotlib", "pandas", "tensorboard", "wget"),
    bare=("vegans==0.4.0",),
    environment="vegans",
    note="Its pins were loosened: torch==1.8.1, torchvision==0.9.1, numpy==1.19.5, "
    "pandas==1.1.5, matplotlib==3.3.4, tensorboard==2.5.0, wget==3.2. The user supplies the "
    "networks: those of the plain script.",
)
_TORCHGAN = Peer(
    name="torchgan",
    worker=_WORKERS / "torchgan_worker.py",
    tasks=_GAN,
    package="torchgan",
    requirements=("torchgan==0.1.0",),
    environment="torchgan",
    note="Its generator has LeakyReLU where the others have ReLU, as it comes.",
)
_MIMICRY = Peer(
    name="torch-mimicry",
    worker=_WORKERS / "mimicry_worker.py",
    tasks=("train-resnet", "sample-resnet", "startup"),
    package="torch-mimicry",
    requirements=(
        *("scipy", "requests", "six", "matplotlib", "scikit-image", "scikit-learn"),
        *("future", "psutil", "lmdb", "pandas", "tensorboard"),
    ),
    bare=("torch-mimicry==0.1.16",),
    environment="torch-mimicry",
    note="Installed without tensorflow (2 GB, which its metrics alone use and which crashes beside "
    "this PyTorch; an empty module stands in), pytest, pytest-cov and yapf. Its DCGAN is a "
    "residual network, so it has no row there.",
)

PEERS: dict[str, Peer] = {
    peer.name: peer
    for peer in (
        Peer(
            name=REFERENCE,
            worker=_WORKERS / "facegan_worker.py",
            tasks=tuple(TASKS),
            environment="facegan",
        ),
        Peer(
            name="facegan-bf16",
            worker=_WORKERS / "facegan_bf16_worker.py",
            tasks=("sample", "sample-resnet", "sample-png", "latency"),
            environment=REFERENCE,
            note="`--precision bf16`, not the default: a seed's picture differs by a level or so.",
        ),
        Peer(
            name="plain",
            worker=_WORKERS / "plain_worker.py",
            tasks=(*_GAN, "import"),
            environment="plain",
            note="`plain_dcgan.py`, in the style of the official DCGAN tutorial; no library.",
        ),
        _TORCHGAN,
        replace(
            _TORCHGAN,
            name="torchgan-bridged",
            tasks=("train-dcgan", "first-step"),
            bridge=True,
            note="The same, given back the argument `range` of torchvision's `make_grid`, which "
            "newer releases call `value_range`. Without it its Trainer fails at the end of the "
            "first epoch.",
        ),
        _VEGANS,
        replace(
            _VEGANS,
            name="vegans-bridged",
            tasks=("train-dcgan", "first-step"),
            bridge=True,
            note="The same, given a loader whose iterators have the method `next` that "
            "newer releases of PyTorch took away and that its `fit` calls.",
        ),
        _MIMICRY,
        replace(
            _MIMICRY,
            name="torch-mimicry-bridged",
            bridge=True,
            note="The same, with an empty module for `torch._six`, which newer releases "
            "of PyTorch took away and which only its ImageNet loader uses. The discriminator is "
            "built from its blocks as the paper has it, with as many weights as facegan's.",
        ),
        Peer(
            name="lightweight-gan",
            worker=_WORKERS / "cuda_only_worker.py",
            tasks=("train-resnet", "sample", "startup"),
            package="lightweight-gan",
            requirements=("lightweight-gan==1.2.1",),
            environment="lightweight-gan",
        ),
        Peer(
            name="stylegan2-pytorch",
            worker=_WORKERS / "cuda_only_worker.py",
            tasks=("train-resnet", "sample", "startup"),
            package="stylegan2-pytorch",
            requirements=("stylegan2-pytorch==1.9.0",),
            environment="stylegan2-pytorch",
        ),
    )
}
