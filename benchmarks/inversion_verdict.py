"""How often it is right to say that a generator cannot hold a picture, in the studio and its page.

    python benchmarks/inversion_verdict.py lfw64 --people 30 --count 16 --out verdicts.json

DATASET is one that the generator's training data were imported as. Its held-out people, one picture
of each, are what a generator should hold; drawn portraits, faces that are scrambled or upside down,
corners of the photographs and noise are what it cannot. Both rules are measured: `Inverted.share`
of the studio, after Adam in pixels and maps, and `nearness` of the exported page, after its own
Gauss-Newton steps in pixels alone, which run in Node.js. A limit is chosen on some people, as the
smallest whole hundredth below which nine tenths of them are, and shown on others.
"""

from __future__ import annotations

import argparse
import base64
import json
import subprocess
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from inversion import people

import facegan.studio
from facegan.data.dataset import Dataset
from facegan.data.grid import grid
from facegan.data.pictures import png_bytes
from facegan.editing.encoder import encoder_of
from facegan.editing.identity import Identity
from facegan.editing.inversion import ALIKE, CLOSE, invert_all
from facegan.editing.perceptual import Perceptual
from facegan.generation.generator import OpenGenerator, open_generator
from facegan.generation.onnx_engine import quick_draw
from facegan.portraits import draw, sample
from facegan.studio.about import page_about
from facegan.studio.guessing import guessing

Pictures = npt.NDArray[np.uint8]

