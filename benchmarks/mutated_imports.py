"""Damage sources of every layout, give them to the real import, and count what happens.

Each input is a whole source (a folder, an archive, a database, with its lists and labels) in which
one file has changes. An import may make a dataset, which must be whole, or refuse with an error
that a person can act on, and then leaves nothing. Anything else is an escape: another exception,
half a dataset, a file left over or changed. With `--commands`, so many inputs go through the
command line, each in a process of its own: a copy of this one, or with `--anew` a new interpreter.
A process that ends by a signal is an escape.

    python benchmarks/mutated_imports.py --inputs 5000 --commands 500
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import traceback
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from mutated_inputs import damaged
from PIL import Image, ImageCms

import facegan.apps.data
import facegan.cli
from facegan.data.dataset import Dataset
from facegan.data.importer import import_images
from facegan.errors import FaceganError

# Seconds that a command may take.
_LONGEST = 300


@dataclass(frozen=True)
class Layout:
    """A good source.

    Attributes:
        name: in the table.
        files: path → content; what is given to the import is `given` in this folder.
        given: of these files, or "." for the folder.
        damage: which files are damaged, one at a time.
        options: of the import.
        apart: whether damage may end the process, so that none goes through this process.
    """

    name: str
    files: Mapping[str, bytes]
    given: str = "."
    damage: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    apart: bool = False


def main() -> None:
    """Try all layouts and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=5_000)
    parser.add_argument("--commands", type=int, default=0)
    parser.add_argument("--anew", action="store_true", help="a new interpreter for each command")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    print("| layout | inputs | datasets | refused | escaped | slowest, s |")
    print("|---|---:|---:|---:|---:|---:|")
    escaped = 0
    with tempfile.TemporaryDirectory() as folder:
        command = apart if options.anew else forked
        for how, inputs in ((command, options.commands), (here, options.inputs)):
            if not inputs:
                continue
            by = "" if how is here else " (command line)"

            def say(name: str, counts: Counter[str], slowest: float, by: str = by) -> None:
                cells = (counts.total(), counts["made"], counts["refused"], counts["escaped"])
                row = " | ".join(f"{cell:,}" for cell in cells)
                print(f"| {name}{by} | {row} | {slowest:.2f} |", flush=True)

            found = tried(Path(folder), inputs, options.seed, how, say)
            escaped += sum(counts["escaped"] for counts, _ in found.values())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"\npeak memory: {peak:,} MB")
    sys.exit(escaped > 0)


def tried(
    folder: Path,
    inputs: int,
    seed: int,
    how: Callable[[Path, Layout], str],
    said: Callable[[str, Counter[str], float], None] | None = None,
) -> dict[str, tuple[Counter[str], float]]:
    """For each layout how many inputs were taken, refused and escaped, and the slowest one."""
    every = layouts()
    found = {}
    for number, each in enumerate(every):
        dice = random.Random(f"{seed} {number}")
        counts: Counter[str] = Counter()
        slowest = 0.0
        share = inputs / len(every)
        # A process for each input takes seconds.
        share = share / 10 if each.apart and how is not apart else share
        for _ in range(max(1, round(share))):
            name = dice.choice(each.damage or tuple(each.files))
            source = folder / "source"
            shutil.rmtree(source, ignore_errors=True)
            for path, content in each.files.items():
                place = source / path
                place.parent.mkdir(parents=True, exist_ok=True)
                if path == name:
                    content = damaged(content, list(each.files.values()), dice)
                place.write_bytes(content)
            begun = time.perf_counter()
            counts[how(folder, each)] += 1
            slowest = max(slowest, time.perf_counter() - begun)
        found[each.name] = counts, slowest
        if said is not None:
            said(each.name, counts, slowest)
    return found


def here(folder: Path, each: Layout) -> str:
    """`made`, `refused` or `escaped`, in this process."""
    if each.apart:
        return apart(folder, each)
    try:
        source, options = _asked(folder, each)
        import_images(source, folder / "out", resolution=8, min_size=1, workers=1, **options)
        outcome = "made"
    except FaceganError as error:
        outcome = "refused" if error.message and error.hint else "escaped"
    except Exception as error:
        print(f"{each.name}: {type(error).__name__}: {str(error)[:300]}", file=sys.stderr)
        outcome = "escaped"
    return _looked_at(folder, outcome, each)


def apart(folder: Path, each: Layout) -> str:
    """The same through the command line, in a new interpreter."""
    words = [sys.executable, "-m", "facegan", *_words(folder, each)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=_LONGEST)
    return _judged(folder, each, done.returncode, done.stderr)


