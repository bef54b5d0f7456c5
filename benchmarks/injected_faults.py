"""Let file operations of real commands fail, and see that nothing is lost and nothing is silent.

Each command runs many times in a process of its own. At its k-th file operation that process is
killed, or loses all that was not synced (a power cut), or is told that the disk is full or broken.
Then the same command runs again, undisturbed: the folder must be the same to the last byte as if
nothing had happened, with nothing half-written in it. An error must say what to do; what goes on
must end the same, or say what is missing. A traceback, a difference or a silent loss ends this
with status 1.

    python benchmarks/injected_faults.py --faults 1200

Linux alone. The processes are forks of this one, so a fault costs no start-up.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from faulty_disk import FAULTS, FaultyDisk
from forked import command_line, fork, lighter, plain_feature_space, run, without_pages
from PIL import Image

_SET = (
    "training.batch=4",
    "training.ticks=2",
    "training.snapshots=2",
    "training.precision=fp32",
    "generator.hidden=[8]",
    "generator.latent.size=4",
    "discriminator.hidden=[8]",
    "evaluation.times=1",
    "evaluation.extractor=plain",
    "evaluation.n=50",
    "evaluation.n_real=50",
)
_SETTINGS = [word for each in _SET for word in ("--set", each)]
_QUIET = ("--log", "none", "--threads", "1")
TRAIN = ["train", "gan", "--data", "pk", "--run", "r", "--budget", "16img", *_SETTINGS, *_QUIET]
EVALUATE = [
    *("evaluate", "r", "--data", "pk", "-n", "50"),
    *("--extractor", "plain", "--no-copying", "--no-faces"),
]
PACK = ["models", "pack", "r", "--name", "tiny", "--out", "tiny.safetensors", "--data", "pk"]


@dataclass(frozen=True)
class Command:
    """A command that is disturbed.

    Attributes:
        name: in the table.
        words: of the command line.
        share: how many of the faults meet it, relative to the others: fewer where it takes longer.
        before: command lines that make what it needs.
        prepare: changes the folder after those.
    """

    name: str
    words: list[str]
    share: float
    before: tuple[list[str], ...] = ()
    prepare: Callable[[Path], None] = lambda folder: None


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit status, or minus a signal; what it said; its operations."""

    status: int
    said: str
    operations: int


