"""Symptoms of a run's history: its losses and gradients, and its Fréchet distances."""

from __future__ import annotations

from abc import abstractmethod
from bisect import insort
from collections import deque
from collections.abc import Sequence
from itertools import takewhile
from statistics import median

from facegan.runs.diagnosis.evidence import Distance, Line, Past
from facegan.runs.diagnosis.symptom import (
    HELPS,
    LASTING,
    Kind,
    Symptom,
    Words,
    kimg,
    lowered,
    penalty,
    whole_kimg,
)

_LOSSES = {
    "discriminator/adversarial": "the discriminator's loss",
    "generator/adversarial": "the generator's loss",
}
_GRADIENTS = {
    "discriminator/gradient_norm": "the norm of the discriminator's gradient",
    "generator/gradient_norm": "the norm of the generator's gradient",
}
# Lines of the journal whose median is "now", and how many before them are a past to compare
# with.
_NOW, _PAST = 5, 20


class Explosion(Symptom):
    """A loss or a gradient norm far beyond all that it was, or a loss that is absurd.

    "Far beyond" compares with the upper quartile of the past, and with 1, the size of a loss
    when training begins: in healthy runs, and in those that merely swing, the ratio stays
    below 13. As to "absurd", losses of runs that worked stayed below 100.
    """

    kind: Kind = "divergence"
    _TIMES, _ABSURD = 25.0, 1e4

    def __init__(self) -> None:
        self._courses: dict[str, _Course] = {}

    def see(self, line: Line, past: Past) -> Words | None:
        """See `Symptom.see`."""
        said = None
        for name, what in (_LOSSES | _GRADIENTS).items():
            if name in line.values:
                course = self._courses.setdefault(name, _Course())
                course.add(abs(line.values[name]))
                said = said or self._evidence(what, course, name in _LOSSES)
        if said is None:
            return None
        return Words(
            f"Training diverges: {said}.",
            f"{HELPS}lower learning rates ({lowered(past, 'discriminator')}, "
            f"{lowered(past, 'generator')}), {penalty(past)}, or `training.precision=fp32`.",
        )

    def _evidence(self, what: str, course: _Course, loss: bool) -> str | None:
        now, usual = course.now, course.usual
        if now is None:
            return None
        said = f"{what} is about {now:.3g} in the last {_NOW} lines of the journal"
        if usual is not None and now > self._TIMES * max(usual, 1.0):
            return f"{said}; before, it was at most {usual:.3g} in three quarters of the lines"
        if loss and now > self._ABSURD:
            return f"{said}; in runs that work it stays below a few hundred"
        return None


class _Course:
    """A series of sizes."""

    def __init__(self) -> None:
        self._recent: deque[float] = deque()
        self._earlier: list[float] = []  # ascending

    def add(self, size: float) -> None:
        self._recent.append(size)
        if len(self._recent) > _NOW:
            insort(self._earlier, self._recent.popleft())

    @property
    def now(self) -> float | None:
        """The median of the last few."""
        return median(self._recent) if len(self._recent) == _NOW else None

    @property
    def usual(self) -> float | None:
        """The upper quartile of those before."""
        count = len(self._earlier)
        return self._earlier[3 * count // 4] if count >= _PAST else None


class Measured(Symptom):
    """A symptom of Fréchet distances that may be compared."""

    def __init__(self) -> None:
        self._series: dict[str, list[Distance]] = {}

    def see(self, line: Line, past: Past) -> Words | None:
        """See `Symptom.see`."""
        if line.distance is None:
            return None
        series = self._series.setdefault(line.distance.conditions, [])
        series.append(line.distance)
        return self.words(series, past)

    @abstractmethod
    def words(self, series: Sequence[Distance], past: Past) -> Words | None:
        """What to say of all distances so far under these conditions, the newest last."""


# Of the lowest FD: less is no gain that could be lost.
_GAINED = 0.2


class Worsening(Measured):
    """FD is back at what it was when training began, in several evaluations in a row.

    Half of what was gained is lost and won again in healthy runs, early on and for up to four
    evaluations of twenty.
    """

    kind: Kind = "divergence"

    def words(self, series: Sequence[Distance], past: Past) -> Words | None:
        """See `Measured.words`."""
        now, best = series[-1], min(series, key=lambda distance: distance.value)
        gained = max(d.value for d in series[: series.index(best) + 1]) - best.value
        limit = best.value + max(0.75 * gained, 0.1 * best.value)
        row = list(takewhile(lambda d: d.value > limit and d.low > best.high, reversed(series)))
        if len(row) < 3 or now.at - row[-1].at < LASTING * past.total:
            return None
        # Where nothing was gained yet, FD rises while grey becomes pictures, too.
        if gained < _GAINED * best.value and past.rising:
            return None
        return Words(
            f"The images have become worse: FD was {best} at {kimg(best.at)}, has been above "
            f"{limit:.3g} since {kimg(row[-1].at)}, and is {now} now.",
            "The best snapshot is saved (facegan generate RUN --best). "
            f"{HELPS}a shorter run (`training.budget={whole_kimg(best.at)}`), learning rates that "
            "decay towards its end (an lr of kind cosine), or lower learning rates "
            f"({lowered(past, 'discriminator')}, {lowered(past, 'generator')}).",
        )


class Plateau(Measured):
    """During a third of the budget, no FD below the interval of the best before."""

    kind: Kind = "plateau"

    def words(self, series: Sequence[Distance], past: Past) -> Words | None:
        """Silent near the end, where no budget is left to save, and while FD rises."""
        now = series[-1]
        begin = now.at - past.total / 3
        before = [d for d in series if d.at <= begin]
        since = [d for d in series if d.at > begin]
        if len(since) < 2 or not before or now.at > 0.9 * past.total:
            return None
        best = min(before, key=lambda distance: distance.value)
        if min(d.value for d in since) < best.low or now.low > best.high:
            return None
        return Words(
            f"Training no longer improves: FD was already {best} at {kimg(best.at)} and is {now} "
            f"now, with {kimg(past.total - now.at)} to go.",
            "You may stop the run; the best snapshot is saved (facegan generate RUN --best). "
            f"{HELPS}learning rates that decay towards the end (an lr of kind cosine), larger "
            "networks (`generator.channels` or `generator.hidden`), or more training images.",
        )