def forked(folder: Path, each: Layout) -> str:
    """The same through the command line's entry point, in a copy of this process: the interpreter
    has loaded what it needs. Layouts that a library's threads read get a new interpreter."""
    if each.apart:
        return apart(folder, each)
    sys.stdout.flush()
    sys.stderr.flush()
    with tempfile.TemporaryFile() as said:
        child = os.fork()
        if child == 0:
            _command(_words(folder, each), said.fileno())
        ends = time.monotonic() + _LONGEST
        while not (found := os.waitpid(child, os.WNOHANG))[0]:
            if time.monotonic() > ends:
                os.kill(child, signal.SIGKILL)
            time.sleep(0.002)
        said.seek(0)
        text = said.read().decode("utf-8", "replace")
    return _judged(folder, each, os.waitstatus_to_exitcode(found[1]), text)


def _command(words: list[str], output: int) -> NoReturn:
    """Run the command line in this process, which ends with its status."""
    status = 70  # of whatever comes out of the entry point and is no exit
    try:
        os.dup2(output, 1)
        os.dup2(output, 2)
        sys.stdout = sys.stderr = open(output, "w", closefd=False)  # noqa: SIM115
        sys.argv = ["facegan", *words]
        facegan.cli.main()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else end.code is not None
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _words(folder: Path, each: Layout) -> list[str]:
    source, options = _asked(folder, each)
    words = ["data", "import", str(source), str(folder / "out")]
    words += ["--resolution", "8", "--min-size", "1", "--workers", "1"]
    for name, value in options.items():
        words += [f"--{name}", str(value)]
    return words


def _judged(folder: Path, each: Layout, status: int, said: str) -> str:
    """`made`, `refused` or `escaped`, by how a command ended and what it said."""
    if status not in (0, 1, 2) or "Traceback" in said:
        print(f"{each.name}: {status} {said[-300:]}", file=sys.stderr)
        return _looked_at(folder, "escaped", each)
    return _looked_at(folder, "refused" if status else "made", each)


def _asked(folder: Path, each: Layout) -> tuple[Path, dict[str, Any]]:
    options = dict(each.options)
    if options.get("labels", "folders") != "folders":
        options["labels"] = folder / "source" / options["labels"]
    return folder / "source" / each.given, {"holdout": 0.2, **options}


def _looked_at(folder: Path, outcome: str, each: Layout) -> str:
    """The outcome, or `escaped` where something is half there, left over or not whole."""
    there = {path.name for path in folder.iterdir()}
    try:
        if outcome == "made":
            Dataset.open(folder / "out", verify=True)
        wanted = {"source", "out"} if outcome == "made" else {"source"}
        if there != wanted and outcome != "escaped":
            print(f"{each.name}: {outcome}, and there are {sorted(there)}", file=sys.stderr)
            outcome = "escaped"
    except FaceganError as error:
        print(f"{each.name}: {error}", file=sys.stderr)
        outcome = "escaped"
    for path in folder.iterdir():
        if path.name != "source":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    return outcome


