"""A reader who types every step of a page, in a folder that has what the page takes for granted.

Commands and blocks of Python run in this process, made small by the tables below. What a page uses
without having made it (photographs, a dataset, a run) is given to it, made once for all pages. A
command that another page has typed already, on the same things, is not run again: what it wrote is
copied.
"""

from __future__ import annotations

import itertools
import os
import re
import shlex
import shutil
import tarfile
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import cv2
from documents import ROOT, Lines, steps
from markupsafe import Markup

from drawn_photographs import portrait
from facegan.recipe import Recipe
from tiny import TINY, TINY_RECIPES
from typed import call

# The same command on less: words of it, and what stands in their place. Networks are small, too
# (`settings_of`). Each line must be needed by some page.
SMALLER = (
    # Sizes: pictures, resolution, budget.
    (r"--resolution (64|128)\b", "--resolution 32"),
    (r"^(data import (?!.*--resolution).*)", r"\1 --resolution 32"),
    (r"--resolution 125", "--resolution 45"),
    (r"--crop 152", "--crop 72"),
    (r"^(data portraits .*)-n \d+", r"\1-n 40"),
    (r"--(data|mix) portraits(:\S+)?(?= |$)", r"--\1 portraits:80@32"),
    (r"^(generate .*)-n \d+", r"\1-n 4"),
    (r"^(generate .*--dataset .*)-n 4", r"\1-n 40"),
    (r"^(evaluate .*?)(?: -n \d+)?$", r"\1 -n 50 --extractor selfsup --no-faces"),
    (r"--budget (\d\d?)\d*(kimg|min)\b", r"--budget \1img"),
    (r"^(train (?!.*--budget).*--run .*)", r"\1 --budget 16img"),
    (r"^(train .*--run \S+)(?!.*evaluation\.times)", r"\1 --set evaluation.times=0"),
    (r"^(film .*)", r"\1 --seconds 0.1"),
    (r"^(invert .*)", r"\1 --steps 1"),
    (r"^(study mine\.toml --workers) \d+", r"\1 1"),
    (r"hidden=\[1024,\d+,\d+\]", "hidden=[12,10,8]"),
    (r"hidden=\[65536,", "hidden=[655360,"),  # too large for smaller pictures, too
    (r"heads\.code=128", "heads.code=6"),
    # Generators of the page's own training are smaller than the bundled one.
    (r"--from lfw-64", "--from runs/ignm-older"),
    (r"^evaluate lfw-64", "evaluate runs/a"),
    (r"^export (?:lfw-64 )?--html", "export runs/a --html"),
)
# What stands in the place of a command as it is written, and why tests cannot have that. A launcher
# before facegan (torchrun, srun) is left out, too: training/test_machines has torchrun.
INSTEAD = (
    (r"^demo$", "demo --help", "trains for minutes at a size of its own: cli/test_demo has it"),
    (
        r"^(study (?!.*--(?:report|figures|dry-run|show))(?!mine\.toml).*)",
        r"\1 --dry-run",
        "a shipped plan trains dozens of networks: it is read and priced; mine.toml is trained",
    ),
    (
        r"^study \S+ (?:--data \S+ )?--out \S+ (--report|--figures)",
        r"study mine.toml \1",
        "no shipped plan was trained: the page of one that was",
    ),
    (r"^(study .*--dry-run)", r"\1 --budget 1kimg", "no time to measure the speeds of methods"),
    (
        r" --(ray|slurm) \S+(.*--dry-run)",
        r"\2",
        "a cluster: study/test_on_ray and study/test_on_slurm start one",
    ),
    (
        r"^directions runs/a$",
        "directions lfw-64 -n 300 --measured 8 --name Smiling --out found.safetensors",
        "a generator that has learned faces, in which directions can be found",
    ),
    (r"^edit runs/a ", "edit lfw-64 --directions found.safetensors ", "the same"),
    (r"--log tensorboard --log wandb", "--log none", "an account: loggers/ has an offline one"),
    (r"--revision \w{40}", "--revision main", "a commit of somebody's repository"),
    (r" /shared/", " shared/", "a disk that several machines share"),
)
# The same for blocks of Python. Recipes are small there, and pictures 32 pixels wide.
LESS_PYTHON = (
    (r"channels=32", "channels=4"),
    (r'budget="\d+kimg"', 'budget="16img"'),
    (r'data="portraits"', 'data="portraits:130@32"'),
    (r"(evaluate\(.*)n=\d+", r'\1n=50, extractors=["selfsup"]'),
    (r"20_000", "8"),
    (r", processes=2", ""),  # training/test_processes starts two
)
# What a page shows being refused: a network that no machine holds.
REFUSED = "discriminator.hidden=[655360,4096,256]"
# A plan of two methods for `study mine.toml`.
PLAN = """
name = "mine"
title = "Two losses"
seeds = 1
budget = "16img"

[datasets]
faces = "portraits:130@32"

[methods.dcgan]
recipe = "dcgan"
set = [{settings}]

[methods.hinge]
recipe = "dcgan"
set = [{settings}, "method.loss=hinge"]

[measure]
n = 50
curve = 0
extractors = ["efflite0@32"]

[[claims]]
says = "Hinge makes better faces."
test = "better(hinge, dcgan, metric=fd)"
"""
PHOTOGRAPHS = 130  # an evaluation takes 50, and twice as many real ones to train on
FEW = (
    *("training.batch=8", "training.ticks=1", "training.snapshots=1", "training.precision=fp32"),
    "evaluation.times=0",
)