@dataclass
class Found:
    """What became of the faults of one command."""

    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def main() -> None:
    """Try all commands and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faults", type=int, default=1200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="one command, by its name in the table")
    options = parser.parse_args()
    chosen = [each for each in commands() if options.only in (None, each.name)]
    begun = time.perf_counter()
    found = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        bench = Bench(folder)
        for each in chosen:
            share = each.share / sum(every.share for every in chosen)
            found[each.name] = bench.disturb(each, round(options.faults * share), options.seed)
            print(f"{each.name}: {dict(found[each.name].counts)}", file=sys.stderr, flush=True)
            print(*found[each.name].wrong, sep="\n", file=sys.stderr, flush=True)
    print(table(found))
    print(f"\n{time.perf_counter() - begun:,.0f} s")
    wrong = [f"{name}: {line}" for name, each in found.items() for line in each.wrong]
    if wrong:
        sys.exit("\n".join(wrong))


def table(found: dict[str, Found]) -> str:
    """As Markdown."""
    columns = ("killed", "power cut", "error with its hint", "went on", "traceback", "differed")
    lines = [f"| command | faults | {' | '.join(columns)} |", "|---|" + "---:|" * 7]
    for name, each in found.items():
        cells = [each.counts[column] for column in ("faults", *columns)]
        lines.append(f"| {name} | {' | '.join(f'{cell:,}' for cell in cells)} |")
    whole: Counter[str] = Counter()
    for each in found.values():
        whole += each.counts
    cells = [whole[column] for column in ("faults", *columns)]
    return "\n".join([*lines, f"| all | {' | '.join(f'{cell:,}' for cell in cells)} |"])


def commands() -> list[Command]:
    """All that are disturbed."""
    data = ["data", "portraits", "pk", "-n", "120", "--resolution", "16"]
    run = (data, TRAIN)
    # A model's card has its scores, of 1,000 pictures at least.
    many = ["data", "portraits", "pk", "-n", "2400", "--resolution", "16"]
    measured = (many, TRAIN, [*EVALUATE, "-n", "1000"])
    return [
        Command(
            "data import",
            ["data", "import", "source", "out", "--resolution", "16"],
            24,
            prepare=_pictures,
        ),
        Command("data export", ["data", "export", "pk", "pk.zip"], 26, (data,)),
        Command("data filter", ["data", "filter", "pk", "out", "--keep", "Smiling>0"], 16, (data,)),
        Command("generate", ["generate", "r", "--out", "faces", "-n", "4"], 16, run),
        Command("models pack", PACK, 4, measured),
        Command("models install", ["models", "install", "tiny.safetensors"], 20, (*measured, PACK)),
        Command(
            "models export",
            ["models", "export", "tiny.safetensors", "--out", "hub"],
            16,
            (*measured, PACK),
            _notes,
        ),
        Command("train", TRAIN, 5, (data,)),
        Command("train, going on", TRAIN, 5, run, _back_to_the_first_checkpoint),
        Command(
            "evaluate",
            EVALUATE,
            1.6,
            run,
            lambda folder: shutil.rmtree(folder / "cache"),
        ),
        Command("report", ["report", "r"], 1, run),
    ]


class Bench:
    """Runs commands in processes of their own, always in a folder of the same name.

    Args:
        folder: for all files.
    """

    def __init__(self, folder: Path) -> None:
        self._disk, self._starts = folder / "disk", folder / "starts"
        self._said = folder / "said"
        self._ready: dict[str, Path] = {}
        os.environ |= {
            "FACEGAN_CACHE": str(self._disk / "cache"),
            "FACEGAN_HOME": str(self._disk / "home"),
            "OMP_NUM_THREADS": "1",
            "COLUMNS": "100",
        }

    def disturb(self, command: Command, faults: int, seed: int = 0) -> Found:
        """Let so many faults meet a command, of each kind as many.

        Args:
            command: which.
            faults: over all kinds; fewer where it has fewer operations.
            seed: of what is left to chance.
        """
        start = self._start(command)
        self._put(start)
        once = self.life(command.words, first=True)
        assert once.status == 0, once.said
        expected = digest(self._disk)
        repeated = self.life(command.words).status
        found = Found()
        for fault in FAULTS:
            self._put(start)
            counted = self.life(command.words, fault)
            if different := _differing(digest(self._disk), expected):
                found.wrong.append(f"undisturbed, it differs each time: {different}")
                found.counts["differed"] += 1
            points = list(range(1, counted.operations + 1))
            random.Random(f"{seed} {command.name} {fault}").shuffle(points)
            wanted = math.ceil(faults / len(FAULTS))
            for number, at in enumerate((points * wanted)[:wanted]):
                self._put(start)
                self._one(command, fault, at, seed + number, expected, repeated, once.said, found)
        return found

    def _one(
        self,
        command: Command,
        fault: str,
        at: int,
        seed: int,
        expected: dict[str, str],
        repeated: int,
        usually: str,
        found: Found,
    ) -> None:
        counts, where = found.counts, f"{fault} at operation {at}, seed {seed}"
        ended = self.life(command.words, fault, at, seed)
        counts["faults"] += 1
        if "Traceback" in ended.said:
            counts["traceback"] += 1
            found.wrong.append(f"{where}: {ended.said[-1500:]}")
        if ended.status == -signal.SIGKILL:
            counts["killed" if fault == "kill" else fault] += 1
        elif ended.status == 0:
            counts["went on"] += 1
            # What is hidden is nobody's result; the next command removes it, as is seen below.
            different = [
                each for each in _differing(digest(self._disk), expected) if not hidden(each)
            ]
            if different and _more_said(ended.said, usually):
                return  # it is another result, and said so
            if different:
                counts["differed"] += 1
                found.wrong.append(f"{where}: went on without a word, and differs: {different}")
        elif _with_a_hint(ended.said):
            counts["error with its hint"] += 1
        else:
            counts["differed"] += 1
            found.wrong.append(f"{where}: {ended.status} without what to do: {ended.said[-500:]}")
        again = self.life(command.words)
        different = _differing(digest(self._disk), expected)
        if different or again.status not in (0, repeated):
            counts["differed"] += 1
            found.wrong.append(f"{where}: again ({again.status}) {different}: {again.said[-500:]}")

    def life(
        self,
        words: list[str],
        fault: str = "kill",
        at: int = 0,
        seed: int = 0,
        first: bool = False,
    ) -> Ended:
        """Run a command line in a process of its own.

        Args:
            words: of the command line.
            fault: what ends it, or disturbs it.
            at: which operation; 0 for none.
            seed: of the fault.
            first: whether what it imports is imported here too, so that the next one need not.
        """
        counted = self._said.with_suffix(".json")
        for left in (counted, self._said):
            left.unlink(missing_ok=True)
        disk = FaultyDisk(self._disk, fault, at, seed)
        task = _task(words, disk, counted)
        if first:
            status = run(task, self._said)
        else:
            status = os.waitstatus_to_exitcode(os.waitpid(fork(task, self._said), 0)[1])
        operations = json.loads(counted.read_text()) if counted.exists() else 0
        return Ended(status, self._said.read_text(errors="replace"), operations)

    def _start(self, command: Command) -> Path:
        """The folder as it is before the command."""
        shutil.rmtree(self._disk, ignore_errors=True)
        self._disk.mkdir()
        key = ""
        for words in command.before:
            key += " ".join(words)
            place = self._starts / hashlib.sha256(key.encode()).hexdigest()[:16]
            if place.exists():
                self._put(place)
                continue
            ended = self.life(words, first=True)
            assert ended.status == 0, ended.said
            shutil.copytree(self._disk, place)
        command.prepare(self._disk)
        place = self._starts / command.name
        shutil.copytree(self._disk, place, dirs_exist_ok=True)
        return place

    def _put(self, start: Path) -> None:
        shutil.rmtree(self._disk, ignore_errors=True)
        shutil.copytree(start, self._disk)


def _task(words: list[str], disk: FaultyDisk, counted: Path) -> Callable[[], int]:
    """What a process does: the command line on this disk; then it notes what it counted."""

    def task() -> int:
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 65_536), most))
        os.chdir(disk.root)
        plain_feature_space()
        lighter()
        if words[0] != "report":
            without_pages()
        disk.install()
        status = command_line(words)
        disk.at = 0
        counted.write_text(str(disk.count))
        return status

    return task


def _back_to_the_first_checkpoint(folder: Path) -> None:
    newest = max((folder / "r" / "checkpoints").glob("[0-9]*k"))
    shutil.rmtree(newest)


def _notes(folder: Path) -> None:
    """Something of the user's own, beside which files are put."""
    (folder / "hub").mkdir()
    (folder / "hub" / "NOTES").write_text("mine", "utf-8")


