"""What was seen of copying, in sentences: the numbers, what chance gives, what follows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from facegan.evaluation.results import CopySearchResult, EmbeddingCopying, EmbeddingVerdict
from facegan.evaluation.wording import listed

# Held-out people, counted as if all were photographed equally often, below which the yardstick
# itself is uncertain.
_FEW_PEOPLE = 50
# So unlikely is an even split between training set and holdout where it is called uneven.
_UNEVEN = 0.05
# Standard deviations of the null beyond which `closer` is worth a sentence.
_FAR = 3.0


@dataclass(frozen=True)
class Evidence:
    """What one embedding saw, and what it takes to judge it.

    Attributes:
        found: the numbers that are reported.
        near_limit: `found.near` exceeds it in 1 % of draws without copying.
        near_highest: the most of 2,000 such draws.
        first: how many generated pictures are closer to the training set than every held-out
            one.
        first_expected: how many by chance.
        first_highest: the most of 2,000 draws.
        first_holdout: like `first`, towards the holdout in the place of the training set.
        identical: how many generated pictures lie at no distance from a training picture, up
            to rounding.
    """

    found: EmbeddingCopying
    near_limit: float
    near_highest: int
    first: int
    first_expected: float
    first_highest: int
    first_holdout: int
    identical: int

    @property
    def copied(self) -> bool:
        """Whether it takes copies to explain the numbers.

        More pictures are closer than every held-out one than in any draw of chance, and the
        holdout has not as many; or some are identical. Many that are near are no proof: new
        photographs of people who are in training, too, come near it 2.3 to 2.9 times as often
        as those of strangers (LFW, three embeddings).
        """
        uneven = _uneven(self.first, self.first_holdout)
        return (self.first > self.first_highest and uneven) or self.identical > 0

    @property
    def verdict(self) -> EmbeddingVerdict:
        """What follows from the numbers: see `EmbeddingCopying.verdict`."""
        if self.copied:
            return "copied"
        if self.many:
            return "typical" if self.drawn_to_holdout else "attracted"
        return "unlike" if self.found.z < -_FAR else "chance"

    @property
    def many(self) -> bool:
        """Whether there is more closeness to the training set than chance usually gives."""
        return self.found.near > self.near_limit or self.found.z > _FAR

    @property
    def drawn_to_holdout(self) -> bool:
        """Whether what there is too much shows towards the holdout as well."""
        near = self.found.near <= self.near_limit or not _uneven(
            self.found.near, self.found.near_holdout
        )
        closer = self.found.z <= _FAR or self.found.closer - 0.5 <= 2 * (
            self.found.closer_holdout - 0.5
        )
        return near and closer


def _uneven(here: int, there: int) -> bool:
    """Whether an even chance for either side hardly gives so many here (a sign test)."""
    from scipy.special import bdtrc

    return float(bdtrc(here - 1, here + there, 0.5)) < _UNEVEN if here else False


def in_words(
    seen: Sequence[Evidence],
    n: int,
    pictures: npt.NDArray[np.int64],
    searched: CopySearchResult | None = None,
    known: bool = True,
) -> str:
    """A few sentences.

    Args:
        seen: of each embedding.
        n: how many generated pictures there are.
        pictures: int64 [people], how many held-out pictures there are of each person.
        searched: what a search for copies found.
        known: whether it is known who is shown.
    """
    if searched is not None:
        return " ".join([*_searched(searched), *_pulls(seen), *_yardstick(pictures, known)])
    copied = [one for one in seen if one.verdict == "copied"]
    quiet = [one for one in seen if one.verdict == "chance"]
    counts = listed(f"{one.found.near:,} (in {one.found.embedding})" for one in seen)
    sentences = [
        f"{counts} of {n:,} generated faces are closer to a training image than 99 % of "
        f"holdout faces are; about {_about(seen[0].found.near_expected)} would by chance."
    ]
    if copied:
        sentences += _copied(copied)
    sentences += [_pull(one) for one in seen if one not in copied and one not in quiet]
    if quiet:
        verb = "shows" if len(quiet) == 1 else "show"
        sentences.append(f"What {_names(quiet)} {verb} can be explained by chance.")
    if not copied:
        sentences.append(
            "This does not prove that nothing was copied: an embedding can miss an "
            "altered copy, and the counts can miss a rare one."
        )
    return " ".join([*sentences, *_yardstick(pictures, known)])


def few_people(pictures: npt.NDArray[np.int64]) -> bool:
    """Whether the holdout shows so few people that the comparison is weak.

    Args:
        pictures: int64 [people], how many held-out pictures there are of each person.
    """
    return float(pictures.sum() ** 2 / np.square(pictures).sum()) < _FEW_PEOPLE


def _yardstick(pictures: npt.NDArray[np.int64], known: bool) -> Iterator[str]:
    """What weakens the comparison with held-out pictures."""
    if not known:
        yield (
            "The identities are not known. The same person, or nearly the same "
            "photograph, may be in both training and holdout, so copies may look like "
            "chance."
        )
    elif few_people(pictures):
        people = f"{len(pictures):,} {'people' if len(pictures) > 1 else 'person'}"
        yield (
            f"The comparison is weak: there are only {pictures.sum():,} holdout images, of "
            f"{people}."
        )


def _searched(found: CopySearchResult) -> Iterator[str]:
    """What the search says: the numbers, the two tests, what follows."""
    both = found.to_train + found.to_holdout
    yield (
        f"{both:,} of {found.n:,} generated faces match a real image as closely as one real face "
        f"in {found.one_in} matches another person's; about {_about(found.expected)} would "
        "by chance."
    )
    wanted = _about(both * found.holdout_share)
    if found.verdict == "chance":
        yield (
            f"This can be explained by chance (p = {found.chance:.2g}). It does not prove "
            "that nothing was copied: the search misses strongly altered copies, and the "
            "counts can miss a rare one. Look at the closest pairs too."
        )
        return
    if found.verdict == "typical":
        yield (
            f"This is more than by chance ({_probability(found.chance)}), but "
            f"{found.to_holdout:,} match holdout faces, which cannot have been copied; "
            f"without copying, {wanted} would. So these faces resemble many real faces, "
            "which is no sign of copying."
        )
        return
    yield (
        f"{found.to_train:,} match training images and {found.to_holdout:,} match holdout images. "
        f"Without copying, {wanted} would match holdout images. Chance rarely gives so "
        f"many ({_probability(found.chance)})."
    )
    if found.verdict == "unclear":
        yield (
            "These are too few to tell copies from faces that resemble many real faces. "
            "Look at the closest pairs, or evaluate more images."
        )
        return
    how = [f"{count:,} by the {part}" for part, count in found.parts.items()]
    how += [f"{found.mirrored:,} mirrored"] * (found.mirrored > 0)
    how += [f"{found.moved:,} shifted, turned or enlarged"] * (found.moved > 0)
    yield (
        "This indicates copies of training images, whether exact, altered, partial or blended: "
        f"{listed(how)}. Look at the closest pairs."
    )


def _pulls(seen: Sequence[Evidence]) -> Iterator[str]:
    """What embeddings add to the search."""
    if identical := max((one.identical for one in seen), default=0):
        yield f"{identical:,} cannot be distinguished from a training image."
    unlike = [one for one in seen if one.verdict == "unlike"]
    if len(unlike) > 1:
        closer = listed(f"{one.found.closer:.2f} ({one.found.embedding})" for one in unlike)
        yield (
            "A generated face is closer to the training set than a holdout face with "
            f"probability {closer}; 0.50 is chance. So generated faces are unlike real "
            "ones, which is about quality, not copying."
        )
    for one in seen:
        if one.many or (unlike == [one]):
            yield _pull(one)


def _probability(value: float) -> str:
    return f"p = {value:.2g}" if value >= 1e-4 else "p < 0.0001"


def _copied(seen: Sequence[Evidence]) -> list[str]:
    """Of embeddings in which it takes copies to explain the numbers."""
    holdout = listed(f"{one.found.near_holdout:,}" for one in seen)
    sentences = [
        f"In {_names(seen)} this can be explained neither by chance nor by faces that "
        f"resemble many real faces ({holdout} are as close to the holdout). It indicates "
        "copies of training images, whether exact, altered or blended."
    ]
    most = max(seen, key=lambda one: one.first)
    if most.first > most.first_highest:
        sentences.append(
            f"In {most.found.embedding} {most.first:,} are closer than any holdout face; about "
            f"{_about(most.first_expected)} would be by chance."
        )
    if identical := max(one.identical for one in seen):
        sentences.append(f"{identical:,} cannot be distinguished from a training image.")
    turned = max((one.found for one in seen), key=lambda found: found.near_mirrored)
    if turned.near_mirrored > turned.near_expected:
        sentences.append(
            f"In {turned.embedding} {turned.near_mirrored:,} are so close only when mirrored."
        )
    return [*sentences, "Look at the closest pairs."]


def _pull(one: Evidence) -> str:
    """Of an embedding in which something pulls generated faces to real ones, or away."""
    found = one.found
    closer = (
        f"In {found.embedding} a generated face is closer to the training set than a holdout face "
        f"with probability {found.closer:.2f} ({found.closer_low:.2f} to {found.closer_high:.2f} "
        f"without copying), and closer to the holdout with {found.closer_holdout:.2f}:"
    )
    if one.verdict == "unlike":
        return (
            f"{closer} generated faces are unlike real ones, which is about quality, not copying."
        )
    if one.verdict == "typical":
        return (
            f"{closer} smooth or typical faces resemble many real faces, which is no sign of "
            "copying."
        )
    return (
        f"{closer} they are closer to the training set than chance usually gives, as copies "
        "would be, and as new faces of people in it would be. Look at the closest pairs."
    )


def _names(seen: Sequence[Evidence]) -> str:
    return listed(one.found.embedding for one in seen)


def _about(count: float) -> str:
    return f"{count:,.0f}" if count >= 10 else f"{count:.1f}"
