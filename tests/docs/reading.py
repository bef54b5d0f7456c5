"""A reader who types every command of a page, in a folder that has what the page takes for granted.

Commands run in this process, made small by the table `SMALLER`: what is left is the same command
on less. What a page uses without having made it (photographs, a dataset, a run) is given to it,
made once for all pages.
"""

from __future__ import annotations

import re
import shlex
import shutil
import tarfile
import tomllib
from collections.abc import Callable
from pathlib import Path

import cv2
from documents import ROOT, commands

from drawn_photographs import portrait
from facegan.recipe import Recipe
from tiny import TINY, TINY_RECIPES
from typed import call

# What makes a command small: words of it, and what stands in their place. Each must be needed by
# some page.
SMALLER = (
    # Sizes: pictures, resolution, budget.
    (r"--resolution (64|128)\b", "--resolution 32"),
    (r"--crop 152", "--crop 72"),
    (r"^(data portraits .*)-n \d+", r"\1-n 40"),
    (r"--(data|mix) portraits(:\S+)?(?= |$)", r"--\1 portraits:80@32"),
    (r"^(generate .*)-n \d+", r"\1-n 4"),
    (r"^(generate .*--dataset .*)-n 4", r"\1-n 40"),
    (r"^(evaluate .*?)(?: -n \d+)?$", r"\1 -n 50 --extractor selfsup --no-faces"),
    (r"--budget (\d+)(kimg|min)\b", r"--budget \1img"),
    (r"^(train (?!.*--budget).*--run .*)", r"\1 --budget 16img"),
    (r"^(train .*--run \S+)(?!.*evaluation\.times)", r"\1 --set evaluation.times=0"),
    (r"^(directions \S+)$", r"\1 -n 1000 --measured 8"),
    (r"^(film .*)", r"\1 --seconds 0.1"),
    (r"^(invert .*)", r"\1 --steps 1"),
    (r"^demo$", "demo --help"),  # its own test runs it
    # Pictures of the bundled generator are larger than those of the tests.
    (r"^(train ignm-cpu .*)--from lfw-64", r"\1--from runs/ignm-older"),
    (r"^(train scripts/.*)--from lfw-64", r"\1--from runs/ignm-older"),
    (r"^evaluate lfw-64", "evaluate runs/a"),
    # Methods are trained above; here the plan is read, checked and priced.
    (r"^(study (?!.*--(?:report|figures|dry-run|show))(?!mine\.toml).*)", r"\1 --dry-run"),
    (r"^study \S+ --out \S+ (--report|--figures)", r"study mine.toml \1"),
    (r"^(study .*--dry-run)", r"\1 --budget 1kimg"),
    (r" --(ray|slurm) \S+(.*--dry-run)", r"\2"),  # a cluster's own tests submit to one
    (r"^(study mine\.toml --workers) \d+", r"\1 1"),
    # What this machine and this hub have.
    (r"--log tensorboard --log wandb", "--log none"),
    (r"--revision \w{40}", "--revision main"),
    (r" /shared/", " shared/"),
    (r"--profile", "--profile --budget 16img --run runs/profile"),
)
# What a page shows being refused: a network that no machine holds.
REFUSED = "discriminator.hidden=[65536,4096,256]"
# A plan of two methods for `study mine.toml`.
PLAN = """
name = "mine"
title = "Two losses"
seeds = 2
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


def settings_of(recipe: str) -> list[str]:
    """What makes a recipe, by name or file, small: `--set` and a setting, again and again."""
    name = Recipe.load(recipe).generator.kind
    found = (*TINY[name], *TINY_RECIPES.get(recipe, ()), *FEW)
    return [word for setting in found for word in ("--set", setting)]


def run(words: list[str]) -> tuple[int, str]:
    """A command in this process: its status, and what it said."""
    ended = call(*words)
    return ended.status, ended.out + ended.err


class Shelf:
    """What pages take for granted, each made when it is first asked for.

    Args:
        folder: to keep it in.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.done: set[str] = set()  # commands that any page has run, on nothing but this
        self.imported: dict[tuple[str, ...], Path] = {}  # by source and options

    def give(self, name: str, verb: str) -> Path | None:
        """The file or folder that a page calls `name`; None for what it is no name of.

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
        return None


def _photographs(shelf: Shelf, path: Path) -> None:
    """Portraits of nobody, in which faces can be found."""
    path.mkdir()
    for n in range(PHOTOGRAPHS):
        cv2.imwrite(str(path / f"{n:04}.png"), portrait(n, 96)[:, :, ::-1])


def _photograph(shelf: Shelf, path: Path) -> None:
    path.write_bytes(cv2.imencode(".jpg", portrait(1000, 256)[:, :, ::-1])[1].tobytes())


def _lfw(shelf: Shelf, path: Path) -> None:
    photographs = shelf.give("photographs", "")
    assert photographs is not None
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
    source, labels = shelf.give("lfw.tgz", ""), shelf.give("lfw-attributes.csv", "")
    words = ["data", "import", str(source), str(path), "--resolution", "32"]
    status, said = run([*words, "--labels", str(labels)])
    assert status == 0, said


def _trained(shelf: Shelf, path: Path, recipe: str = "dcgan") -> None:
    faces = shelf.give("faces", "")
    words = ["train", recipe, "--data", str(faces), "--run", str(path), "--budget", "16img"]
    status, said = run([*words, *settings_of(recipe), "--set", "data.labels=all"])
    assert status == 0, said


def _older(shelf: Shelf, path: Path) -> None:
    _trained(shelf, path, "ignm-cpu")


def _generator(shelf: Shelf, path: Path) -> None:
    trained = shelf.give("runs/a", "")
    assert trained is not None
    found = max(trained.glob("checkpoints/*/generator.safetensors"))
    shutil.copy(found, path)


def _mine(shelf: Shelf, path: Path) -> None:
    if path.name.endswith("study"):
        small = [word for word in settings_of("dcgan") if word != "--set"]
        path.write_text(PLAN.format(settings=", ".join(f'"{word}"' for word in small)), "utf-8")
    else:
        path.write_text(run(["recipes", "show", "dcgan"])[1], "utf-8")


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
    (r"limits\.txt", _limits),
    (r"scripts", _checkout("scripts")),
    (r"examples", _checkout("examples")),
)  # fmt: skip


class Reader:
    """Types the commands of a page in the current folder.

    Args:
        shelf: what the page takes for granted.
    """

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.needed: set[str] = set()  # of SMALLER
        self.given: set[str] = set()
        self._runs: dict[str, str] = {}

    def read(self, page: Path) -> None:
        """Type every command of a page, in its order. Fails with the first that does."""
        for command in commands(page):
            try:
                said = self.type(command.words)
                if into := re.search(r"> (\S+)", command.line.split("#")[0]):
                    self.keep(said, command.words, Path(into[1]))
            except AssertionError as error:
                raise AssertionError(f"{command}\n{error}") from None

    def small(self, words: list[str]) -> list[str]:
        """The command at a size that fits."""
        line = shlex.join(words) if any(" " in word for word in words) else " ".join(words)
        for pattern, instead in SMALLER:
            line, found = re.subn(pattern, instead, line)
            if found:
                self.needed.add(pattern)
        return shlex.split(line) if "'" in line else line.split()

    def type(self, words: list[str]) -> str:
        """Run a command, made small, and say what it said. Fails where the command does."""
        words = self.small(words)
        self._give(words)
        self._clear(words)
        if words[0] == "train":
            # What the page sets comes last, and counts.
            words = [*words[:2], "--log", "none", *settings_of(words[1]), *words[2:]]
        key = shlex.join(words)
        once = words[0] in ("study", "doctor", "report") and "--show" not in words
        if once and "mine.toml" not in words and not self._own(words):
            if key in self.shelf.done:
                return ""
            self.shelf.done.add(key)
        importing = None
        if words[:2] == ["data", "import"]:
            importing = (str(Path(words[2]).resolve()), *words[4:])
            if importing in self.shelf.imported:
                shutil.copytree(self.shelf.imported[importing], words[3])
                return ""
        status, said = run(words)
        assert (status == 0) is (REFUSED not in words), f"facegan {key}\n{said}"
        assert "Traceback" not in said, f"facegan {key}\n{said}"
        if importing is not None:
            kept = self.shelf.folder / f"imported-{len(self.shelf.imported)}"
            self.shelf.imported[importing] = Path(shutil.copytree(words[3], kept))
        return said

    def keep(self, said: str, words: list[str], path: Path) -> None:
        """Write what a command printed into a file, as `>` does."""
        assert tomllib.loads(said)
        if words[0] == "study":  # a plan that fits stands in for the one that the page prints
            given = self.shelf.give(path.name, "study")
            assert given is not None
            said = given.read_text("utf-8")
        path.write_text(said, "utf-8")

    def _own(self, words: list[str]) -> bool:
        """Whether a command is about what the page has made itself."""
        return any(Path(word).exists() and word not in self.given for word in words)

    def _give(self, words: list[str]) -> None:
        """Whatever the command reads and the page has not made."""
        written = {"--run", "--out", "--html", "--onnx", "--figures"}
        for place, word in enumerate(words):
            if words[place - 1] in written or self._target(words) == place:
                continue
            name = word.split("/")[0] if word.startswith(("scripts/", "examples/")) else word
            if words[place - 1] == "--data":
                name = name.rpartition("=")[2]  # a study's dataset, by its name in the plan
            self.give(name.rstrip("/"), words[0])

    def give(self, name: str, verb: str = "") -> None:
        """Put what a page calls `name` into the current folder, if it is a name of something."""
        kept = self.shelf.give(name, verb)
        if kept is None or Path(name).exists():
            return
        self.given.add(name)
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
            self.given.discard(place)
            if Path(place).is_symlink() or Path(place).is_file():
                Path(place).unlink()
            elif Path(place).is_dir():
                shutil.rmtree(place)
