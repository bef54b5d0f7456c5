"""One evaluation: generated pictures beside real ones, in every way that was asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from facegan.data.dataset import Dataset
from facegan.data.room import picture_array
from facegan.errors import DataError
from facegan.evaluation import modes as known_modes
from facegan.evaluation.cache import FeatureCache, Progress, extract, silent
from facegan.evaluation.copying import RealFaces, Space, find_copies, look_for_copies
from facegan.evaluation.extractors.base import Extractor
from facegan.evaluation.gallery import gallery
from facegan.evaluation.pixel_embedding import PixelEmbedding
from facegan.evaluation.real import Indices, RealChoice, Reference
from facegan.evaluation.results import (
    Copying,
    Estimate,
    Evaluation,
    Faces,
    FeatureScores,
    Kinds,
    Modes,
    ScoreName,
)
from facegan.evaluation.scores import Estimates, OtherPeople, Scorer
from facegan.evaluation.spectrum import spectrum

if TYPE_CHECKING:
    import torch

Images = npt.NDArray[np.uint8]
Features = npt.NDArray[np.float32]
# Opens something that shows the progress of a named piece of work.
Watch = Callable[[str], AbstractContextManager[Progress]]

# Pictures in which faces are looked for: shares are then known to a percent.
_FACES = 2_000
# With fewer held-out pictures, the floor's show what kinds of people there are.
_ENOUGH_HELD_OUT = 500
# Changes whenever the same features would give other floors.
_FLOORS = 1
# Pictures whose spectra are taken: more change nothing that can be seen.
_SPECTRA = 1_000
# Real pictures copied at a time.
_AT_A_TIME = 64

ALL_SCORES: tuple[ScoreName, ...] = (
    *("fd", "fd_infinity", "kid"),
    *("precision", "recall", "density", "coverage"),
)


def unwatched(what: str) -> AbstractContextManager[Progress]:
    """Shows nothing."""
    return nullcontext(silent)


@dataclass(frozen=True)
class Judgement:
    """What was found, and pictures of it.

    Attributes:
        evaluation: the findings.
        closest: uint8 [H, W, C], the closest pairs: generated, nearest training picture,
            nearest held-out picture; None where copying was not looked for.
        closest_generated: the same without the real faces.
    """

    evaluation: Evaluation
    closest: Images | None = None
    closest_generated: Images | None = None


def _shows_faces(clear: Faces | None) -> bool:
    """Whether there are faces to read, in generated pictures about as in real ones."""
    return clear is not None and clear.generated.value > clear.real.value / 2


@dataclass(frozen=True)
class _FloorCache:
    """The scores of the floor, computed once for each choice of real pictures."""

    cache: FeatureCache
    dataset: Dataset
    extractor: Extractor
    choice: RealChoice
    wanted: Sequence[ScoreName]
    seed: int

    def __call__(self, which: str, make: Callable[[], Estimates]) -> Estimates:
        known = self.choice
        chosen = [known.reference, known.floor]
        if known.others is not None and which != "same":
            chosen = [known.others.reference, known.others.floor]
        digest = hashlib.sha256()
        for rows in chosen:
            digest.update(np.ascontiguousarray(rows, np.int64).tobytes())
        name = (
            f"floor {_FLOORS} {which} {self.dataset.fingerprint} {self.extractor.fingerprint} "
            f"{digest.hexdigest()} {' '.join(self.wanted)} {self.seed}"
        )

        def numbers() -> npt.NDArray[np.float64]:
            found = make()
            return np.array([[e.value, e.low, e.high] for e in found.values()], np.float64)

        names = [name for name in ALL_SCORES if name in self.wanted]
        known_rows = self.cache.array(name, numbers)
        return {
            score: Estimate(value=float(value), low=float(low), high=float(high))
            for score, (value, low, high) in zip(names, known_rows, strict=True)
        }


class Judge:
    """Holds all that depends on the real pictures; judges any number of generated sets.

    Args:
        dataset: the real pictures.
        choice: which of them are reference and floor.
        reference: the split that the reference comes from.
        seed: of all that is drawn by chance.
        extractors: the feature spaces.
        wanted: the scores to compute.
        cache: of the real pictures' features.
        watch: shows the progress of what is done here.
        device: where the attribute reader runs.
    """

    def __init__(
        self,
        dataset: Dataset,
        choice: RealChoice,
        reference: Reference,
        seed: int,
        extractors: Sequence[Extractor],
        wanted: Collection[ScoreName],
        cache: FeatureCache,
        watch: Watch = unwatched,
        device: torch.device | str = "cpu",
    ) -> None:
        self._device = device
        self._dataset, self._choice, self._reference, self._seed = dataset, choice, reference, seed
        self._cache = cache
        self._extractors = tuple(extractors)
        self._scorers = []
        for extractor in extractors:
            with watch(f"real pictures, {extractor.name}") as progress:
                rows = choice.all
                found = cache.features(extractor, dataset, rows, progress=progress)

            def of(chosen: Indices, rows: Indices = rows, found: Features = found) -> Features:
                return found[np.searchsorted(rows, chosen)]

            others = None
            if choice.others is not None:
                apart = choice.others
                others = OtherPeople(of(apart.reference), of(apart.floor), apart.people)
            real, floor = of(choice.reference), of(choice.floor)
            keep = _FloorCache(cache, dataset, extractor, choice, sorted(wanted), seed)
            self._scorers.append(Scorer(real, floor, wanted, seed, others, keep))

    @property
    def n(self) -> int:
        """How many generated pictures it takes."""
        return len(self._choice.floor)

    def judge(
        self,
        images: Images,
        source: str,
        *,
        seeds: Sequence[int] | None = None,
        faces: bool = False,
        copying: bool = False,
        training: bool = False,
        watch: Watch = unwatched,
    ) -> Judgement:
        """Judge generated pictures.

        Args:
            images: uint8 [n, H, W, C], of the shape of the dataset's.
            source: what they are, in words.
            seeds: by which each can be made again; its number by default.
            faces: whether to look for faces in them (extra `faces`).
            copying: whether to look for copies of training pictures.
            training: whether this happens while training.
            watch: shows progress.

        Raises:
            DataError: if their number or shape is not that of the real ones.
        """
        self._require(images)
        features = []
        for extractor in self._extractors:
            with watch(f"generated pictures, {extractor.name}") as progress:
                features.append(extract(extractor, images, progress=progress))
        spaces = tuple(
            FeatureScores(
                extractor=extractor.name,
                resizer=extractor.resizer,
                fingerprint=extractor.fingerprint,
                scores=scorer.scores(found),
            )
            for extractor, scorer, found in zip(
                self._extractors, self._scorers, features, strict=True
            )
        )
        copies, closest, closest_generated = None, None, None
        if copying:
            copies, closest, closest_generated = self._copying(images, features, seeds, watch)
        clear = self._clear_faces(images, watch) if not training else None
        evaluation = Evaluation(
            source=source,
            dataset=str(self._dataset.card.get("name")),
            dataset_fingerprint=self._dataset.fingerprint,
            reference=self._reference,
            n_real=len(self._choice.reference),
            n_fake=len(images),
            seed=self._seed,
            resolution=images.shape[1],
            floors=self._choice.floors,
            training=training,
            features=spaces,
            faces=self._faces(images, watch) if faces else None,
            clear_faces=clear,
            modes=self._modes(images, watch) if not training else None,
            kinds=self._kinds(images, watch) if _shows_faces(clear) else None,
            spectrum=None
            if training
            else spectrum(images[:_SPECTRA], self._floor_images(_SPECTRA)),
            copying=copies,
        )
        return Judgement(evaluation, closest, closest_generated)

    def _require(self, images: Images) -> None:
        shape = (self.n, *self._dataset.images.shape[1:])
        if images.shape != shape or images.dtype != np.uint8:
            raise DataError(
                f"The pictures to judge are {images.dtype} {list(images.shape)}; those of "
                f"{self._dataset.path} ask for uint8 {list(shape)}.",
                "Only pictures of the same size, colours and number are compared: import the "
                "real ones at the resolution of the generated ones.",
            )

    def _faces(self, images: Images, watch: Watch) -> Faces:
        from facegan.evaluation.detection import faces

        some, real = images[:_FACES], self._floor_images()[: min(_FACES, len(images))]
        with watch("finding faces") as progress:
            return faces(some, real, self._seed, progress)

    def _clear_faces(self, images: Images, watch: Watch) -> Faces:
        from facegan.evaluation.clear_faces import MOST, clear_faces

        with watch("finding clear faces") as progress:
            return clear_faces(
                images[:MOST], self._floor_images(min(MOST, len(images))), self._seed, progress
            )

    def _modes(self, images: Images, watch: Watch) -> Modes | None:
        if not known_modes.applies_to(self._dataset.card):
            return None
        with watch("reading attributes") as progress:
            return known_modes.modes(images, self._floor_images(), self._seed, progress)

    def _kinds(self, images: Images, watch: Watch) -> Kinds | None:
        """Beside held-out faces where there are enough: the reader may have learned from others."""
        if known_modes.applies_to(self._dataset.card):
            return None
        from facegan.evaluation import attributes, kinds

        if images.shape[1] < attributes.FEWEST:
            return None
        dataset, some = self._dataset, images[: kinds.MOST]
        rows = dataset.indices("holdout")
        rows = (rows if len(rows) >= _ENOUGH_HELD_OUT else self._choice.floor)[: kinds.MOST]
        reader = attributes.AttributeReader.open(self._device)
        with watch("reading attributes") as progress:
            real = self._cache.features(reader, dataset, rows, progress=progress)
            read = reader.read(some, progress)
        _, people = np.unique([dataset.identities[row] for row in rows], return_inverse=True)
        return kinds.kinds(reader, read, real, people, self._seed)

    def _copying(
        self,
        images: Images,
        features: list[npt.NDArray[np.float32]],
        seeds: Sequence[int] | None,
        watch: Watch,
    ) -> tuple[Copying, Images, Images]:
        dataset, real = self._dataset, RealFaces.of(self._dataset)
        seeds = range(len(images)) if seeds is None else seeds
        pixels = PixelEmbedding()
        known = zip(self._extractors, features, strict=True)
        found: list[tuple[Extractor, Features]] = [(pixels, extract(pixels, images))]
        found += [(each, seen) for each, seen in known if not each.costly]

        def of_split(extractor: Extractor, indices: Indices, mirrored: bool = False) -> Features:
            kind = "mirrored real pictures" if mirrored else "real pictures"
            with watch(f"{kind}, {extractor.name}") as progress:
                return self._cache.features(extractor, dataset, indices, mirrored, progress)

        spaces = []
        for extractor, generated in found:
            with watch(f"mirrored pictures, {extractor.name}") as progress:
                turned = extract(extractor, images, mirrored=True, progress=progress)
            spaces.append(
                Space(
                    embedding=extractor.name,
                    train=of_split(extractor, real.train),
                    holdout=of_split(extractor, real.holdout),
                    holdout_mirrored=of_split(extractor, real.holdout, mirrored=True),
                    generated=generated,
                    generated_mirrored=turned,
                )
            )
        with watch("searching for copies") as progress:
            search = look_for_copies(
                images, dataset, real, seeds, self._cache, seed=self._seed, progress=progress
            )
        with watch("nearest neighbours") as progress:
            copies = find_copies(
                spaces, real, seeds, seed=self._seed, progress=progress, search=search
            )
        # The generated picture of each pair: its place among those that were judged.
        places = {seed: place for place, seed in enumerate(seeds)}
        made = images[[places[pair.seed] for pair in copies.pairs]]
        return (
            copies,
            gallery(copies.pairs, made, dataset.images),
            gallery(copies.pairs, made, dataset.images, real=False),
        )

    def _floor_images(self, most: int | None = None) -> Images:
        rows = self._choice.floor[:most]
        found = picture_array((len(rows), *self._dataset.images.shape[1:]))
        for begin in range(0, len(rows), _AT_A_TIME):
            end = begin + _AT_A_TIME
            found[begin:end] = self._dataset.copied(rows[begin:end])
        return found
