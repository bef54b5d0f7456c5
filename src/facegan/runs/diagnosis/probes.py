"""Symptoms of the probes: how the two players stand, and how varied the pictures are."""

from __future__ import annotations

from abc import abstractmethod

from facegan.runs.diagnosis.evidence import Line, Past
from facegan.runs.diagnosis.symptom import (
    HELPS,
    LASTING,
    Kind,
    Symptom,
    Words,
    kimg,
    penalty,
    percent,
    rates,
    whole_kimg,
)

# So many probes in a row are the least on which a judgement rests.
_PROBES = 4


class Lasting(Symptom):
    """A symptom of several probes in a row."""

    def __init__(self) -> None:
        self._row: list[Line] = []

    def see(self, line: Line, past: Past) -> Words | None:
        """See `Symptom.see`."""
        if not line.probed:
            return None
        if not self.shows(line, past):
            self._row.clear()
            return None
        self._row.append(line)
        for first in reversed(self._row[: 1 - _PROBES]):
            if line.at - first.at >= LASTING * past.total:
                return self.words(self._row[0].at, first, line, past)
        return None

    @abstractmethod
    def shows(self, line: Line, past: Past) -> bool:
        """Whether this probe has it."""

    @abstractmethod
    def words(self, since: float, first: Line, line: Line, past: Past) -> Words | None:
        """What to say, unless what happened between `first` and `line` speaks against it.

        Args:
            since: images seen when it first showed.
            first: the last probe from which on it has lasted long enough.
            line: the present one.
            past: of the run.
        """


class Saturation(Lasting):
    """D tells all generated pictures from real ones, and G gains nothing.

    Healthy runs are up to 8.5 standard deviations apart early on, with their variety rising;
    a generator that stands still gets more than 9 with every loss.
    """

    kind: Kind = "saturation"
    # D leads in the first thousands of images of any run, however short it is.
    _IMAGES = 5_000

    def shows(self, line: Line, past: Past) -> bool:
        """While G learns (a discriminator that learns alone is meant to win), and soundly."""
        won = line.probe("told_apart") >= 0.999 and line.probe("separation") >= 9
        return won and "generator" in past.learning and "divergence" not in past.found

    def words(self, since: float, first: Line, line: Line, past: Past) -> Words | None:
        """Silent while variety rises by 5 % of the real pictures'."""
        gained = line.probe("diversity") - first.probe("diversity")
        if line.at - since < self._IMAGES or not gained < 0.05:
            return None
        return Words(
            f"The discriminator wins too easily: since {kimg(since)} it has scored at least "
            "99.9 % of real pictures above generated ones, the two are "
            f"{line.probe('separation'):.3g} standard deviations apart, and the variety of the "
            f"generated pictures stays at {percent(line.probe('diversity'))} of the real ones'.",
            f"{HELPS}{rates(past, 'discriminator', 'generator')}, {penalty(past)}, or, if the "
            "loss is minimax, --set method.loss=non_saturating.",
        )


class Imbalance(Lasting):
    """The mirror image: D prefers generated pictures, so what it teaches is wrong."""

    kind: Kind = "imbalance"

    def shows(self, line: Line, past: Past) -> bool:
        """While D learns: one that is held still is meant to lose."""
        return line.probe("told_apart") <= 0.4 and "discriminator" in past.learning

    def words(self, since: float, first: Line, line: Line, past: Past) -> Words | None:
        """See `Lasting.words`."""
        return Words(
            f"The generator outruns the discriminator: since {kimg(since)} it has taken "
            "generated pictures for real and real ones for generated (it now scores the "
            f"generated one higher in {percent(1 - line.probe('told_apart'))} of pairs; 50 % is "
            "chance), so what it teaches is wrong.",
            f"{HELPS}{rates(past, 'generator', 'discriminator')}, or more updates of the "
            "discriminator (--set method.n_critic=2).",
        )


class Overfitting(Lasting):
    """D knows its training pictures by heart.

    After some ten epochs of 12,000 pictures the two numbers are 0.61 and 0.13; after 200 of a
    hundred pictures, 0.9 and 0.5.
    """

    kind: Kind = "overfitting"

    def shows(self, line: Line, past: Past) -> bool:
        """In the order of scores, and in their size."""
        return line.probe("remembered") >= 0.75 and line.probe("overfitting") >= 0.4

    def words(self, since: float, first: Line, line: Line, past: Past) -> Words | None:
        """See `Lasting.words`."""
        above, way = percent(line.probe("remembered")), percent(line.probe("overfitting"))
        return Words(
            "The discriminator knows its training pictures by heart: it scores a training "
            f"picture above a held-out one in {above} of pairs (50 % is chance), and since "
            f"{kimg(since)} has placed held-out pictures, which are as real, on the way to the "
            f"generated ones, at {way} of it now (r_v of Karras et al. 2020).",
            f"{HELPS}more training pictures, a smaller discriminator (discriminator.channels or "
            f"discriminator.hidden), {penalty(past)}, or a shorter run "
            f"(--set training.budget={whole_kimg(since)}).",
        )


class Fall(Symptom):
    """Variety that was there is lost: under half of its best, twice in a row.

    In healthy runs it rises, and stays above three quarters of its best.
    """

    kind: Kind = "collapse"

    def __init__(self) -> None:
        self._best = self._best_at = 0.0
        self._before = False

    def see(self, line: Line, past: Past) -> Words | None:
        """See `Symptom.see`."""
        variety = line.probe("diversity")
        if variety > self._best:
            self._best, self._best_at = variety, line.at
        if not variety >= 0:
            return None
        # More than real pictures vary is no merit, and coming down from it no loss.
        low = variety < 0.5 * min(self._best, 1.0) and self._best >= 0.25
        again, self._before = low and self._before, low
        if not again:
            return None
        return Words(
            f"The generated pictures have become alike: their variety was "
            f"{percent(self._best)} of the real ones' at {kimg(self._best_at)} and is "
            f"{percent(variety)} now.",
            f"{HELPS}{rates(past, 'generator', 'discriminator')}, {penalty(past)}, a larger "
            "training.batch, or a loss that compares pairs (--set method.loss=relativistic). "
            "The sample grids show when it began.",
        )


class NeverVaried(Lasting):
    """In the second half of the run all pictures are still nearly the same."""

    kind: Kind = "collapse"

    def shows(self, line: Line, past: Past) -> bool:
        """Not where it is a consequence of what was already said."""
        explained = past.found & {"saturation", "imbalance", "divergence"}
        return line.at >= past.total / 2 and line.probe("diversity") < 0.1 and not explained

    def words(self, since: float, first: Line, line: Line, past: Past) -> Words | None:
        """Silent while variety still rises."""
        variety = line.probe("diversity")
        if not variety < 1.1 * first.probe("diversity") + 0.005:
            return None
        return Words(
            f"The generated pictures are nearly all the same: {kimg(line.at)} into a run of "
            f"{kimg(past.total)}, their variety is {percent(variety)} of the real ones', and "
            "does not grow.",
            f"{HELPS}a longer run (training.budget) while the sample grids still change; after "
            f"that {penalty(past)}, or convolutions in the place of an MLP (facegan train dcgan).",
        )
