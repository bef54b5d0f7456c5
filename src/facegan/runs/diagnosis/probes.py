"""Symptoms of the probes: how the two players stand, and how varied the pictures are."""

from __future__ import annotations

from abc import abstractmethod

from facegan.optimizers import PLAYERS
from facegan.runs.diagnosis.evidence import Line, Past
from facegan.runs.diagnosis.symptom import (
    HELPS,
    LASTING,
    Kind,
    Symptom,
    Words,
    convolutions,
    kimg,
    lowered,
    pairs,
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
    a generator that stands still gets more than 9 with every loss. The minimax loss gives G no
    slope where D is sure (Goodfellow et al. 2014, section 3), so that less is enough there.
    """

    kind: Kind = "saturation"
    # D leads in the first thousands of images of any run, however short it is.
    _IMAGES = 5_000
    _FAR, _FAR_MINIMAX = 9.0, 5.0

    def shows(self, line: Line, past: Past) -> bool:
        """While G learns (a discriminator that learns alone is meant to win), and soundly."""
        minimax = past.loss == "minimax"
        won = line.probe("told_apart") >= (0.99 if minimax else 0.999)
        far = line.probe("separation") >= (self._FAR_MINIMAX if minimax else self._FAR)
        return won and far and "generator" in past.learning and "divergence" not in past.found

    def words(self, since: float, first: Line, line: Line, past: Past) -> Words | None:
        """Silent while variety rises by 5 % of the real pictures'."""
        gained = line.probe("diversity") - first.probe("diversity")
        if line.at - since < self._IMAGES or not gained < 0.05:
            return None
        share = percent(line.probe("told_apart"))
        said = (
            f"since {kimg(since)} it has scored real images above generated ones in {share} of "
            f"pairs, {line.probe('separation'):.3g} standard deviations apart, and the variety of "
            f"the generated images stays at {percent(line.probe('diversity'))} of that of real "
            "images."
        )
        balance = f"{rates(past, 'discriminator', 'generator')}, {penalty(past)}"
        if past.loss == "minimax":
            return Words(
                "The minimax loss saturates: when the discriminator is certain, the generator's "
                f"loss is flat and gives no gradient, and {said}",
                "What helps, in a new run: the loss designed for this, "
                f"`method.loss=non_saturating`; or {balance}.",
            )
        return Words(
            f"The discriminator wins too easily: {said}",
            f"{HELPS}{balance}"
            + ("." if past.loss else ", or, if the loss is minimax, `method.loss=non_saturating`."),
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
            f"The generator is ahead of the discriminator: since {kimg(since)} the discriminator "
            "has rated generated images as more real than real ones (now in "
            f"{percent(1 - line.probe('told_apart'))} of pairs; 50 % is chance), so its gradients "
            "mislead the generator.",
            f"{HELPS}{rates(past, 'generator', 'discriminator')}, or more updates of the "
            "discriminator (`method.n_critic=2`).",
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
            "The discriminator overfits: it scores a training image above a holdout image in "
            f"{above} of pairs (50 % is chance). Since {kimg(since)} it has scored holdout images, "
            "which are as real, between training and generated images; they are now "
            f"{way} of the way to the generated ones (r_v of Karras et al. 2020).",
            f"{HELPS}augmentation (`augment`), more training images, a smaller discriminator "
            f"(`discriminator.channels` or `discriminator.hidden`), {penalty(past)}, or a shorter "
            f"run (`training.budget={whole_kimg(since)}`).",
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
            f"The generated images have become alike: their variety was {percent(self._best)} of "
            f"that of real images at {kimg(self._best_at)} and is {percent(variety)} now.",
            f"{HELPS}{rates(past, 'generator', 'discriminator')}, {penalty(past)}{pairs(past)}, or "
            "a larger batch (`training.batch`). The sample grids show when it began.",
        )


class NeverVaried(Lasting):
    """In the second half of the run all pictures are still nearly the same."""

    kind: Kind = "collapse"
    _ALIKE, _GROWS, _END, _AT_THE_END = 0.1, 1.04, 0.97, 0.06

    def shows(self, line: Line, past: Past) -> bool:
        """Not where it is a consequence of what was already said."""
        explained = past.found & {"saturation", "imbalance", "divergence", "idle"}
        alike = line.probe("diversity") < self._ALIKE
        return line.at >= past.total / 2 and alike and not explained

    def words(self, since: float, first: Line, line: Line, past: Past) -> Words | None:
        """Silent while variety is on its way, or FD falls; not at the end of a run."""
        variety, before = line.probe("diversity"), first.probe("diversity")
        # What it would have at the end if it went on as since the first of these probes.
        rise = (variety - before) / max(line.at - first.at, 1)
        hope = variety + rise * (past.total - line.at) >= self._ALIKE
        if line.at < self._END * past.total:
            if hope or past.falling or variety >= self._GROWS * before + 0.001:
                return None
        elif variety >= self._AT_THE_END and rise > 0:
            return None
        grows = "hardly grows" if rise > 0 else "does not grow"
        return Words(
            f"The generated images are nearly all the same: at {kimg(line.at)} of "
            f"{kimg(past.total)}, their variety is {percent(variety)} of that of real images "
            f"and {grows}.",
            f"{HELPS}a longer run (`training.budget`) while the sample grids still change; after "
            f"that {penalty(past)}{pairs(past)}{convolutions(past)}.",
        )


class Artefacts(Lasting):
    """What alternates from pixel to pixel is many times stronger than in photographs.

    In healthy runs the ratio comes down to a few in the first tenth.
    """

    kind: Kind = "artefacts"
    _TIMES = 30.0

    def shows(self, line: Line, past: Past) -> bool:
        """Not in the first fifth, where any generator is noisy."""
        return line.at >= past.total / 5 and line.probe("checkered") >= self._TIMES

    def words(self, since: float, first: Line, line: Line, past: Past) -> Words | None:
        """See `Lasting.words`."""
        return Words(
            f"The generated images have a checkerboard pattern or noise: since {kimg(since)} the "
            f"finest detail has had at least {self._TIMES:.0f} times the power that it has in real "
            f"images, now {line.probe('checkered'):.3g} times.",
            f"{HELPS}lower learning rates ({lowered(past, 'generator')}, "
            f"{lowered(past, 'discriminator')}), or {penalty(past)}.",
        )


class Faceless(Lasting):
    """Real pictures show faces, and generated ones do not."""

    kind: Kind = "no face"
    _NONE, _REAL, _LATE = 0.02, 0.5, 0.55

    def shows(self, line: Line, past: Past) -> bool:
        """Late in the run, where real pictures show that faces can be found."""
        late = line.at >= self._LATE * past.total and line.probe("faces_real") >= self._REAL
        explained = past.found & {"collapse", "divergence", "idle"}
        return late and line.probe("faces") <= self._NONE and not explained

    def words(self, since: float, first: Line, line: Line, past: Past) -> Words | None:
        """Silent while FD falls, or variety rises."""
        if past.falling or past.rising:
            return None
        return Words(
            f"The detector finds no face in the generated images at {kimg(line.at)} of "
            f"{kimg(past.total)}; in real images it finds one in "
            f"{percent(line.probe('faces_real'))}.",
            f"{HELPS}a longer run (`training.budget`) while FD falls and the sample grids still "
            f"change; after that {rates(past, 'discriminator', 'generator')}, or "
            f"{penalty(past)}.",
        )


class Idle(Symptom):
    """One of the two networks is trained at a rate of 0: the other learns against a stone.

    A network that no stage trains is held still on purpose, and no trouble.
    """

    kind: Kind = "idle"
    _SHARE = 0.3

    def see(self, line: Line, past: Past) -> Words | None:
        """Of the highest rates so far."""
        still = [player for player in PLAYERS if past.rates.get(player) == 0]
        moving = [player for player in PLAYERS if past.rates.get(player)]
        if not (still and moving) or line.at < self._SHARE * past.total:
            return None
        (player,), (other,) = still, moving
        return Words(
            f"The {player} has not learned for {kimg(line.at)} of {kimg(past.total)}: its learning "
            f"rate is 0, so the {other} trains against the initial {player}.",
            f"{HELPS}a learning rate for it, such as that of the {other} "
            f"(`stages.*.{player}.lr={past.rates[other]:.2g}`).",
        )
