"""How well faces are found and aligned, on photographs whose faces lie anywhere.

Pictures of LFW (deep-funneled, 250 pixels) are put into scenes of 640 pixels: at a random angle, in
a random size and place, before a blurred picture of somebody else. So it is known where each is.

    python benchmarks/alignment.py measure lfw-deepfunneled.tgz -n 1000

prints the share that is found, by YuNet and by dlib's detector; how far landmarks lie from where
they should, in distances of the eyes; and the faces a second that one core aligns. Landmarks have
two standards: those that the same method gives for the untouched picture, turned along; and dlib's
points of the untouched picture (the corners of the eyes), less what the two methods differ by.

    python benchmarks/alignment.py scenes lfw-deepfunneled.tgz scenes

writes the scenes of all pictures as a folder in LFW's layout. What alignment is worth is what a GAN
makes of them in equal time. FFHQ's square around a face of LFW has about 170 pixels of a side, and
so has the centre crop of a scene, with what is there.

    python benchmarks/alignment.py compare lfw-deepfunneled.tgz --out alignment --budget 300kimg

makes three datasets of the same people, trains `ignm-cpu` on each for the same budget, and measures
each against the held-out pictures of its own kind: centre crops of the scenes, faces aligned from
the scenes, and the untouched pictures, aligned. Stopped at any time, the same command goes on.
"""

from __future__ import annotations

import argparse
import io
import math
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

import facegan
from facegan.data.align import Alignment, aligned
from facegan.data.dataset import Dataset
from facegan.data.pictures import open_picture
from facegan.faces import Square, detect, mesh
from facegan.faces.face_mesh import LEFT_EYE, RIGHT_EYE
from facegan.faces.geometry import mapped
from facegan.startup import tune_process

SIDE, PICTURE, COUNT = 640, 250, 13233
DEGREES = 30.0
# Sides of the picture in the scene, in pixels: eyes 25 to 100 pixels apart.
SIDES = (150.0, 600.0)


@dataclass
class Score:
    """One method's results."""

    found: int = 0
    own: list[float] = field(default_factory=list)
    offset: list[npt.NDArray[np.float64]] = field(default_factory=list)
    seconds: float = 0.0


def pictures(archive: Path) -> Iterator[tuple[str, npt.NDArray[np.uint8]]]:
    """Name and pixels of LFW's pictures, in the archive's order."""
    with tarfile.open(archive) as files:
        for member in files:
            content = files.extractfile(member) if member.name.endswith(".jpg") else None
            if content is not None:
                with open_picture(io.BytesIO(content.read()), ("JPEG",)) as image:
                    yield member.name, np.asarray(image.convert("RGB"))


def scene(
    picture: npt.NDArray[np.uint8], other: npt.NDArray[np.uint8], random: np.random.Generator
) -> tuple[npt.NDArray[np.uint8], Square]:
    """A scene with a picture in it, and where it is."""
    side = math.exp(random.uniform(math.log(SIDES[0]), math.log(SIDES[1])))
    # The face is the middle of the picture: it stays inside.
    margin = 0.4 * side
    x, y = random.uniform(margin, SIDE - margin, 2)
    square = Square(x, y, side, math.radians(random.uniform(-DEGREES, DEGREES)))
    behind = cv2.resize(cv2.GaussianBlur(other, (0, 0), 12), (SIDE, SIDE))
    # Averaged first where it shrinks, so that nothing is lost between samples.
    size = min(round(side), PICTURE)
    shrunk = cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA)
    matrix = square.to_picture(size)
    matrix[:, 2] += matrix[:, :2] @ [0.5, 0.5] - 0.5
    turned = cv2.warpAffine(shrunk, matrix, (SIDE, SIDE), flags=cv2.INTER_CUBIC)
    inside = cv2.warpAffine(np.full((size, size), 255, np.uint8), matrix, (SIDE, SIDE))
    return np.where(inside[:, :, None] > 254, turned, behind).astype(np.uint8), square


def scenes(
    archive: Path, seed: int, every: int = 1
) -> Iterator[tuple[str, npt.NDArray[np.uint8], npt.NDArray[np.uint8], Square]]:
    """Name, picture, scene and place of each `every`th picture, before the one ahead of it."""
    other = np.full((PICTURE, PICTURE, 3), 128, np.uint8)
    for number, (name, picture) in enumerate(pictures(archive)):
        if number % every == 0:
            made, square = scene(picture, other, np.random.default_rng([seed, number]))
            yield name, picture, made, square
        other = picture


