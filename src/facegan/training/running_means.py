"""Running sums between two lines of the journal, fetched from the device when looked at."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from facegan.device import Execution, average_


class RunningMeans:
    """Adds up named values, and gives their means.

    The sums are Python floats (float64): they survive a checkpoint's JSON to the last bit.
    Whether they were added one by one or many at a time, they are the same.

    Processes exchange their values when they are looked at, all in one exchange, in which flags
    travel as well.

    Attributes:
        flags: of this process, to be taken along.
        raised: which of them some process had set, at the last exchange.
    """

    def __init__(self) -> None:
        self.flags: tuple[bool, ...] = ()
        self.raised: tuple[bool, ...] = ()
        self._world = 1
        self._totals: dict[str, tuple[float, int]] = {}
        self._waiting: list[tuple[int, list[str], Tensor]] = []

    @property
    def waiting(self) -> int:
        """How many steps' values are still on the device."""
        return len(self._waiting)

    def add(self, values: dict[str, Tensor], execution: Execution, images_seen: int) -> None:
        """Add the mean of each tensor. Waits for nothing.

        Args:
            values: of one step.
            execution: where it was computed.
            images_seen: before the step.
        """
        names = list(values)
        stacked = torch.stack([values[name].detach().float().mean() for name in names])
        self._world = execution.world
        self._waiting.append((images_seen, names, stacked))

    def look(self) -> list[tuple[int, dict[str, float]]]:
        """Fetch what was added since the last look, in one exchange and one transfer.

        Returns:
            For each step the images seen before it, and its values: means over all processes.
        """
        if not self._waiting:
            return []
        values = [stacked for _, _, stacked in self._waiting]
        flags = values[0].new_tensor(self.flags)
        every = torch.cat([*values, flags])
        average_([every], self._world)
        numbers = every.tolist()
        self.raised = tuple(flag > 0 for flag in numbers[len(numbers) - len(self.flags) :])
        fetched = iter(numbers)
        steps = [
            (seen, {name: next(fetched) for name in names}) for seen, names, _ in self._waiting
        ]
        self._waiting = []
        for _, added in steps:
            for name, value in added.items():
                total, count = self._totals.get(name, (0.0, 0))
                self._totals[name] = (total + value, count + 1)
        return steps

    def take(self) -> dict[str, float]:
        """The means since the last call, and start again. Everything must have been looked at."""
        assert not self._waiting
        means = {name: total / count for name, (total, count) in self._totals.items()}
        self._totals = {}
        return means

    def as_json(self) -> dict[str, list[float]]:
        """For a checkpoint. Everything must have been looked at."""
        assert not self._waiting
        return {name: [total, count] for name, (total, count) in self._totals.items()}

    @classmethod
    def from_json(cls, values: dict[str, list[float]]) -> RunningMeans:
        """From a checkpoint. Raises ValueError where there is no mean of what it says."""
        sums = cls()
        sums._totals = {name: (float(total), int(count)) for name, (total, count) in values.items()}
        if not all(math.isfinite(total) and count > 0 for total, count in sums._totals.values()):
            raise ValueError("sums of nothing, or that are not finite")
        return sums
