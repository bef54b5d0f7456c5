"""Give damaged files of every format that facegan reads to what reads them, and count what happens.

Each input is a good one with bytes changed, cut, doubled or put in from another. A reader may take
it, or refuse it with an error that a person can act on; anything else is an escape, and the status
is 1. The inputs of a seed are always the same.

    python benchmarks/mutated_inputs.py --inputs 100000
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import random
import resource
import shutil
import sys
import tarfile
import tempfile
import time
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numpy as np
import numpy.typing as npt
from markupsafe import Markup
from PIL import Image

from facegan.apps.evaluate import evaluate
from facegan.apps.generate import generate
from facegan.apps.train import Training, train
from facegan.data.archives import TarSource, ZipSource
from facegan.data.dataset import Dataset
from facegan.data.decode import Shape, decode
from facegan.data.labels import LabelTable
from facegan.data.layouts import recognise
from facegan.data.members import SkippedFile
from facegan.data.tables import read_table
from facegan.data.writer import DatasetWriter
from facegan.errors import FaceganError
from facegan.evaluation import clear_faces
from facegan.evaluation.extractors.base import Extractor
from facegan.files import sha256
from facegan.models.file import GeneratorFile
from facegan.parsing import parse_json
from facegan.recipe import Recipe, recipe_names, shipped_text
from facegan.report import plots
from facegan.report.pages import report
from facegan.runs import checkpoint
from facegan.runs.best import Best, keep_best
from facegan.runs.directory import RunDirectory
from facegan.runs.find import find_generator
from facegan.runs.journal import Journal
from facegan.study.plan import Plan, plan_names, shipped_plan
from facegan.training.reporter import Reporter


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
    parser.add_argument("--only", help="one format, by its name in the table")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        every = [each for each in formats(Path(folder)) if options.only in (None, each.name)]
        found = tried(every, options.inputs, options.seed)
    print("| format | inputs | taken | refused | escaped | slowest, s |")
    print("|---|---:|---:|---:|---:|---:|")
    for name, (counts, slowest) in found.items():
        cells = (counts.total(), counts["taken"], counts["refused"], counts["escaped"])
        print(f"| {name} | {' | '.join(f'{cell:,}' for cell in cells)} | {slowest:.2f} |")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"\npeak memory: {peak:,} MB")
    sys.exit(any(counts["escaped"] for counts, _ in found.values()))


def tried(every: list[Format], inputs: int, seed: int = 0) -> dict[str, tuple[Counter[str], float]]:
    """For each format how many inputs were taken, refused and escaped, and the slowest one.

    Args:
        every: the formats.
        inputs: over all of them.
        seed: of the damage.
    """
    whole = sum(each.share for each in every)
    found = {}
    for each in every:
        dice = random.Random(f"{seed} {each.name}")
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
        _run_folders(folder),
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


# Before the content of a run's file: which file it is, what reads the run, and whether the manifest
# of its checkpoint is then given the file's checksum, as somebody would who attacks.
_HEAD = 80
_USES: dict[str, Callable[[Path, Path], object]] = {
    "train": lambda run, data: train(
        _run_recipe(), data, run, loggers=(), threads=1, reporter=Reporter()
    ),
    "report": lambda run, data: report(run),
    "generate": lambda run, data: generate(run, run / "made", n=2),
    "best": lambda run, data: generate(run, run / "made", n=2, best=True),
    "evaluate": lambda run, data: _evaluate(run, data),
}


class _Plain(Extractor):
    """Means and deviations of the colours: what is tried is not the scores."""

    def __init__(self) -> None:
        self.name, self.dimension, self.resizer = "plain", 6, "none"
        self.fingerprint = "0" * 64

    def features(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        numbers = images.astype(np.float64) / 255
        return np.concatenate([numbers.mean((1, 2)), numbers.std((1, 2))], 1).astype(np.float32)


def _run_folders(folder: Path) -> Format:
    """A run that was stopped on its way, and measured: each of its files, before each use of it."""
    data, run = folder / "real", folder / "run"
    with DatasetWriter(data, 8, 3) as writer:
        images = np.random.default_rng(0).integers(0, 256, (240, 8, 8, 3), np.uint8)
        names = [f"{i}.png" for i in range(len(images))]
        splits = ["holdout" if i % 4 == 0 else "train" for i in range(len(images))]
        writer.add(images, names, names, splits, names)
        writer.finish({"name": "x", "counts": {}})
    with _quick():
        with Training(_run_recipe(), data, run, loggers=(), threads=1, reporter=Reporter()) as made:
            for step in made:
                if step.images_seen >= 24:
                    break
        _evaluate(run, data, copying=True)
    scores = Best(24, 1.0, 0.5, 1.5, 0.2, "plain", 50, 50)
    keep_best(RunDirectory(run), scores, GeneratorFile.load(find_generator(run)))
    good = []
    for path in sorted(run.rglob("*")):
        name = path.relative_to(run).as_posix()
        if path.is_dir() or name.startswith("."):
            continue
        for use in _USES:
            head = f"{use} {name}"
            good.append(head.encode().ljust(_HEAD) + path.read_bytes())
            if name.startswith("checkpoints/"):
                good.append(f"{head} sealed".encode().ljust(_HEAD) + path.read_bytes())
    return Format("run folders", good, lambda d: _run_folder(run, data, d), 0.2)


def _run_recipe() -> Recipe:
    return Recipe.load("gan").override(
        "generator.hidden=[2]",
        "generator.latent.size=2",
        "discriminator.hidden=[2]",
        "training.batch=8",
        "training.budget=32img",
        "training.ticks=4",
        "training.snapshots=4",
        "training.precision=fp32",
        "evaluation.times=0",
    )


def _run_folder(whole: Path, data: Path, content: bytes) -> None:
    use, _, name = content[:_HEAD].decode("utf-8", "replace").strip().partition(" ")
    name, _, sealed = name.partition(" ")
    with tempfile.TemporaryDirectory(dir=whole.parent) as beside:
        run = Path(shutil.copytree(whole, Path(beside) / "run"))
        if not (run / name).is_file() or use not in _USES:  # its head is damaged
            name, use = "metrics.jsonl", "report"
        path = run / name
        path.write_bytes(content[_HEAD:])
        if sealed:
            _seal(path)
        with _quick(path.suffix == ".jsonl"), contextlib.redirect_stderr(io.StringIO()):
            _USES[use](run, data)


def _seal(path: Path) -> None:
    """Give a checkpoint's manifest the checksum that its file now has, and its own."""
    manifest = path.with_name(checkpoint.MANIFEST)
    try:
        values = parse_json(manifest.read_bytes())
        if path != manifest:
            values["sha256"][path.name] = sha256(path)
        del values["manifest_sha256"]  # as in those of an earlier facegan
    except (OSError, ValueError, KeyError, TypeError):
        return
    manifest.write_text(json.dumps(values), "utf-8")


def _evaluate(run: Path, data: Path, copying: bool = False) -> None:
    evaluate(run, data, n=50, n_real=50, extractors=[_Plain()], copying=copying, faces=False)


@contextlib.contextmanager
def _quick(draw: bool = False) -> Iterator[None]:
    """No faces are found, at once, as none would after a while; curves are drawn if need be."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.object(clear_faces, "detect", return_value=[]))
        if not draw:
            stack.enter_context(mock.patch.object(plots, "_svg", return_value=Markup()))
        yield


if __name__ == "__main__":
    main()