def corners(points: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """The middle of each eye's corners, as dlib's five points have them: [2,2]."""
    return np.stack(
        [points[[eye[0], eye[3]], :2].astype(np.float64).mean(0) for eye in (LEFT_EYE, RIGHT_EYE)]
    )


class Dlib:
    """dlib's detector and its five points."""

    def __init__(self) -> None:
        from facegan.evaluation.dlib_models import import_dlib, landmark_predictor

        self._dlib, self._points = import_dlib(), landmark_predictor()
        self._detector = self._dlib.get_frontal_face_detector()

    def eyes(
        self, picture: npt.NDArray[np.uint8], near: tuple[float, float] | None = None
    ) -> npt.NDArray[np.float64] | None:
        """The middles of the eyes of the face nearest to a place; None without one."""
        found = list(self._detector(picture))
        if not found:
            return None
        x, y = near or (picture.shape[1] / 2, picture.shape[0] / 2)
        box = min(found, key=lambda b: abs(b.center().x - x) + abs(b.center().y - y))
        shape = self._points(picture, box)
        five = np.array([(shape.part(i).x, shape.part(i).y) for i in range(4)], np.float64) + 0.5
        # dlib begins with the eye on the right of the picture.
        return np.stack([five[2:].mean(0), five[:2].mean(0)])


def own_eyes(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64] | None:
    """The same by YuNet and the mesh, of the face nearest to the middle."""
    middle = np.array(picture.shape[1::-1]) / 2
    found = detect(picture)
    if not found:
        return None
    face = min(
        found,
        key=lambda f: np.abs(np.array(f.box[:2]) + np.array(f.box[2:]) / 2 - middle).sum(),
    )
    return corners(mesh(picture, face).points)


def measure(archive: Path, n: int, seed: int) -> None:
    """Print the table."""
    cv2.setNumThreads(1)
    dlib = Dlib()
    ours, theirs = Score(), Score()
    decode, seen = 0.0, 0
    for _, picture, made, square in scenes(archive, seed, max(1, COUNT // n)):
        if seen == n:
            break
        seen += 1
        buffer = io.BytesIO()
        Image.fromarray(made).save(buffer, "JPEG", quality=95)
        started = time.process_time()
        made = np.asarray(open_picture(buffer, ("JPEG",)).convert("RGB"))
        decode += time.process_time() - started
        still_ours, still_dlib = own_eyes(picture), dlib.eyes(picture)
        place = square.to_picture(PICTURE)

        started = time.process_time()
        found, _ = aligned(made, 64, Alignment(min_eyes=0, max_yaw=90, faces="all"))
        ours.seconds += time.process_time() - started
        wanted = mapped(place, np.array([[PICTURE / 2, PICTURE / 2]]))[0]
        eyes = min(
            (corners(face.mesh.points) for face in found),
            key=lambda e: float(np.hypot(*(e.mean(0) - wanted))),
            default=None,
        )
        _note(ours, eyes, still_ours, still_dlib, place)
        started = time.process_time()
        eyes = dlib.eyes(made, (float(wanted[0]), float(wanted[1])))
        theirs.seconds += time.process_time() - started
        _note(theirs, eyes, still_dlib, still_dlib, place)
    print(f"{seen} scenes of {SIDE} px, angles up to ±{DEGREES:g}°, seed {seed}; decoding takes")
    print(f"{1000 * decode / seen:.1f} ms of one core, of {SIDE} px JPEG.\n")
    print("| | found | error to its own points: mean, median, 95 % | to dlib's | faces/s a core |")
    print("|---|---:|---:|---:|---:|")
    for name, score in (("YuNet and the mesh", ours), ("dlib", theirs)):
        own, other = np.array(score.own), _less_offset(score)
        quantiles = ", ".join(
            f"{value:.3f}" for value in (own.mean(), np.median(own), np.quantile(own, 0.95))
        )
        rate = seen / (score.seconds + (decode if score is ours else 0))
        print(
            f"| {name} | {score.found / seen:.1%} | {quantiles} | {np.median(other):.3f} | "
            f"{rate:.0f} |"
        )


def _note(
    score: Score,
    eyes: npt.NDArray[np.float64] | None,
    still: npt.NDArray[np.float64] | None,
    dlib: npt.NDArray[np.float64] | None,
    place: npt.NDArray[np.float64],
) -> None:
    """Enter one scene: found are the eyes that lie within half their distance of where they are."""
    standard = still if still is not None else dlib
    if eyes is None or standard is None:
        return
    wanted = mapped(place, standard)
    distance = np.hypot(*(wanted[1] - wanted[0]))
    error = np.hypot(*(eyes - wanted).T).mean() / distance
    if error > 0.5:
        return
    score.found += 1
    if still is not None:
        score.own.append(float(error))
    if dlib is not None and still is not None:
        # Back in the untouched picture, in eye distances: two standards differ by a constant there.
        back = np.linalg.inv(np.vstack([place, [0, 0, 1]]))[:2]
        apart = np.hypot(*(dlib[1] - dlib[0]))
        score.offset.append((mapped(back, eyes) - dlib) / apart)


def _less_offset(score: Score) -> npt.NDArray[np.float64]:
    """Distances from dlib's points, less what the two standards differ by on average."""
    differences = np.stack(score.offset)
    rest = differences - np.median(differences, axis=0)
    return np.hypot(rest[..., 0], rest[..., 1]).mean(1)


def write_scenes(
    archive: Path, out: Path, seed: int, every: int = 1, originals: Path | None = None
) -> None:
    """Scenes as JPEG files, in LFW's layout; the pictures too, where a place is given for them."""
    for name, picture, made, _ in scenes(archive, seed, every):
        for folder, pixels in ((out, made), (originals, picture)):
            if folder is not None:
                target = folder / "/".join(Path(name).parts[-2:])
                target.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(target, quality=95)


def compare(
    archive: Path, out: Path, budget: str, recipe: str, n: int, seed: int, every: int
) -> None:
    """Three datasets, three runs, three scores."""
    tune_process()
    folder, originals = out / "scenes", out / "originals"
    if not (out / "scenes.complete").exists():
        write_scenes(archive, folder, seed, every, originals)
        (out / "scenes.complete").touch()
    main_face = Alignment(faces="main", min_eyes=0, max_yaw=90)
    kinds = {
        "centre": lambda to: facegan.import_images(folder, to, crop=170),
        "aligned": lambda to: facegan.import_images(folder, to, align=main_face),
        "original": lambda to: facegan.import_images(originals, to, align=main_face),
    }
    print("| dataset | pictures | FD | its floor | precision | recall |")
    print("|---|---:|---:|---:|---:|---:|", flush=True)
    for name, make in kinds.items():
        data, run = out / name, out / f"run-{name}"
        dataset = Dataset.open(data) if data.exists() else make(data)
        facegan.train(facegan.Recipe.load(recipe), data=data, run=run, budget=budget)
        found = facegan.evaluate(run, data=data, n=n, copying=False, faces=False)
        scores = found.features[0].scores
        value = scores["fd"].generated
        print(
            f"| {name} | {len(dataset):,} | {value.value:.1f} ({value.low:.1f} to "
            f"{value.high:.1f}) | {scores['fd'].real.value:.1f} | "
            f"{scores['precision'].generated.value:.3f} | "
            f"{scores['recall'].generated.value:.3f} |",
            flush=True,
        )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    what = parser.add_subparsers(dest="what", required=True)
    for name in ("measure", "scenes", "compare"):
        each = what.add_parser(name)
        each.add_argument("archive", type=Path)
        each.add_argument("--seed", type=int, default=0)
        if name == "measure":
            each.add_argument("-n", type=int, default=1000)
        elif name == "scenes":
            each.add_argument("out", type=Path)
        else:
            each.add_argument("--out", type=Path, required=True)
            each.add_argument("--budget", default="300kimg")
            each.add_argument("--pictures", type=int, default=COUNT, help="fewer, to try it out")
            each.add_argument("--recipe", default="ignm-cpu")
            each.add_argument("--n", type=int, default=5000)
    given = parser.parse_args()
    if given.what == "measure":
        measure(given.archive, given.n, given.seed)
    elif given.what == "scenes":
        write_scenes(given.archive, given.out, given.seed)
    else:
        every = max(1, COUNT // given.pictures)
        compare(given.archive, given.out, given.budget, given.recipe, given.n, given.seed, every)


if __name__ == "__main__":
    main()
