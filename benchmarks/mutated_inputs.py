"""Give damaged files of every format that facegan reads to what reads them, and count what happens.

Each input is a good one with bytes changed, cut, doubled or put in from another. A reader may take
it, or refuse it with an error that a person can act on; anything else is an escape, and the status
is 1. The inputs of a seed are always the same.

    python benchmarks/mutated_inputs.py --inputs 100000
"""

from __future__ import annotations

import argparse
import io
import random
import resource
import sys
import tarfile
import tempfile
import time
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from facegan.data.archives import TarSource, ZipSource
from facegan.data.dataset import Dataset
from facegan.data.decode import Shape, decode
from facegan.data.labels import LabelTable
from facegan.data.layouts import recognise
from facegan.data.members import SkippedFile
from facegan.data.tables import read_table
from facegan.data.writer import DatasetWriter
from facegan.errors import FaceganError
from facegan.models.file import GeneratorFile
from facegan.parsing import parse_json
from facegan.recipe import Recipe, recipe_names, shipped_text
from facegan.runs.journal import Journal
from facegan.study.plan import Plan, plan_names, shipped_plan


@dataclass(frozen=True)
class Format:
    """Good files of a kind, and what reads one.

    Attributes:
        name: in the table.
        good: contents that are read without an error.
        read: is given a file's content.
        share: how many of the inputs, relative to the other formats.
    """

    name: str
    good: list[bytes]
    read: Callable[[bytes], object]
    share: float = 1.0


