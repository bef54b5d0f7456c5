"""Finds directions for any generator, by what networks read from its own faces.

For a normal z, the slope of the line that fits a reading best is the mean gradient of the reading
in z (Stein's lemma), so straight lines tell the direction in which a reading rises on average. A
step along a steepest direction changes other readings too. A direction that is conditional on the
others is the one among all that raise its own reading by 1 for which

    wⱼ Σ (slope of reading j · v)² + c · (change of the picture)² + r · |v|²

is least, with the sum over the other readings. The change of the picture is that of the maps of
EfficientNet-Lite0 in which the attribute reader looks, by their own straight lines in z. Shen et
al. 2020 (arXiv:1907.10786, section 3.2) project a direction on what the others leave; this is the
same for large wⱼ, and does not force faces apart where readings go together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from facegan.editing.directions import Array, Directions, DirectionSearch, kept_plausible
from facegan.editing.identity import Identity
from facegan.editing.readings import LIGHT, POSE, Readers
from facegan.errors import FaceganError
from facegan.evaluation.attributes import FEWEST
from facegan.files import sha256
from facegan.generation.generator import OpenGenerator
from facegan.seeding import EDITING, Random, random

Floats = npt.NDArray[np.float64]
Progress = Callable[[int, int], None]

# What is looked for where nobody asks for anything: what differs in more than a word.
DEFAULT = (
    *("Smiling", "Mouth_Slightly_Open", "Eyeglasses", "Age", "Male", "Black_Hair", "Brown_Hair"),
    *("Blond_Hair", "Gray_Hair", "Bald", "Bangs", "Wavy_Hair", "Wearing_Hat", "No_Beard"),
    *("Wearing_Lipstick", "Pale_Skin", "Chubby", "Narrow_Eyes"),
    *(each.name for each in LIGHT),
    *(each.name for each in POSE),
)
# Below this share of its variance, a reading has no direction.
WEAKEST = 0.1
# Weights of other readings, of the picture's change, and of the length of the step.
_OTHERS, _CHANGE, _LENGTH = 1.0, 0.2, 0.02
_RIDGE = 10.0
# Faces on which the length of a step is set, and the least gain that is believed.
_CALIBRATE, _LEAST_GAIN = 64, 0.2
# Faces whose pose is read, to find directions and to measure what they do.
_POSED, _POSED_AGAIN = 2048, 32
_GROUP = 32
# How far faces are moved to measure a direction, both ways, in standard deviations.
_STEP = 2.0


@dataclass(frozen=True)
class Lines:
    """Straight lines in z that were fitted to readings, all scaled to standard deviations.

    Attributes:
        slopes: float64 [Z, R].
        centre: float64 [R].
        spread: float64 [R].
        explained: float64 [R], on the tenth of the faces that they were not fitted to.
        change: float64 [Z, Z], the quadratic form of the picture's change; its mean diagonal is 1.
    """

    slopes: Floats
    centre: Floats
    spread: Floats
    explained: Floats
    change: Floats

    def of(self, readings: Sequence[int]) -> Lines:
        """Those of some readings alone."""
        some = list(readings)
        return Lines(
            self.slopes[:, some],
            self.centre[some],
            self.spread[some],
            self.explained[some],
            self.change,
        )


def find_directions(
    model: OpenGenerator,
    wanted: Sequence[str] | None = None,
    n: int = 8192,
    measured: int = 128,
    seed: int = 0,
    progress: Progress = lambda done, total: None,
) -> Directions:
    """Find directions for a generator, and measure what they do.

    Args:
        model: the generator.
        wanted: names of readings; `DEFAULT` without it.
        n: faces that are read; a thousand or more.
        measured: other faces on which gain and leakage are measured.
        seed: of the latents.
        progress: called with (faces done, faces in all).

    Raises:
        FaceganError: there is no such reading, the pictures are too small to be read, or nothing
            about these faces can be moved.
    """
    spec = model.loaded.generator.spec
    if spec.resolution < FEWEST:
        raise FaceganError(
            f"Faces of {spec.resolution}×{spec.resolution} pixels are too small to be read.",
            f"Directions need a generator of {FEWEST} pixels or more.",
        )
    readers = Readers(DEFAULT if wanted is None else wanted)
    # Both ways, of two sets of directions, first to calibrate and then to measure.
    total = n + 4 * len(readers.names) * (measured + min(_CALIBRATE, measured)) + measured
    done = 0

    def tell(more: int) -> None:
        nonlocal done
        done += more
        progress(min(done, total), total)

    lines = fit(model, readers, _latents(model, n, seed, 0), tell)
    kept = [i for i, share in enumerate(lines.explained) if share >= WEAKEST]
    if not kept:
        raise FaceganError(
            "Nothing that was looked for varies with the latent of this generator.",
            "It may make no faces yet, or faces that are cropped otherwise than readers know them: "
            "upright and centred, with forehead and chin inside.",
        )
    names = readers.names
    weak = tuple(name for i, name in enumerate(names) if i not in kept)
    readers = Readers([names[i] for i in kept])
    lines = lines.of(kept)
    attributes = [each.kind in ("attribute", "age") for each in readers.readings]
    vectors = conditional(lines.slopes, lines.change, attributes)
    plain = conditional(lines.slopes, lines.change, attributes, others=0.0, picture=0.0)
    latent = model.loaded.generator.latent.distribution
    identity = Identity()
    measure = Effects(model, readers, identity, lines, _STEP, _latents(model, measured, seed, 1))
    tables = []
    for each in (vectors, plain):
        # Of the length for which a step does what it says, on average of both ways.
        up, down, _ = measure(each, _CALIBRATE, tell, alone=True)
        each /= np.maximum((up + down).diagonal() / 2, _LEAST_GAIN)[:, None]
        tables.append([table.astype(np.float32) for table in measure(each, measured, tell)])
    progress(total, total)
    return Directions(
        names=readers.names,
        vectors=vectors.astype(np.float32),
        centre=lines.centre.astype(np.float32),
        spread=lines.spread.astype(np.float32),
        **dict(zip(("up", "down", "identity"), tables[0], strict=True)),
        **dict(zip(("plain_up", "plain_down", "plain_identity"), tables[1], strict=True)),
        found=DirectionSearch(
            model=sha256(model.path),
            latent=latent,
            kinds=tuple(each.kind for each in readers.readings),
            explained=tuple(round(float(share), 4) for share in lines.explained),
            faces=n,
            seed=seed,
            measured=measured,
            step=_STEP,
            identity=identity.name,
            weak=weak,
            reader=readers.attributes.fingerprint,
        ),
    )


def conditional(
    slopes: Floats,
    change: Floats,
    narrow: Sequence[bool],
    others: float = _OTHERS,
    picture: float = _CHANGE,
    length: float = _LENGTH,
) -> Floats:
    """Directions that raise one reading by 1 each, and everything else as little as they can.

    Args:
        slopes: float64 [Z, R], of straight lines; see `Lines`.
        change: float64 [Z, Z], the quadratic form of the picture's change.
        narrow: of each reading, whether it concerns a part of the picture; what concerns all of
            it, as a turn of the head does, may change all of it.
        others: weight of the other readings.
        picture: weight of `change`.
        length: weight of |v|².

    Returns:
        float64 [R, Z]; with `others` and `picture` 0, the steepest directions.
    """
    size, count = slopes.shape
    found = np.empty((count, size))
    for k in range(count):
        rest = np.delete(slopes, k, axis=1)
        cost = length * np.eye(size) + others * rest @ rest.T
        if narrow[k]:
            cost += picture * change
        v = np.linalg.solve(cost, slopes[:, k])
        found[k] = v / (slopes[:, k] @ v)
    return found


def fit(
    model: OpenGenerator,
    readers: Readers,
    latents: tuple[Array, torch.Tensor | None],
    tell: Callable[[int], None] = lambda more: None,
) -> Lines:
    """Straight lines from the latents of faces to what is read from them.

    Args:
        model: the generator.
        readers: what is read.
        latents: z float32 [N, Z + noise] and labels, if any.
        tell: called with the number of faces that were read since the last call.
    """
    z, labels = latents
    size = model.loaded.generator.latent.size
    inputs = np.concatenate([z[:, :size], np.ones((len(z), 1))], 1).astype(np.float64)
    read = np.empty((len(z), len(readers.names)))
    maps = np.zeros((size + 1, readers.attributes.places.dimension))
    for begin in range(0, len(z), _GROUP):
        some = slice(begin, begin + _GROUP)
        images = draw(model, z[some], None if labels is None else labels[some])
        features = readers.attributes.places.features(images)
        read[some] = readers.read(images, features, posed=begin < _POSED)
        maps += inputs[some].T @ features
        tell(len(images))
    parts = [_line(inputs, column) for column in read.T]
    jacobian = _solved(inputs, maps)[:size]
    change = jacobian @ jacobian.T
    slopes, centre, spread, explained = (np.array(part) for part in zip(*parts, strict=True))
    return Lines(
        slopes.T, centre, spread, explained, change * (size / max(np.trace(change), 1e-12))
    )


def _line(inputs: Floats, column: Floats) -> tuple[Floats, float, float, float]:
    """Slope, centre, spread and explained share of one reading, NaN where it was not read."""
    there = ~np.isnan(column)
    inputs, column = inputs[there], column[there]
    centre, spread = float(column.mean()), float(column.std())
    if spread <= 1e-9 * (1 + abs(centre)):
        return np.zeros(inputs.shape[1] - 1), centre, 1.0, 0.0
    scaled = (column - centre) / spread
    count = len(scaled) - len(scaled) // 10
    fitted, kept = slice(0, count), slice(count, None)
    trial = _solved(inputs[fitted], inputs[fitted].T @ scaled[fitted])
    left = np.mean((scaled[kept] - inputs[kept] @ trial) ** 2)
    explained = 1 - left / max(float(scaled[kept].var()), 1e-9)
    return _solved(inputs, inputs.T @ scaled)[:-1], centre, spread, float(explained)


def _solved(inputs: Floats, right: Floats) -> Floats:
    """Ridge regression, given inputs [N, Z + 1] and their products with what is explained."""
    return np.asarray(np.linalg.solve(inputs.T @ inputs + _RIDGE * np.eye(inputs.shape[1]), right))


class Effects:
    """Measures what directions do to faces.

    Args:
        model: the generator.
        readers: what is read.
        identity: the space in which faces are compared.
        lines: where the scale of the readings comes from.
        step: how far faces are moved, both ways.
        latents: of the faces, and their labels, if any.
    """

    def __init__(
        self,
        model: OpenGenerator,
        readers: Readers,
        identity: Identity,
        lines: Lines,
        step: float,
        latents: tuple[Array, torch.Tensor | None],
    ) -> None:
        self._model, self._readers, self._identity = model, readers, identity
        self._spread, self._step = lines.spread, step
        self._z, self._labels = latents
        images = draw(model, self._z, self._labels)
        self._read_before = self._read(images)
        self._before = identity.vectors(images)
        self._unit = max(identity.between(self._before), 1e-9)

    def __call__(
        self, vectors: Floats, faces: int, tell: Callable[[int], None], alone: bool = False
    ) -> tuple[Floats, Floats, Floats]:
        """Mean changes for +1 of each direction.

        Args:
            vectors: float64 [K, Z].
            faces: how many of them.
            tell: called with the number of faces that were read since the last call.
            alone: whether nothing but its own reading matters: poses are read for directions of
                poses alone then, and no faces are compared.

        Returns:
            float64 [K, R] in standard deviations, by a step up; the same by a step down; and
            float64 [K], how far a face is from what it was after a step, in shares of the mean
            distance between two faces.
        """
        faces = min(faces, len(self._z))
        z, labels = self._z[:faces], None if self._labels is None else self._labels[:faces]
        effects = np.zeros((2, len(vectors), len(self._spread)))
        away = np.zeros(len(vectors))
        for k, vector in enumerate(vectors):
            posed = not alone or self._readers.readings[k].kind == "pose"
            for way, sign in enumerate((1.0, -1.0)):
                moved = self._moved(z, sign * self._step * vector)
                images = draw(self._model, moved, labels)
                change = self._read(images, posed) - self._read_before[:faces]
                effects[way, k] = _mean(change) / (sign * self._step) / self._spread
                if not alone:
                    distance = self._identity.vectors(images) - self._before[:faces]
                    away[k] += np.linalg.norm(distance, axis=1).mean() / self._unit / 2
                tell(len(images))
        return effects[0], effects[1], away

    def _moved(self, z: Array, step: Floats) -> Array:
        size = len(step)
        head = z[:, :size].astype(np.float64)
        moved = z.copy()
        latent = self._model.loaded.generator.latent.distribution
        moved[:, :size] = kept_plausible(head + step, head, latent)
        return moved

    def _read(self, images: npt.NDArray[np.uint8], posed: bool = True) -> Floats:
        """Readings; poses of the first faces alone."""
        first = self._readers.read(images[:_POSED_AGAIN], posed=posed)
        rest = images[_POSED_AGAIN:]
        if not len(rest):
            return first
        return np.concatenate([first, self._readers.read(rest, posed=False)])


def _mean(changes: Floats) -> Floats:
    """Of each column, over what was read; 0 where nothing was."""
    there = ~np.isnan(changes)
    return np.where(there, changes, 0.0).sum(0) / np.maximum(there.sum(0), 1)


def draw(
    model: OpenGenerator, z: Array, labels: torch.Tensor | None = None
) -> npt.NDArray[np.uint8]:
    """Pictures of latents float32 [N, Z + noise], a few at a time: uint8 [N, H, W, C]."""
    made = []
    for begin in range(0, len(z), _GROUP):
        some = slice(begin, begin + _GROUP)
        latents = torch.from_numpy(np.ascontiguousarray(z[some]))
        made.append(model.pictures_at(latents, None if labels is None else labels[some]))
    return np.concatenate(made)


def _latents(
    model: OpenGenerator, n: int, seed: int, which: int
) -> tuple[Array, torch.Tensor | None]:
    """n latents with their noise, float32 [n, Z + noise], and labels of training images."""
    generator = model.loaded.generator
    chance = Random(random(seed, EDITING, which))
    z = generator.draw(chance, n).numpy()
    return z, generator.draw_labels(chance, n)
