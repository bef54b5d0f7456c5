"""Running sums between two lines of the journal."""

from __future__ import annotations

import torch
from torch import Tensor

from facegan.training.execution import Execution, average_


class Sums:
    """Adds up named values, and gives their means.

    The sums are Python floats (float64): they survive a checkpoint's JSON to the last bit.
    """

    def __init__(self) -> None:
        self._totals: dict[str, tuple[float, int]] = {}

    def add(self, values: dict[str, Tensor], execution: Execution) -> dict[str, float]:
        """Add the mean of each tensor, taken over all processes.

        One exchange and one transfer from the device for all of them.

        Returns:
            The values added.
        """
        names = list(values)
        stacked = torch.stack([values[name].detach().float().mean() for name in names])
        average_([stacked], execution.world)
        added = dict(zip(names, stacked.tolist(), strict=True))
        for name, value in added.items():
            total, count = self._totals.get(name, (0.0, 0))
            self._totals[name] = (total + value, count + 1)
        return added

    def take(self) -> dict[str, float]:
        """The means since the last call, and start again."""
        means = {name: total / count for name, (total, count) in self._totals.items()}
        self._totals = {}
        return means

    def as_json(self) -> dict[str, list[float]]:
        """For a checkpoint."""
        return {name: [total, count] for name, (total, count) in self._totals.items()}

    @classmethod
    def from_json(cls, values: dict[str, list[float]]) -> Sums:
        """From a checkpoint."""
        sums = cls()
        sums._totals = {name: (total, int(count)) for name, (total, count) in values.items()}
        return sums