def main() -> None:
    """Try all formats and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        found = tried(Path(folder), options.inputs, options.seed)
    print("| format | inputs | taken | refused | escaped | slowest, s |")
    print("|---|---:|---:|---:|---:|---:|")
    for name, (counts, slowest) in found.items():
        cells = (counts.total(), counts["taken"], counts["refused"], counts["escaped"])
        print(f"| {name} | {' | '.join(f'{cell:,}' for cell in cells)} | {slowest:.2f} |")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"\npeak memory: {peak:,} MB")
    sys.exit(any(counts["escaped"] for counts, _ in found.values()))


def tried(folder: Path, inputs: int, seed: int = 0) -> dict[str, tuple[Counter[str], float]]:
    """For each format how many inputs were taken, refused and escaped, and the slowest one.

    Args:
        folder: to write into.
        inputs: over all formats.
        seed: of the damage.
    """
    every = formats(folder)
    whole = sum(each.share for each in every)
    found = {}
    for number, each in enumerate(every):
        dice = random.Random(f"{seed} {number}")
        counts: Counter[str] = Counter()
        slowest = 0.0
        for _ in range(round(inputs * each.share / whole)):
            data = damaged(dice.choice(each.good), each.good, dice)
            begun = time.perf_counter()
            counts[outcome(each, data)] += 1
            slowest = max(slowest, time.perf_counter() - begun)
        found[each.name] = counts, slowest
    return found


def outcome(each: Format, data: bytes) -> str:
    """`taken`, `refused` or `escaped`."""
    try:
        each.read(data)
    except (FaceganError, SkippedFile):
        return "refused"
    except Exception as error:
        print(f"{each.name}: {type(error).__name__}: {str(error)[:200]}", file=sys.stderr)
        return "escaped"
    return "taken"


def damaged(data: bytes, others: list[bytes], dice: random.Random) -> bytes:
    """The content with one to eight changes."""
    changed = bytearray(data)
    for _ in range(dice.randint(1, 8)):
        if not changed:
            break
        at = dice.randrange(len(changed))
        end = min(len(changed), at + dice.choice((1, 2, 4, 8, 64, 512)))
        match dice.randrange(8):
            case 0:
                changed[at] ^= 1 << dice.randrange(8)
            case 1:
                changed[at:end] = dice.randbytes(end - at)
            case 2:
                changed[at:end] = bytes([dice.choice(b"\0\xff09-[{\"'.,x\n")]) * (end - at)
            case 3:
                del changed[at:end]
            case 4:
                changed[at:at] = changed[at:end] * dice.choice((1, 2, 50))
            case 5:
                other = dice.choice(others)
                start = dice.randrange(len(other))
                changed[at:end] = other[start : start + end - at]
            case 6:
                changed[at:end] = str(dice.choice((-1, 0, 2**31, 2**63, 10**30))).encode()
            case 7 if dice.random() < 0.2:
                del changed[at:]
    return bytes(changed)


def formats(folder: Path) -> list[Format]:
    """All that is tried."""
    text = [shipped_text(name).encode() for name in recipe_names()]
    resolved = [Recipe.load(name).to_toml().encode() for name in recipe_names()]
    plans = [shipped_plan(name).encode() for name in plan_names()]
    csv = b"file,smile,age\na.png,1,20.5\nb.png,,3e1\n\xef\xbb\xbfc/d.png,0,-1\n"
    nvlabs = b'{"labels": [["a.png", 3], ["b/c.png", 0]], "x": [1.5, null]}'
    vectors = b'{"labels": [["a.png", [0.5, 1]], ["b/c.png", [-1, 2e3]]]}'
    lines = b'{"images_seen": 8, "loss": 0.5}\n{"images_seen": 16, "evaluation": {"n": [1]}}\n'
    return [
        Format("pictures", _pictures(), lambda d: decode(d, Shape(16, min_size=1)), 3.0),
        Format("tar archives", _tars(), lambda d: _archive(folder / "a.tar", d, TarSource)),
        Format("zip archives", _zips(), lambda d: _archive(folder / "a.zip", d, ZipSource)),
        Format("labels (CSV)", [csv], lambda d: _labels(folder / "a.csv", d)),
        Format("dataset.json of others", [nvlabs, vectors], lambda d: _nvlabs(folder, d)),
        Format(
            "datasets: arrays, items, card", _pack_parts(folder), lambda d: _dataset(folder, d), 0.5
        ),
        Format("models", [_model()], lambda d: _load(folder / "m.safetensors", d), 0.3),
        Format("recipes", text + resolved, lambda d: Recipe.parse(d.decode("utf-8", "replace"))),
        Format("plans", plans, lambda d: Plan.parse(d.decode("utf-8", "replace")), 0.2),
        Format("journals", [lines], lambda d: _journal(folder / "j.jsonl", d)),
    ]


def _picture(kind: str, mode: str = "RGB", **options: object) -> bytes:
    values = np.random.default_rng(0).integers(0, 256, (24, 20, 4), np.uint8)
    image = Image.fromarray(values).convert(mode)
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _pictures() -> list[bytes]:
    found = [_picture(k) for k in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM")]
    found += [_picture("JPEG", progressive=True), _picture("JPEG", "CMYK"), _picture("PNG", "P")]
    found += [_picture("TIFF", compression="tiff_lzw"), _picture("PNG", "RGBA")]
    found += [_picture("PNG", "LA"), _picture("JPEG", "L"), _picture("TIFF", "L")]
    wide = np.arange(400, dtype=np.uint16).reshape(20, 20) * 160
    for kind in ("PNG", "TIFF"):
        file = io.BytesIO()
        Image.fromarray(wide).save(file, kind)
        found.append(file.getvalue())
    return found


def _tars() -> list[bytes]:
    found = []
    for mode in ("w", "w:gz", "w:bz2", "w:xz"):
        for kind in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
            file = io.BytesIO()
            with tarfile.open(fileobj=file, mode=mode, format=kind) as tar:
                for name in ("a.png", f"{'b' * 60}/{'c' * 60}.png", "dataset.json"):
                    info = tarfile.TarInfo(name)
                    info.size = 40
                    tar.addfile(info, io.BytesIO(b'{"labels": []}'.ljust(40)))
            found.append(file.getvalue())
    return found


def _zips() -> list[bytes]:
    found = []
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", method) as archive:
            for name in ("a.png", "b/c.png", "dataset.json"):
                archive.writestr(name, b'{"labels": []}'.ljust(100))
        found.append(file.getvalue())
    return found


def _archive(path: Path, data: bytes, kind: type[TarSource] | type[ZipSource]) -> None:
    path.write_bytes(data)
    source = kind(path)
    members = source.members()
    recognise(source, [member.path for member in members if member.refused is None])
    for _ in source.read({i for i, m in enumerate(members) if m.refused is None}):
        pass


def _labels(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    LabelTable.of(read_table(path)).join(["a.png", "b.png"])


def _nvlabs(folder: Path, data: bytes) -> None:
    source = TarSource(folder / "none")
    source.description = ("dataset.json", data)
    layout = recognise(source, ["a.png"])
    if layout.labels is not None:
        layout.labels.join(["a.png", "b/c.png"]).values([0, 1])


def _pack_parts(folder: Path) -> list[bytes]:
    """A good dataset, and its parts with their name before them."""
    with DatasetWriter(folder / "dataset", 8, 3, ("a",)) as writer:
        images = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), np.uint8)
        names = [f"{i}.png" for i in range(4)]
        writer.add(images, names, names, ["train"] * 4, names, np.zeros((4, 1), np.float32))
        writer.finish({"name": "x", "counts": {}})
    parts = ("images.npy", "labels.npy", "items.csv", "dataset.json")
    return [n.encode().ljust(16) + (folder / "dataset" / n).read_bytes() for n in parts]


def _dataset(folder: Path, data: bytes) -> None:
    names = {b"i": "images.npy", b"l": "labels.npy", b"t": "items.csv", b"d": "dataset.json"}
    key = b"t" if data[:3] == b"ite" else data[:1]
    path = folder / "dataset" / names.get(key, "dataset.json")
    before = path.read_bytes()
    try:
        path.write_bytes(data[16:])
        dataset = Dataset.open(folder / "dataset")
        _ = dataset.splits
        dataset.verify()
    finally:
        path.write_bytes(before)


def _model() -> bytes:
    import torch

    from facegan.data.pixels import Pixels
    from facegan.data.spec import ImageSpec

    recipe = Recipe.load("gan").override("generator.hidden=[4]", "data.range=symmetric")
    torch.manual_seed(0)
    generator = recipe.generator.build(ImageSpec(8, 3), recipe.data.range).eval()
    return GeneratorFile(generator, recipe, Pixels.of("symmetric", [], []), 8, {}).to_bytes()


def _load(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    GeneratorFile.load(path)


def _journal(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    journal = Journal(path)
    journal.append({"images_seen": 24})
    assert journal.lines()[-1] == {"images_seen": 24}
    journal.rewind(20)
    assert all(parse_json(line) for line in path.read_bytes().splitlines())


if __name__ == "__main__":
    main()
