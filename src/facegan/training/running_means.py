"""Running sums between two lines of the journal, fetched from the device when looked at."""

from __future__ import annotations

import torch
from torch import Tensor

from facegan.device import Execution, average_


class RunningMeans:
    """Adds up named values, and gives their means.

    The sums are Python floats (float64): they survive a checkpoint's JSON to the last bit.
    Whether they were added one by one or many at a time, they are the same.
    """

    def __init__(self) -> None:
        self._totals: dict[str, tuple[float, int]] = {}
        self._waiting: list[tuple[int, list[str], Tensor]] = []

    @property
    def waiting(self) -> int:
        """How many steps' values are still on the device."""
        return len(self._waiting)

    def add(self, values: dict[str, Tensor], execution: Execution, images_seen: int) -> None:
        """Add the mean of each tensor, taken over all processes. Waits for nothing.

        Args:
            values: of one step.
            execution: where it was computed.
            images_seen: before the step.
        """
        names = list(values)
        stacked = torch.stack([values[name].detach().float().mean() for name in names])
        average_([stacked], execution.world)
        self._waiting.append((images_seen, names, stacked))

    def look(self) -> list[tuple[int, dict[str, float]]]:
        """Fetch what was added since the last look, in one transfer.

        Returns:
            For each step the images seen before it, and its values.
        """
        if not self._waiting:
            return []
        fetched = iter(torch.cat([stacked for _, _, stacked in self._waiting]).tolist())
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
        """From a checkpoint."""
        sums = cls()
        sums._totals = {name: (total, int(count)) for name, (total, count) in values.items()}
        return sums