_FRONT = Path(facegan.studio.__file__).parent / "front"
_SAME_PERSON = 0.6
_PEOPLE = ("people", "other people", "laid roughly")
# Of the people on whom a limit is chosen, so many may be told that they are not held.
_ALARMS = 0.1
# Reads a picture a line, and asks for pictures of latents in the same way.
_PAGE = """
import { createInterface } from "node:readline";
import { inverted, nearness, readGuesser, NOT_HELD } from "FRONT/inversion.js";
import { fromBase64, readModel, toBase64, bytesFromBase64 } from "FRONT/face.js";
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const next = async () => JSON.parse((await lines.next()).value ?? "null");
const tell = (value) => process.stdout.write(JSON.stringify(value) + "\\n");
const about = await next();
const model = readModel(about);
model.guesser = readGuesser(about.guessing);
const draw = async (z, n) => {
  tell({ draw: toBase64(z), n });
  return bytesFromBase64(await next());
};
tell({ limit: NOT_HELD });
for (let given = await next(); given; given = await next()) {
  const pixels = Float32Array.from(bytesFromBase64(given), (byte) => byte / 255);
  const { z } = await inverted(pixels, model, draw);
  const made = Float32Array.from(await draw(z, 1), (byte) => byte / 255);
  tell({ z: toBase64(z), ...nearness(pixels, made, model.guesser.apart) });
}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--model")
    parser.add_argument("--people", type=int, default=30, help="twice so many: to choose, to show")
    parser.add_argument("--count", type=int, default=16, help="pictures of each other kind")
    parser.add_argument("--rule", choices=("studio", "page"), help="one of the two alone")
    parser.add_argument("--out", type=Path, help="what was measured, as JSON")
    parser.add_argument("--sheet", type=Path, help="eight of each kind; real people")
    options = parser.parse_args()
    torch.set_num_threads(1)
    dataset, model = Dataset.open(options.dataset), open_generator(options.model)
    sets = _sets(dataset, model, options.people, options.count)
    if options.sheet is not None:
        rows = np.concatenate([pictures[:8] for pictures in sets.values()])
        options.sheet.write_bytes(png_bytes(grid(rows, 8)))
    identity, perceptual = Identity(), Perceptual()
    encoder, page = encoder_of(model, perceptual), _Page(model)

    def by_studio(pictures: Pictures) -> tuple[list[float], Pictures]:
        found = invert_all(model, pictures, encoder=encoder, perceptual=perceptual)
        shares = [float(each.error / encoder.fitted.apart) for each in found]
        return shares, np.stack([each.picture for each in found])

    ways = {"studio": by_studio, "page": page.inverted}
    limits = {"studio": (CLOSE, ALIKE), "page": (page.limit,)}
    told: dict[str, dict[str, dict[str, list[float]]]] = {
        rule: {} for rule in ways if options.rule in (None, rule)
    }
    for name, pictures in sets.items():
        for rule, measured in told.items():
            shares, results = ways[rule](pictures)
            measured[name] = {"share": shares}
            if name in _PEOPLE:
                away = identity.vectors(results) - identity.vectors(pictures)
                measured[name]["away"] = np.linalg.norm(away, axis=1).tolist()
        print(f"{name}: done", flush=True)
        if options.out is not None:
            options.out.write_text(json.dumps({"limits": limits, "told": told}), "utf-8")
    for rule, values in told.items():
        _report(rule, values, limits[rule])


def _report(rule: str, told: dict[str, Any], limits: tuple[float, ...]) -> None:
    """Tables of one rule: the shares of each kind, and what each limit does."""
    print(f"\n{rule}: share of the difference of two generated faces")
    print("| pictures | n | 10 % | median | 90 % | same person |")
    print("|---|---:|---:|---:|---:|---:|")
    for name, values in told.items():
        low, middle, high = np.percentile(values["share"], [10, 50, 90])
        same = "away" in values and f"{np.mean(np.array(values['away']) < _SAME_PERSON):.0%}"
        n = len(values["share"])
        print(f"| {name} | {n} | {low:.2f} | {middle:.2f} | {high:.2f} | {same or ''} |")
    chosen = np.ceil(100 * np.quantile(told["people"]["share"], 1 - _ALARMS)) / 100
    print("| limit | " + " | ".join(f"{name} above" for name in told) + " |")
    print("|---|" + "---:|" * len(told))
    for limit, words in (*((each, "as it is") for each in limits), (chosen, "chosen")):
        above = [np.mean(np.array(values["share"]) > limit) for values in told.values()]
        print(f"| {limit:.2f} ({words}) | " + " | ".join(f"{one:.0%}" for one in above) + " |")


class _Page:
    """The exported page's inversion, with pictures drawn here."""

    def __init__(self, model: OpenGenerator) -> None:
        code = _PAGE.replace("FRONT", _FRONT.as_uri())
        self._process = subprocess.Popen(
            ["node", "--input-type=module", "--eval", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._model, self._quick = model, quick_draw(model)
        self._tell(page_about(model, "", None) | {"guessing": guessing(model)})
        self.limit = float(self._hear()["limit"])

    def inverted(self, pictures: Pictures) -> tuple[list[float], Pictures]:
        """The share of each, and what was found."""
        shares, latents = [], []
        for picture in pictures:
            self._tell(base64.b64encode(picture.tobytes()).decode())
            while "draw" in (said := self._hear()):
                made = self._drawn(said["draw"], said["n"])
                self._tell(base64.b64encode(made.tobytes()).decode())
            shares.append(float(said["share"]))
            latents.append(said["z"])
        return shares, np.concatenate([self._drawn(latent, 1) for latent in latents])

    def _drawn(self, latents: str, n: int) -> Pictures:
        z = np.frombuffer(base64.b64decode(latents), "<f4").reshape(n, -1).astype(np.float32)
        draw = self._quick or self._model.pictures_at
        labels = len(self._model.labels)
        return draw(torch.from_numpy(z), torch.full((n, labels), torch.nan) if labels else None)

    def _tell(self, value: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(value) + "\n")
        self._process.stdin.flush()

    def _hear(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


def _sets(dataset: Dataset, model: OpenGenerator, persons: int, count: int) -> dict[str, Pictures]:
    """The kinds of pictures, uint8 [N, H, W, C] each."""
    chance = np.random.default_rng(0)
    own = np.concatenate(list(model.pictures(range(1000, 1000 + count))))
    first, second = (
        np.asarray(dataset.images[people(dataset, persons, other)[0]]) for other in (False, True)
    )
    side, others = first.shape[1], second[:count]
    return {
        "people": first,
        "other people": second,
        "laid roughly": np.stack([_laid(each, chance) for each in others]),
        "drawn": draw(sample(count, seed=1), side),
        "scrambled": np.stack([_scrambled(each, chance) for each in others]),
        "upside down": np.ascontiguousarray(others[:, ::-1]),
        "corners": np.stack([_corner(each, chance) for each in others]),
        "noise": np.stack([_noise(side, chance) for _ in range(count)]),
        "its own": own,
    }


def _laid(picture: Pictures, chance: np.random.Generator) -> Pictures:
    """As a hand lays it: up to 3 of 64 pixels aside, 6 % too large or small, 4 degrees askew."""
    side = picture.shape[0]
    turn, size = chance.uniform(-4, 4), chance.uniform(0.94, 1.06)
    matrix = cv2.getRotationMatrix2D((side / 2, side / 2), turn, size)
    matrix[:, 2] += chance.uniform(-3, 3, 2) * side / 64
    return np.asarray(
        cv2.warpAffine(picture, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE), np.uint8
    )


def _scrambled(picture: Pictures, chance: np.random.Generator) -> Pictures:
    """Sixteen parts of a face in another order."""
    step = picture.shape[0] // 4
    parts = [
        picture[y : y + step, x : x + step]
        for y in range(0, 4 * step, step)
        for x in range(0, 4 * step, step)
    ]
    order = chance.permutation(16)
    rows = [np.concatenate([parts[k] for k in order[r : r + 4]], 1) for r in range(0, 16, 4)]
    return np.concatenate(rows)


def _corner(picture: Pictures, chance: np.random.Generator) -> Pictures:
    """A third of a photograph's side, from a corner, enlarged: background, hair, clothes."""
    side = picture.shape[0]
    step = side // 3
    y, x = (int(chance.integers(2)) * (side - step) for _ in range(2))
    part = np.ascontiguousarray(picture[y : y + step, x : x + step])
    return np.asarray(cv2.resize(part, (side, side), interpolation=cv2.INTER_CUBIC), np.uint8)


def _noise(side: int, chance: np.random.Generator) -> Pictures:
    """Noise whose spectrum falls as that of photographs does, grey with a little colour."""
    rows, columns = np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side)[None]
    falling = 1 / np.maximum(np.hypot(rows, columns), 1 / side)

    def one() -> npt.NDArray[np.float64]:
        spectrum = np.fft.fft2(chance.standard_normal((side, side))) * falling
        values = np.fft.ifft2(spectrum).real
        return (values - values.mean()) / values.std()

    grey = one()
    pixels = np.stack([0.48 + 0.2 * (0.9 * grey + 0.4 * one()) for _ in range(3)], -1)
    return (255 * pixels.clip(0, 1)).round().astype(np.uint8)


if __name__ == "__main__":
    main()