def small_settings(recipe: Recipe, name: str) -> tuple[str, ...]:
    """What makes a recipe small that was loaded by name or file."""
    return (*TINY[recipe.generator.kind], *TINY_RECIPES.get(name, ()), *FEW)


def settings_of(name: str) -> list[str]:
    """The same as options: `--set` and a setting, again and again."""
    found = small_settings(Recipe.load(name), name)
    return [word for setting in found for word in ("--set", setting)]


def run(words: list[str]) -> tuple[int, str]:
    """A command in this process: its status, and what it said."""
    ended = call(*words)
    return ended.status, ended.out + ended.err


@dataclass(frozen=True)
class Done:
    """A command that was run: what it said, where it is kept, and the files that it wrote.

    Each file has the place, among the command's words, of the name under which it lies, the path
    under that name, and the path where it is kept. Files in the current folder have no place.
    """

    name: str
    said: str
    files: tuple[tuple[int | None, str, Path], ...]


class Shelf:
    """What pages take for granted, each made when it is first asked for.

    Args:
        folder: to keep it in.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kept: dict[tuple[str, ...], Done] = {}  # by command, and what it was about
        self._count = itertools.count()

    def new(self) -> str:
        """A name that nothing else has."""
        return f"#{next(self._count)}"

    def knows(self, name: str) -> bool:
        """Whether it is a name of something."""
        return any(re.fullmatch(pattern, name) for pattern, _ in _MADE)

    def give(self, name: str, verb: str = "") -> Path:
        """The file or folder that a page calls `name`.

        `verb` is the command that asks: a study's `mine.toml` is a plan, a training's a recipe.
        """
        for pattern, make in _MADE:
            if re.fullmatch(pattern, name):
                kept = self.folder / make.__name__.strip("_")
                if make is _mine:
                    kept = self.folder / f"mine-{verb}"
                if not kept.exists():
                    make(self, kept)
                return kept
        raise AssertionError(f"No test has {name}.")


def _photographs(shelf: Shelf, path: Path) -> None:
    """Portraits of nobody, in which faces can be found."""
    path.mkdir()
    for n in range(PHOTOGRAPHS):
        cv2.imwrite(str(path / f"{n:04}.png"), portrait(n, 96)[:, :, ::-1])


def _photograph(shelf: Shelf, path: Path) -> None:
    path.write_bytes(cv2.imencode(".jpg", portrait(1000, 256)[:, :, ::-1])[1].tobytes())


def _lfw(shelf: Shelf, path: Path) -> None:
    photographs = shelf.give("photographs")
    with tarfile.open(path, "w:gz") as archive:
        for n, picture in enumerate(sorted(photographs.iterdir())):
            folder = f"Person_{n % 15:02}"
            archive.add(picture, f"lfw-deepfunneled/{folder}/{folder}_{n // 15 + 1:04}.png")


def _attributes(shelf: Shelf, path: Path) -> None:
    rows = [
        f"Person_{n % 15:02}/Person_{n % 15:02}_{n // 15 + 1:04}.png,{n % 2},{20 + n % 50}"
        for n in range(PHOTOGRAPHS)
    ]
    path.write_text("\n".join(["image,Smiling,age", *rows]) + "\n", "utf-8")


def _dataset(shelf: Shelf, path: Path) -> None:
    source, labels = shelf.give("lfw.tgz"), shelf.give("lfw-attributes.csv")
    words = ["data", "import", str(source), str(path), "--resolution", "32"]
    status, said = run([*words, "--labels", str(labels)])
    assert status == 0, said


def _trained(shelf: Shelf, path: Path, recipe: str = "dcgan") -> None:
    faces = shelf.give("faces")
    words = ["train", recipe, "--data", str(faces), "--run", str(path), "--budget", "16img"]
    status, said = run([*words, *settings_of(recipe), "--set", "data.labels=all"])
    assert status == 0, said


def _older(shelf: Shelf, path: Path) -> None:
    _trained(shelf, path, "ignm-cpu")


def _generator(shelf: Shelf, path: Path) -> None:
    trained = shelf.give("runs/a")
    found = max(trained.glob("checkpoints/*/generator.safetensors"))
    shutil.copy(found, path)


def _mine(shelf: Shelf, path: Path) -> None:
    if path.name.endswith("study"):
        small = [word for word in settings_of("dcgan") if word != "--set"]
        path.write_text(PLAN.format(settings=", ".join(f'"{word}"' for word in small)), "utf-8")
    else:
        path.write_text(run(["recipes", "show", "dcgan"])[1], "utf-8")


def _faces_of_the_studio(shelf: Shelf, path: Path) -> None:
    """Kept faces, as the studio saves them: a PNG each, with what generates it again."""
    with zipfile.ZipFile(path, "w") as archive:
        for seed in (1, 5):
            picture = path.with_name(f"kept-{seed}.png")
            status, said = run(
                ["edit", "--seed", str(seed), "--set", "smiling=1", "--out", str(picture)]
            )
            assert status == 0, said
            archive.write(picture, picture.name)


def _limits(shelf: Shelf, path: Path) -> None:
    path.write_text("Drawn faces, and nobody's.\n", "utf-8")


def _checkout(name: str) -> Callable[[Shelf, Path], None]:
    def made(shelf: Shelf, path: Path) -> None:
        path.symlink_to(ROOT / name)

    made.__name__ = name
    return made


# Names in documents, and what makes the thing.
_MADE: tuple[tuple[str, Callable[[Shelf, Path], None]], ...] = (
    (r"(holiday-)?photographs|other-faces(\.zip)?", _photographs),
    (r"celeba|bedrooms|ffhq/thumbnails128x128", _photographs),
    (r"me\.(jpg|png)", _photograph),
    (r"lfw(-deepfunneled)?\.tgz", _lfw),
    (r"lfw-attributes\.csv", _attributes),
    (r"(shared/)?(faces|lfw32|lfw64|lfw125|celeba32|labelled|lfw32-labelled|drawn|made)", _dataset),
    (r"runs/ignm-older", _older),
    (r"runs/[\w-]+", _trained),
    (r"generator\.safetensors", _generator),
    (r"mine\.toml", _mine),
    (r"lfw-64-faces\.zip", _faces_of_the_studio),
    (r"limits\.txt", _limits),
    (r"scripts", _checkout("scripts")),
    (r"examples", _checkout("examples")),
)  # fmt: skip


# Options before what a command writes.
_WRITTEN = ("--run", "--out", "--html", "--onnx", "--figures")


class Reader:
    """Types the steps of a page in the current folder.

    Args:
        shelf: what the page takes for granted.
    """

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.needed: set[str] = set()  # of the tables
        # What is in the folder by a name: who made it, which is the same in all pages.
        self.origin: dict[str, str] = {}
        self._runs: dict[str, str] = {}
        self._names: dict[str, Any] = {"__name__": "page"}  # of the page's Python
        self._alone = ""  # what makes commands of this page like no other's

    def read(self, page: Path) -> None:
        """Take every step of a page, in its order. Fails with the first that does."""
        for step in steps(page):
            try:
                if isinstance(step, Lines):
                    self.execute(step)
                    continue
                said = self.type(step.words)
                if into := re.search(r"> (\S+)", step.line.split("#")[0]):
                    self.keep(said, step.words, Path(into[1]))
            except AssertionError as error:
                raise AssertionError(f"{step}\n{error}") from None

    def small(self, words: list[str]) -> list[str]:
        """The command at a size that fits."""
        line = shlex.join(words)
        for pattern, instead in (*SMALLER, *((one, other) for one, other, _ in INSTEAD)):
            line, found = re.subn(pattern, instead, line)
            if found:
                self.needed.add(pattern)
        return shlex.split(line)

    def less(self, code: str) -> str:
        """The Python at a size that fits."""
        for pattern, instead in LESS_PYTHON:
            code, found = re.subn(pattern, instead, code)
            if found:
                self.needed.add(pattern)
        return code

    def execute(self, step: Lines) -> None:
        """Run a block of Python after those before it. Fails where it does."""
        code = self.less(step.code)
        for name in re.findall(r'"([\w/.-]+)"', code):
            self.give(name)
        for name in re.findall(r'run="([\w/-]+)"', code):
            if self.origin.get(name) == _trained.__name__.strip("_"):  # not the page's own
                shutil.rmtree(name)
                del self.origin[name]
        before = snapshot()
        with small_recipes():
            exec(compile(code, str(step.path), "exec", dont_inherit=True), self._names)
        if snapshot() != before:
            self._alone = self.shelf.new()

    def type(self, words: list[str]) -> str:
        """Run a command, made small, and say what it said. Fails where the command does."""
        words = self.small(words)
        self._give(words)
        self._clear(words)
        if words[:2] == ["study", "mine.toml"] and words[2] in ("--report", "--figures"):
            self._run_the_study()
        if words[0] == "train":
            # What the page sets comes last, and counts.
            words = [*words[:2], "--log", "none", *settings_of(words[1]), *words[2:]]
        names = {n: name for n in range(len(words)) if (name := self._name(words, n))}
        key = self._key(words, names)
        before = snapshot()
        if done := self.shelf.kept.get(key):
            for place, rest, kept in done.files:
                path = Path(names[place] if place is not None else "", rest)
                path.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(kept, path)
        else:
            with undrawn_curves() if words[0] in ("train", "study") else nullcontext():
                status, said = run(words)
            command = f"facegan {shlex.join(words)}\n{said}"
            assert (status == 0) is (REFUSED not in words), command
            assert "Traceback" not in said, command
            done = Done(self.shelf.new(), said, ())
        after = snapshot()
        written = [path for path, state in after.items() if before.get(path) != state]
        under = {path: _under(path, names) for path in written}
        if key not in self.shelf.kept and not before.keys() - after.keys() and not _of_hub(words):
            files = []
            for number, path in enumerate(written):
                kept = self.shelf.folder / done.name / str(number)
                kept.parent.mkdir(exist_ok=True)
                shutil.copy(path, kept)
                place = under[path]
                rest = path if place is None else os.path.relpath(path, names[place])
                files.append((place, "" if rest == "." else rest, kept))
            self.shelf.kept[key] = Done(done.name, done.said, tuple(files))
        for place in {place for place in under.values() if place is not None}:
            self.origin[names[place]] = f"{done.name}.{place}"
        return done.said

    def _run_the_study(self) -> None:
        """That of `mine.toml`, whose page is written again, where the page has not run it."""
        if not Path("studies/mine").exists():
            self.type(["study", "mine.toml", "--workers", "1"])

    def keep(self, said: str, words: list[str], path: Path) -> None:
        """Write what a command printed into a file, as `>` does."""
        assert tomllib.loads(said)
        if words[0] == "study":  # a plan that fits stands in for the one that the page prints
            said = self.shelf.give(path.name, "study").read_text("utf-8")
        path.write_text(said, "utf-8")
        self.origin[path.name] = f"{path.name} for {words[0]}"

    def _name(self, words: list[str], place: int) -> str | None:
        """What a word names of this folder: what is there, or what the command writes."""
        name = words[place]
        if words[place - 1] == "--data":
            name = name.rpartition("=")[2]  # a study's dataset, by its name in the plan
        name = name.rstrip("/")
        if name in self.origin or words[place - 1] in _WRITTEN or self._target(words) == place:
            return name
        return None

    def _key(self, words: list[str], names: dict[int, str]) -> tuple[str, ...]:
        """What is equal for equal commands on equal things."""
        known = {n: f"<{self.origin.get(name, 'new')}>" for n, name in names.items()}
        return (self._alone, *(known.get(n, word) for n, word in enumerate(words)))

    def _give(self, words: list[str]) -> None:
        """Whatever the command reads and the page has not made."""
        for place, word in enumerate(words):
            if words[place - 1] in _WRITTEN or self._target(words) == place:
                continue
            name = word.split("/")[0] if word.startswith(("scripts/", "examples/")) else word
            if words[place - 1] == "--data":
                name = name.rpartition("=")[2]
            self.give(name.rstrip("/"), words[0])

    def give(self, name: str, verb: str = "") -> None:
        """Put what a page calls `name` into the current folder, if it is a name of something."""
        if not self.shelf.knows(name) or Path(name).exists():
            return
        kept = self.shelf.give(name, verb)
        self.origin[name] = f"{name} for {verb}" if name == "mine.toml" else kept.name
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        if name.startswith("runs/"):
            shutil.copytree(kept, name)
        else:
            Path(name).symlink_to(kept)

    @staticmethod
    def _target(words: list[str]) -> int | None:
        """The place of the dataset that a command writes, where it is an argument."""
        if words[0] != "data":
            return None
        return {"import": 3, "filter": 3, "portraits": 2}.get(words[1])

    def _clear(self, words: list[str]) -> None:
        """Pages show alternatives, which write to the same place: the later one finds it free."""
        place = None
        if target := self._target(words):
            place = words[target]
        elif words[:2] == ["data", "label"] or "--dataset" in words or words[0] == "export":
            place = words[words.index("--html" if words[0] == "export" else "--out") + 1]
        elif words[0] == "train" and "--run" in words:
            run = words[words.index("--run") + 1]
            about = re.sub(r" --(budget|extend) \S+", "", shlex.join(words))
            if self._runs.get(run) != about:
                place = run
            self._runs[run] = about
        if place is not None:
            self.origin.pop(place, None)
            if Path(place).is_symlink() or Path(place).is_file():
                Path(place).unlink()
            elif Path(place).is_dir():
                shutil.rmtree(place)


def _of_hub(words: list[str]) -> bool:
    """Whether a command's effect is not in this folder alone."""
    return words[:2] == ["models", "push"] or (words[:2] == ["models", "install"])


def _under(path: str, names: dict[int, str]) -> int | None:
    """The place of the name under which a file lies."""
    found = [n for n, name in names.items() if path == name or path.startswith(f"{name}/")]
    return max(found, key=lambda n: len(names[n]), default=None)


def snapshot() -> dict[str, tuple[int, int]]:
    """Every file under the current folder, and what changes when it is written."""
    found = {}
    for folder, _, files in os.walk("."):
        for name in files:
            path = Path(folder, name)
            if not path.is_symlink():
                about = path.stat()
                found[path.as_posix()] = (about.st_mtime_ns, about.st_size)
    return found


@contextmanager
def undrawn_curves() -> Iterator[None]:
    """The page that ends each training takes as long as it; `report` is what draws here."""
    with patch("facegan.report.plots._svg", lambda plot, prefix: Markup("<svg></svg>")):
        yield


@contextmanager
def small_recipes() -> Iterator[None]:
    """Shipped recipes are small and train for a moment, whoever loads them."""
    load = Recipe.load

    def small(name: str) -> Recipe:
        recipe = load(name)
        return recipe.override(*small_settings(recipe, name), "training.budget=16img")

    with patch.object(Recipe, "load", small):
        yield
