"""Pictures for peers that train from a PyTorch loader, and the time between their batches."""

from __future__ import annotations

# mypy: disable-error-code="import-not-found"
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from peers.protocol import BATCH, Job, Measured, since_start


class Metronome(Sampler[int]):
    """Shuffled numbers of pictures for some batches, and when each batch was asked for.

    A library's own loop cannot be timed from inside. But it asks for a batch when the work on
    the one before is done, so the time between two requests is that of one iteration.

    Args:
        pictures: in the dataset.
        batches: to give.
        interrupt: stop the loop at the last batch's request as Ctrl-C does, instead of giving it.

    Attributes:
        ticks: when each batch of the latest pass was asked for, and the end of the pass;
            seconds of `time.perf_counter`.
    """

    def __init__(self, pictures: int, batches: int, interrupt: bool = False) -> None:
        self._pictures, self._batches, self._interrupt = pictures, batches, interrupt
        self.ticks: list[float] = []

    def __len__(self) -> int:
        return self._batches * BATCH

    def __iter__(self) -> Iterator[int]:
        self.ticks = []
        left: list[int] = []
        for number in range(len(self)):
            if number % BATCH == 0:
                self.ticks.append(time.perf_counter())
                if self._interrupt and len(self.ticks) == self._batches:
                    raise KeyboardInterrupt
            left = left or torch.randperm(self._pictures).tolist()
            yield left.pop()
        self.ticks.append(time.perf_counter())


class Unlabelled(Dataset[Any]):
    """The pictures of a labelled dataset alone."""

    def __init__(self, labelled: Dataset[Any]) -> None:
        self._labelled = labelled

    def __len__(self) -> int:
        return len(self._labelled)  # type: ignore[arg-type]

    def __getitem__(self, index: int) -> Any:
        return self._labelled[index][0]


def folder(path: Path) -> Any:
    """The PNG files as every tutorial reads them: [3, 64, 64] in [−1, 1], and a class number."""
    from torchvision import transforms
    from torchvision.datasets import ImageFolder

    steps = [transforms.ToTensor(), transforms.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))]
    return ImageFolder(str(path), transforms.Compose(steps))


def metronome(
    job: Job, dataset: Dataset[Any], per_step: int = 1, interrupt: bool = False
) -> Metronome:
    """Batches for a job, and one more, whose request is the end of the timed ones."""
    batches = (job.warmup + job.steps) * per_step + 1
    return Metronome(len(dataset), batches, interrupt)  # type: ignore[arg-type]


def loader(dataset: Dataset[Any], ticking: Metronome) -> DataLoader[Any]:
    """PyTorch's loader as it comes: in the process itself, so that its work counts."""
    return DataLoader(dataset, BATCH, sampler=ticking, drop_last=True)


def measured(
    job: Job, ticking: Metronome, parameters: tuple[int, int], per_step: int = 1, note: str = ""
) -> Measured:
    """Real images a second over the timed steps; of the task `first-step`, its seconds."""
    first, last = job.warmup * per_step, (job.warmup + job.steps) * per_step
    if job.task == "first-step":
        return Measured(since_start(job, ticking.ticks[per_step]), parameters, note)
    seconds = ticking.ticks[last] - ticking.ticks[first]
    return Measured((last - first) * BATCH / seconds, parameters, note)


def count(*networks: torch.nn.Module) -> tuple[int, int]:
    """The parameters of a generator and a discriminator."""
    generator, discriminator = (sum(p.numel() for p in each.parameters()) for each in networks)
    return generator, discriminator