def picture(seed: int, kind: str = "PNG", **options: object) -> bytes:
    """A small picture."""
    values = np.random.default_rng(seed).integers(0, 256, (12, 10, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(values).save(file, kind, **options)
    return file.getvalue()


def layouts() -> list[Layout]:
    """All that is tried; those of packages that are not there are left out."""
    pictures = {f"p/{n}.png": picture(n) for n in range(6)}
    numbered = {f"img_align_celeba/{n:06}.jpg": picture(n, "JPEG") for n in range(1, 7)}
    thousands = {f"t/{n // 1000 * 1000:05}/{n:05}.png": picture(n % 97) for n in (0, 1, 60_001)}
    rows = "".join(
        f"{n}.png,{('Sad', 'glad ')[n % 2]},{n},{('yes', 'No')[n % 2]}\n" for n in range(6)
    )
    table = f"file,mood,age,smile\n{rows}".encode()
    attributes = "".join(f"{n:06}.jpg -1  1\n" for n in range(1, 7)).encode()
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    coloured = {
        "a.png": picture(1, icc_profile=srgb),
        "b.jpg": picture(2, "JPEG", icc_profile=srgb[:300]),
        "c.png": picture(3, icc_profile=profile),
        "d.png": picture(4),
    }
    ffhq = {
        str(n): {"category": "training" if n < 9 else "validation", "metadata": {"license": "CC"}}
        for n in (0, 1, 60_001)
    }
    mapping = b"idx orig_idx orig_file\n" + b"".join(
        b"%d %d %06d.jpg\n" % (n, n, n + 1) for n in range(6)
    )
    lines = "".join(
        json.dumps({"file_name": f"{n}.png", "kind": "ab"[n % 2], "x": n}) + "\n" for n in range(6)
    )
    found = [
        Layout("folder of pictures", pictures),
        Layout("pictures with colour profiles", coloured),
        Layout("zip", {"a.zip": zipped(pictures)}, "a.zip"),
        Layout("tar.gz", {"a.tgz": tarred(pictures, "w:gz")}, "a.tgz"),
        Layout("labels, CSV", {**pictures, "l.csv": table}, "p", ("l.csv",), {"labels": "l.csv"}),
        Layout(
            "labels, semicolons and UTF-16",
            {**pictures, "l.csv": table.decode().replace(",", ";").encode("utf-16")},
            *("p", ("l.csv",), {"labels": "l.csv", "repeats": "average"}),
        ),
        Layout(
            "imagefolder, CSV",
            _beside(pictures, "metadata.csv", table.replace(b"file", b"file_name", 1)),
            "p",
            ("p/metadata.csv",),
        ),
        Layout(
            "imagefolder, JSON lines",
            _beside(pictures, "metadata.jsonl", lines.encode()),
            "p",
            ("p/metadata.jsonl",),
        ),
        Layout(
            "CelebA",
            {
                **numbered,
                "list_attr_celeba.txt": b"6\nSmiling Male\n" + attributes,
                "identity_CelebA.txt": b"".join(
                    b"%06d.jpg %d\n" % (n, n // 2) for n in range(1, 7)
                ),
                "list_eval_partition.csv": b"image_id,partition\n"
                + b"".join(b"%06d.jpg,%d\n" % (n, n // 4) for n in range(1, 7)),
            },
            damage=("list_attr_celeba.txt", "identity_CelebA.txt", "list_eval_partition.csv"),
        ),
        Layout(
            "CelebA-HQ",
            {
                **{f"hq/{n}.jpg": picture(n, "JPEG") for n in range(6)},
                "CelebA-HQ-to-CelebA-mapping.txt": mapping,
                "identity_CelebA.txt": b"".join(
                    b"%06d.jpg %d\n" % (n, n // 2) for n in range(1, 7)
                ),
            },
            damage=("CelebA-HQ-to-CelebA-mapping.txt",),
        ),
        Layout(
            "FFHQ",
            {**thousands, "ffhq-dataset-v2.json": json.dumps(ffhq).encode()},
            damage=("ffhq-dataset-v2.json",),
        ),
        Layout(
            "NVlabs", {"a.zip": zipped({**pictures, "dataset.json": _nvlabs(pictures)})}, "a.zip"
        ),
        Layout(
            "NVlabs, folder",
            {**pictures, "dataset.json": _nvlabs(pictures)},
            damage=("dataset.json",),
        ),
        Layout("WebDataset", {"0.tar": tarred(_samples(0)), "1.tar": tarred(_samples(3))}),
        Layout(
            "class folders",
            {f"{kind}/{n}.png": picture(n) for kind in "ab" for n in range(3)},
            options={"labels": "folders"},
        ),
    ]
    return [*found, *_lmdb(), *_parquet()]


def _beside(pictures: Mapping[str, bytes], name: str, content: bytes) -> dict[str, bytes]:
    return {**pictures, f"p/{name}": content}


def _nvlabs(pictures: Mapping[str, bytes]) -> bytes:
    return json.dumps({"labels": [[name, n % 3] for n, name in enumerate(pictures)]}).encode()


def _samples(begin: int) -> dict[str, bytes]:
    found = {}
    for number in range(begin, begin + 3):
        found[f"{number:04}.jpg"] = picture(number, "JPEG")
        found[f"{number:04}.cls"] = str(number % 2).encode()
        found[f"{number:04}.json"] = json.dumps({"age": number, "who": "x"}).encode()
    return found


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A zip of these files."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


def tarred(files: Mapping[str, bytes], mode: Any = "w") -> bytes:
    """A tar of these files."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def _lmdb() -> list[Layout]:
    try:
        import lmdb
    except ImportError:
        return []
    with tempfile.TemporaryDirectory() as folder:
        with (
            lmdb.open(folder, map_size=4 << 20) as environment,
            environment.begin(write=True) as transaction,
        ):
            for number in range(40):
                transaction.put(b"%040d" % number, picture(number, ("PNG", "JPEG")[number % 2]))
        content = (Path(folder) / "data.mdb").read_bytes().rstrip(b"\0")
    content += bytes(-len(content) % 4096)
    return [Layout("LSUN (LMDB)", {"data.mdb": content})]


def _parquet() -> list[Layout]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        return []
    rows = [{"bytes": picture(n), "path": f"{n}.png"} for n in range(6)]
    table = pyarrow.table({"image": rows, "label": [0, 1, 2] * 2, "what": ["a", "b"] * 3})
    file = io.BytesIO()
    parquet.write_table(table, file, row_group_size=3)
    # What is damaged goes through a library that may end the process.
    return [Layout("Parquet", {"a.parquet": file.getvalue()}, "a.parquet", apart=True)]


if __name__ == "__main__":
    main()
