"""Do generated faces come closer to the training set than faces of strangers do?

The yardstick is the holdout: real faces that the generator never saw. How close those come
to the training set is what coincidence looks like. Mirrored copies count as copies:
generated and held-out pictures are looked up plain and mirrored, and the closer of the two
counts on both sides.

Three things to know when reading the numbers:

- A holdout that shows other people than the training split (as `facegan data import
  --holdout` makes it where it knows who is shown) has no second photograph of anybody in
  training. A perfect generator would show people from the training split, too, so it would
  come closer than the holdout does, and the numbers err towards suspicion. On LFW, real
  training pictures looked up among the others count as closer with 0.51 to 0.53 in the place
  of 0.50, and 2.3 to 2.9 times as many are near as by chance.
- Smooth or typical faces are close to every real face, copied or not. So the same is measured
  towards the holdout, which cannot have been copied: only a pull towards the training set
  that the holdout does not have is evidence.
- An embedding sees only what it encodes. Nothing here can prove that nothing was copied.

So embeddings show a pull; whether there are copies is decided by a search for them (`copy_search`,
`copy_verdict`), which has real pictures of other people as its yardstick.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from facegan.data.dataset import Dataset
from facegan.data.people import people_known
from facegan.errors import FaceganError
from facegan.evaluation import calibration
from facegan.evaluation.cache import FeatureCache, Progress, silent
from facegan.evaluation.calibration import Distances
from facegan.evaluation.copy_search import VERSION, CopySearch, Matches
from facegan.evaluation.copy_verdict import Yardstick, search_result
from facegan.evaluation.copying_words import Evidence, few_people, in_words
from facegan.evaluation.neighbours import Features, Numbers, neighbours, neighbours_within
from facegan.evaluation.results import Copying, CopySearchResult, EmbeddingCopying, Neighbour, Pair
from facegan.seeding import REAL_CHOICE, random

# Of a held-out picture's median distance: less is rounding, not difference.
_IDENTICAL = 1e-3
# Real pictures that are looked up among those of others: so many make the yardstick.
_YARDSTICK = 4_000
# The closest pairs that are named.
_PAIRS = 16
# Of the most unusual generated pictures, those whose closest pairs are worked out.
_PAIRS_FROM = 4


Images = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Space:
    """The features of all pictures from one extractor, in the order of `RealFaces` and seeds.

    Attributes:
        embedding: the extractor's name.
        train: float32 [T, D], of the training split.
        holdout: float32 [H, D].
        holdout_mirrored: float32 [H, D], of the same pictures, each mirrored left to right.
        generated: float32 [n, D].
        generated_mirrored: float32 [n, D].
    """

    embedding: str
    train: Features
    holdout: Features
    holdout_mirrored: Features
    generated: Features
    generated_mirrored: Features


@dataclass(frozen=True)
class RealFaces:
    """Which pictures of a dataset the features belong to.

    Attributes:
        train: int64 [T], their places in the dataset.
        holdout: int64 [H].
        names: of every picture of the dataset.
        identities: who is shown, of every picture of the dataset.
        known: whether that is known; otherwise each counts as a person of its own.
    """

    train: Numbers
    holdout: Numbers
    names: Sequence[str]
    identities: Sequence[str]
    known: bool = True

    @classmethod
    def of(cls, dataset: Dataset) -> RealFaces:
        """Both splits of `dataset`, whole."""
        return cls(
            dataset.indices("train"),
            dataset.indices("holdout"),
            dataset.names,
            dataset.identities,
            people_known(dataset),
        )


class CopySearchFindings(NamedTuple):
    """What a search for copies gave.

    Attributes:
        searched: in numbers.
        pairs: the closest ones, closest first.
    """

    searched: CopySearchResult
    pairs: tuple[Pair, ...]


def find_copies(
    spaces: Sequence[Space],
    real: RealFaces,
    seeds: Sequence[int],
    *,
    pairs: int = _PAIRS,
    seed: int = 0,
    progress: Progress = silent,
    search: CopySearchFindings | None = None,
) -> Copying:
    """Compare how close generated and held-out pictures come to the training split.

    Args:
        spaces: one for each embedding, at least one.
        real: the pictures of the two splits.
        seeds: [n], of the generated pictures.
        pairs: how many of the closest pairs to name at most. No generated and no training
            picture is in two of them.
        seed: of the bootstrap and of the null's draws.
        progress: called with (embeddings done, embeddings in all).
        search: what `look_for_copies` found, which then decides; its pairs are those named.

    Raises:
        FaceganError: no holdout or next to none, or features that do not fit the pictures.
    """
    _check(spaces, real, seeds)
    shown = [real.identities[i] for i in real.holdout]
    _, people, pictures = np.unique(shown, return_inverse=True, return_counts=True)
    seen = []
    for number, space in enumerate(spaces):
        seen.append(_look(space, people, seed))
        progress(number + 1, len(spaces))
    return Copying(
        n=len(seeds),
        n_train=len(real.train),
        n_holdout=len(real.holdout),
        embeddings=tuple(view.evidence.found for view in seen),
        pairs=_closest_pairs(seen, real, seeds, pairs) if search is None else search.pairs,
        said=in_words(
            [view.evidence for view in seen],
            len(seeds),
            pictures,
            None if search is None else search.searched,
            real.known,
        ),
        searched=None if search is None else search.searched,
        people=real.known,
        few=few_people(pictures),
    )


def look_for_copies(
    generated: Images,
    dataset: Dataset,
    real: RealFaces,
    seeds: Sequence[int],
    cache: FeatureCache,
    *,
    seed: int = 0,
    progress: Progress = silent,
) -> CopySearchFindings:
    """Search the training pictures and the holdout for what generated pictures might copy.

    Args:
        generated: uint8 [n, H, W, C], n ≥ 1.
        dataset: the real pictures, of the same shape.
        real: its two splits.
        seeds: [n], of the generated pictures.
        cache: keeps what depends on the real pictures alone.
        seed: of the choice of real pictures for the yardstick.
        progress: called with (pictures looked up, pictures in all).
    """
    rows = np.sort(np.concatenate((real.train, real.holdout)))
    held_out = np.isin(rows, real.holdout)
    search = CopySearch(dataset.images, rows, ~held_out)
    asked = min(_YARDSTICK, len(rows))
    total = asked + len(generated)

    def later(done: int, _: int) -> None:
        progress(asked + done, total)

    yardstick = yardstick_of(
        search, dataset, real, rows, cache, seed, lambda done, _: progress(done, total)
    )
    matches = search.look_up(generated, progress=later)
    found = search_result(yardstick, matches, search.parts, held_out)
    most = np.argsort(-yardstick.best(matches).score, kind="stable")[: _PAIRS_FROM * _PAIRS]
    sides = [
        # With the other split barred.
        search.look_up(
            generated, most, (np.zeros(len(most), np.int64), barred.astype(np.int64) - 1)
        )
        for barred in (held_out, ~held_out)
    ]
    named = _searched_pairs(search, yardstick, sides, rows, real.names, [seeds[i] for i in most])
    return CopySearchFindings(found, named[:_PAIRS])


def yardstick_of(
    search: CopySearch,
    dataset: Dataset,
    real: RealFaces,
    rows: Numbers,
    cache: FeatureCache,
    seed: int = 0,
    progress: Progress = silent,
) -> Yardstick:
    """How unusually real pictures match those of other people; looked up once, then kept.

    Args:
        search: of `rows`.
        dataset: the real pictures.
        real: its two splits.
        rows: int64 [R], those that are searched.
        cache: keeps what was found.
        seed: of the choice of pictures.
        progress: called with (pictures looked up, pictures in all).
    """
    _, people = np.unique([real.identities[row] for row in rows], return_inverse=True)
    asked = np.sort(random(seed, REAL_CHOICE, 4).permutation(len(rows))[:_YARDSTICK])

    def look_up() -> npt.NDArray[np.float32]:
        return search.look_up(dataset.images, rows[asked], (people[asked], people), progress).score

    name = f"copies {VERSION} {dataset.fingerprint} {seed} {len(rows)} {len(asked)} {real.known}"
    return Yardstick.of(cache.array(name, look_up))


def _searched_pairs(
    search: CopySearch,
    yardstick: Yardstick,
    sides: Sequence[Matches],
    rows: Numbers,
    names: Sequence[str],
    seeds: Sequence[int],
) -> tuple[Pair, ...]:
    """The closest training and held-out picture of each, most unusual training match first."""
    train, holdout = (yardstick.best(matches) for matches in sides)
    closeness = yardstick.as_unusual(train.score)
    pairs: list[Pair] = []
    used: set[int] = set()
    for i in np.argsort(-train.score, kind="stable"):
        near = []
        for matches, best in zip(sides, (train, holdout), strict=True):
            part = best.part[i]
            view = search.parts[part].close[matches.view[i, part]]
            index = int(rows[matches.row[i, part]])
            distance = float(matches.distance[i, part])
            near.append(
                Neighbour(index=index, name=names[index], distance=distance, mirrored=view.mirrored)
            )
        if near[0].index in used:
            continue
        used.add(near[0].index)
        part = train.part[i]
        pairs.append(
            Pair(
                seed=int(seeds[i]),
                embedding="search",
                closeness=float(closeness[i]),
                train=near[0],
                holdout=near[1],
                part=search.parts[part].name,
                moved=search.parts[part].close[sides[0].view[i, part]].moved,
            )
        )
    return tuple(pairs)


class _Nearest(NamedTuple):
    """The nearest of a set to each of N pictures, plain or mirrored.

    Attributes:
        distance: float64 [N], the smaller of the two.
        row: int64 [N], which of the set.
        mirrored: bool [N], whether mirroring brought it closer.
        plain: float64 [N], the distance without mirroring.
    """

    distance: Distances
    row: Numbers
    mirrored: npt.NDArray[np.bool_]
    plain: Distances


class _View(NamedTuple):
    """What one embedding saw of n generated pictures.

    Attributes:
        evidence: in numbers.
        closeness: float64 [n], the share of held-out pictures as close to training or closer.
        relative: float64 [n], distance to training in medians of the held-out pictures'.
        train: their nearest training pictures.
        holdout: their nearest held-out pictures.
    """

    evidence: Evidence
    closeness: Distances
    relative: Distances
    train: _Nearest
    holdout: _Nearest


def _look(space: Space, people: Numbers, seed: int) -> _View:
    generated = _nearest(space.generated, space.generated_mirrored, space.train)
    held_out = _nearest(space.holdout, space.holdout_mirrored, space.train)
    to_holdout = _nearest(space.generated, space.generated_mirrored, space.holdout)
    # Held-out pictures look for other people, as they do in the training split. Of a single
    # person, other pictures must do.
    apart = people if people.any() else np.arange(len(people))
    among = _nearest(space.holdout, space.holdout_mirrored, space.holdout, apart)

    n, m = len(generated.distance), len(held_out.distance)
    null = calibration.null(held_out.distance, people, n, seed)
    low, high = np.quantile(null.closer, (0.025, 0.975))
    closer = calibration.closer(generated.distance, held_out.distance)
    near = calibration.is_near(generated.distance, held_out.distance)
    near_plain = calibration.is_near(generated.plain, held_out.distance)
    authentic, authentic_real = _authentic(space.train, generated, held_out)
    found = EmbeddingCopying(
        embedding=space.embedding,
        authentic=calibration.share(authentic, seed),
        authentic_real=calibration.share_by_person(authentic_real, people, seed),
        closer=closer,
        closer_low=float(low),
        closer_high=float(high),
        z=null.z(closer),
        closer_holdout=calibration.closer(to_holdout.distance, among.distance),
        near=int(near.sum()),
        near_expected=calibration.near_expected(n, m),
        near_mirrored=int((near & ~near_plain).sum()),
        near_holdout=int(calibration.is_near(to_holdout.distance, among.distance).sum()),
    )
    usual = float(np.median(held_out.distance))
    as_close = calibration.as_close(generated.distance, held_out.distance)
    evidence = Evidence(
        found=found,
        near_limit=float(np.quantile(null.near, 0.99)),
        near_highest=int(null.near.max()),
        first=int((as_close == 0).sum()),
        first_expected=calibration.first_expected(n, m),
        first_highest=int(null.first.max()),
        first_holdout=int((calibration.as_close(to_holdout.distance, among.distance) == 0).sum()),
        identical=int(((as_close == 0) & (generated.distance <= _IDENTICAL * usual)).sum()),
    )
    judged = found.model_copy(update={"verdict": evidence.verdict})
    evidence = replace(evidence, found=judged)
    relative = generated.distance / (usual or 1.0)
    return _View(evidence, as_close / m, relative, generated, to_holdout)


def _nearest(
    plain: Features, mirrored: Features, among: Features, apart: Numbers | None = None
) -> _Nearest:
    first, second = (neighbours(side, among, 1, apart, apart) for side in (plain, mirrored))
    turned = second.distances[:, 0] < first.distances[:, 0]
    return _Nearest(
        np.minimum(first.distances, second.distances)[:, 0],
        np.where(turned, second.indices[:, 0], first.indices[:, 0]),
        turned,
        first.distances[:, 0],
    )


def _authentic(train: Features, *found: _Nearest) -> list[npt.NDArray[np.bool_]]:
    """Whether each picture is further from its nearest training picture t than t from others.

    d(x, t) > min over t' ≠ t of d(t, t'): Alaa, van Breugel, Saveliev and van der Schaar, "How
    faithful is your synthetic data?" (2022), equation for authenticity.
    """
    rows = np.unique(np.concatenate([nearest.row for nearest in found]))
    own = neighbours_within(train, rows).distances[:, 0]
    return [nearest.distance > own[np.searchsorted(rows, nearest.row)] for nearest in found]


def _closest_pairs(
    seen: Sequence[_View], real: RealFaces, seeds: Sequence[int], count: int
) -> tuple[Pair, ...]:
    """Ranked by closeness, then by distance relative to the usual one of held-out pictures."""
    n = len(seeds)
    closeness = np.concatenate([view.closeness for view in seen])
    relative = np.concatenate([view.relative for view in seen])
    pairs: list[Pair] = []
    used_generated: set[int] = set()
    used_train: set[int] = set()
    for place in np.lexsort((relative, closeness)):
        if len(pairs) >= count:
            break
        view, i = seen[place // n], int(place % n)
        train = int(view.train.row[i])
        if i in used_generated or train in used_train:
            continue
        used_generated.add(i)
        used_train.add(train)
        pairs.append(
            Pair(
                seed=int(seeds[i]),
                embedding=view.evidence.found.embedding,
                closeness=float(view.closeness[i]),
                train=_neighbour(view.train, i, real.train, real.names),
                holdout=_neighbour(view.holdout, i, real.holdout, real.names),
            )
        )
    return tuple(pairs)


def _neighbour(nearest: _Nearest, i: int, places: Numbers, names: Sequence[str]) -> Neighbour:
    index = int(places[nearest.row[i]])
    return Neighbour(
        index=index,
        name=names[index],
        distance=float(nearest.distance[i]),
        mirrored=bool(nearest.mirrored[i]),
    )


def _check(spaces: Sequence[Space], real: RealFaces, seeds: Sequence[int]) -> None:
    if len(real.holdout) < 2:
        raise FaceganError(
            f"Copying cannot be judged with {len(real.holdout)} held-out pictures: only real "
            "faces that the generator never saw show how close chance comes.",
            "Import the pictures again with `holdout` 0.1, and train on that.",
        )
    if len(real.train) < 2 or not len(seeds) or not spaces:
        raise FaceganError(
            f"{len(seeds)} generated and {len(real.train)} training pictures in {len(spaces)} "
            "embeddings.",
            "Copying takes a generated picture, two training pictures and an embedding.",
        )
    sizes = {
        "train": len(real.train),
        "holdout": len(real.holdout),
        "holdout_mirrored": len(real.holdout),
        "generated": len(seeds),
        "generated_mirrored": len(seeds),
    }
    for space in spaces:
        for side, size in sizes.items():
            if len(getattr(space, side)) != size:
                raise FaceganError(
                    f"{space.embedding}: {len(getattr(space, side))} features for {size} "
                    f"pictures ({side}).",
                    "Give one row for each picture, in the same order.",
                )