def _pictures(folder: Path) -> None:
    (folder / "source").mkdir()
    for number in range(24):
        values = np.random.default_rng(number).integers(0, 256, (20, 18, 3), np.uint8)
        Image.fromarray(values).save(folder / "source" / f"{number:02}.png")


def digest(folder: Path) -> dict[str, str]:
    """Every file below a folder, hidden ones too, by what is in it; folders that are empty as well.

    Of files that hold seconds, only which moments of the run they tell of.
    """
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_dir():
            found[name] = "folder"
        elif path.name == "timing.jsonl":
            lines = path.read_text("utf-8").splitlines()
            found[name] = str([json.loads(line)["images_seen"] for line in lines])
        elif path.name == "report.html":
            found[name] = "a whole page" if path.read_text("utf-8").endswith("</html>\n") else "cut"
        else:
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def hidden(name: str) -> bool:
    """Whether a path leads through a hidden file or folder: a lock, or what is being written."""
    return any(part.startswith(".") for part in Path(name).parts)


def _differing(found: dict[str, str], expected: dict[str, str]) -> list[str]:
    names = sorted(found.keys() | expected.keys())
    return [name for name in names if found.get(name) != expected.get(name)]


def _with_a_hint(said: str) -> bool:
    """Whether an error is followed by a line that says what to do."""
    lines = [line for line in said.splitlines() if line.strip()]
    errors = [at for at, line in enumerate(lines) if line.lower().startswith("error")]
    return bool(errors) and len(lines) > errors[-1] + 1


def _more_said(said: str, usually: str) -> bool:
    """Whether there is a line that an undisturbed run does not have: a warning, or a count."""
    more = "\n".join(set(said.splitlines()) - set(usually.splitlines())).lower()
    return any(word in more for word in ("cannot be read", "not kept", "damaged", "passed over"))


if __name__ == "__main__":
    main()
