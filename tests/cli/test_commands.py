"""The journeys of a person through the commands, as processes."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from PIL import Image

from facegan.cli import cli
from facegan.recipe import Recipe, recipe_names
from facegan.version import __version__

_TRACE = "Traceback (most recent call last)"
HEAVY = {"torch", "numpy", "cv2", "PIL", "rich", "matplotlib", "pydantic", "safetensors", "jinja2"}
KIMG = 1.6
SMALL = shlex.split(
    f"--budget {KIMG}kimg --set generator.channels=4 --set generator.latent.size=6"
    " --set discriminator.channels=4 --set training.batch=16 --set training.ticks=100"
    " --set training.snapshots=5 --set training.precision=fp32"
)
FINAL = f"checkpoints/{KIMG:010.3f}k"


def paths(command: click.Command = cli, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command's words: (), ("data",), ("data", "import"), …"""
    yield path
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from paths(inner, (*path, name))


# --- help ----------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def helps() -> dict[str, Any]:
    """Each command's help, and what a process that showed them all had imported by then."""
    script = (
        "import contextlib, io, json, sys\n"
        "from facegan.cli import main\n"
        "found = {}\n"
        "for words in json.loads(sys.argv[1]):\n"
        "    sys.argv = ['facegan', *words, '--help']\n"
        "    text = io.StringIO()\n"
        "    with contextlib.redirect_stdout(text), contextlib.suppress(SystemExit):\n"
        "        main()\n"
        "    found[' '.join(words)] = text.getvalue()\n"
        "print(json.dumps([found, sorted(sys.modules)]))\n"
    )
    words = json.dumps(list(paths()))
    ended = subprocess.run([sys.executable, "-c", script, words], capture_output=True, check=True)
    found, modules = json.loads(ended.stdout)
    return {"help": found, "modules": set(modules)}


@pytest.mark.parametrize("words", list(paths()), ids=lambda words: " ".join(words) or "facegan")
def test_help_shows_an_example_that_can_be_typed(helps: dict[str, Any], words: Any) -> None:
    text = helps["help"][" ".join(words)]
    assert text.startswith("Usage: facegan")
    examples = re.findall(r"(?:Example: |^  )facegan (.+?)(?:\s{2,}|$)", text, re.MULTILINE)
    assert examples
    for example in examples:
        arguments = shlex.split(example)
        command: click.Command = cli
        while isinstance(command, click.Group) and arguments:
            command = command.commands[arguments.pop(0)]
        command.make_context("facegan", arguments)


def test_help_imports_nothing_heavy(helps: dict[str, Any]) -> None:
    assert helps["modules"] & HEAVY == set()


def test_version(command: Any, tmp_path: Path) -> None:
    ended = command("--version", cwd=tmp_path)
    assert (ended.status, ended.out) == (0, f"facegan, version {__version__}\n")


# --- recipes -------------------------------------------------------------------------------
def test_recipes_are_listed_with_their_sources(call: Any, tmp_path: Path) -> None:
    ended = call("recipes", cwd=tmp_path)
    assert ended.status == 0
    assert ended.err == ""
    for name in recipe_names():
        assert re.search(rf"^{name} ", ended.out, re.MULTILINE)
    assert "1511.06434" in ended.out.replace("\n", "")
    assert re.search(r"^dcgan .* 3\.58 +2\.77$", ended.out, re.MULTILINE)
    assert "facegan recipes --cost" in " ".join(ended.out.split())
    assert max(map(len, ended.out.splitlines())) <= 80


def test_the_cost_of_a_recipe_is_measured_once(
    call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path))
    monkeypatch.setattr("facegan.training.speed.costs._SECONDS", 0.01)
    words = ("recipes", "--resolution", "16", "--only", "gan")
    first = call(*words, "--cost")
    assert (first.status, first.lines) == (0, ["measuring gan (1 of 1) …"])
    assert re.search(r"^recipe .* s/kimg +img/s$", first.out, re.MULTILINE)
    again = call(*words)
    assert (again.status, again.err, again.out) == (0, "", first.out)


@pytest.mark.parametrize(
    ("words", "fragments"),
    [
        ("--only dcgam", ("no recipe 'dcgam'", "mean 'dcgan'")),
        ("--cost show gan", ("--cost", "leave out 'show'")),
        ("--resolution 0", ("0", "8<=x<=512")),
    ],
)
def test_a_list_that_cannot_be_made_is_refused(
    call: Any, words: str, fragments: tuple[str, ...]
) -> None:
    ended = call("recipes", *shlex.split(words))
    assert (ended.status, ended.out) == (2, "")
    for fragment in fragments:
        assert fragment in ended.err


def test_an_estimate_and_an_impossible_size_are_told_in_words(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from facegan.apps.recipes import Listed
    from facegan.cli.terminal.train import print_recipes
    from facegan.training.speed.costs import Cost, Size

    size = Size(generator=22_430_000, discriminator=22_380_000)
    about = ("a title of some length", "a source " * 20)
    slow = Listed("slow", *about, 256, size, Cost(img_per_s=0.8, batch=16, precision="fp32"))
    unable = Listed("unable", *about, 64, trouble="unable cannot make 48×48 images.")
    print_recipes([slow, unable], 48)
    text = capsys.readouterr().out
    assert re.search(r"^slow .* 22\.43 +22\.38 +~1250 +~0\.80$", text, re.MULTILINE)
    assert re.search(r"^unable .* - +- +- +-$", text, re.MULTILINE)
    assert "estimated from a batch of 16" in " ".join(text.split())
    assert "unable cannot make 48×48 images." in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= 80
    assert "--cost" not in text


@pytest.mark.parametrize("name", recipe_names())
def test_a_shown_recipe_is_a_recipe_file(call: Any, tmp_path: Path, name: str) -> None:
    shown = call("recipes", "show", name, "--set", "training.batch=10")
    assert (shown.status, shown.err) == (0, "")
    file = tmp_path / "mine.toml"
    file.write_text(shown.out, "utf-8")
    again = call("recipes", "show", str(file))
    assert again.out == shown.out
    assert Recipe.load(file) == Recipe.load(name).override("training.batch=10")


# --- from nothing to pictures --------------------------------------------------------------
@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, command: Any) -> Path:
    """A folder with a dataset, `drawn`, and a whole run on it, `whole`."""
    folder = tmp_path_factory.mktemp("home")
    words = shlex.split("data portraits drawn -n 60 --resolution 32")
    drawn = command(*words, cwd=folder)
    assert drawn.status == 0, drawn.err
    assert "60 pictures of 32×32, 54 to train on, 6 held out" in drawn.out
    trained = command(*train("whole"), cwd=folder)
    assert trained.status == 0, trained.err
    assert trained.out == f"Done: {KIMG} kimg in whole.\n"
    return folder


def train(run: str, *more: str) -> list[str]:
    return ["train", "dcgan", "--data", "drawn", "--run", run, *SMALL, *more]


def result(run: Path) -> dict[str, bytes]:
    """What two runs of the same recipe must have in common, to the last byte."""
    files = [run / FINAL / f"{name}.safetensors" for name in ("state", "generator")]
    files += [run / "metrics.jsonl", *sorted((run / "samples").iterdir())]
    return {str(file.relative_to(run)): file.read_bytes() for file in files}


def test_a_dataset_can_be_looked_at(home: Path, call: Any) -> None:
    ended = call("data", "show", "drawn", "--verify", "--out", "sheet.png", cwd=home)
    assert (ended.status, ended.err) == (0, "")
    for fragment in ("CC0-1.0", "no real person", "smile", "Every byte", "sheet.png"):
        assert fragment in ended.out
    assert Image.open(home / "sheet.png").size == (12 * 34 + 2, 5 * 34 + 2)


def test_training_says_what_happens(home: Path) -> None:
    text = (home / "whole/metrics.jsonl").read_text("utf-8")
    lines = [json.loads(line) for line in text.splitlines()]
    assert sum("stage" in line for line in lines) == 100
    assert sum("probe/diversity" in line for line in lines) == 5
    assert lines[-1]["images_seen"] == KIMG * 1000
    assert len(list((home / "whole/samples").iterdir())) == 6
    assert len(list((home / "whole/checkpoints").iterdir())) == 2
    about = json.loads((home / "whole/provenance.json").read_text("utf-8"))
    assert about["execution"]["threads"] == 1
    assert about["dataset"]["name"] == "portraits"


def test_a_finished_run_is_left_as_it_is(
    home: Path, call: Any, content: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    (home / "whole/.lock").touch()  # some systems leave it, some remove it
    before = content(home / "whole")
    ended = call(*train("whole"))
    assert ended.status == 0
    assert "img/s" not in ended.err
    assert ended.out == f"Done: {KIMG} kimg in whole.\n"
    (home / "whole/.lock").touch()
    assert content(home / "whole") == before


def test_pictures_say_that_they_are_generated(home: Path, call: Any) -> None:
    ended = call(*shlex.split("generate whole --out faces -n 5 --seed 7"), cwd=home)
    assert (ended.status, ended.out, ended.err) == (0, "Wrote 5 pictures in faces.\n", "")
    files = sorted((home / "faces").iterdir())
    assert [file.name for file in files] == [f"seed{seed:06}.png" for seed in range(7, 12)]
    faces = [Image.open(file) for file in files]
    for seed, face in enumerate(faces, start=7):
        assert face.size == (32, 32)
        about = face.info
        assert about["DigitalSourceType"].endswith("/trainedAlgorithmicMedia")
        assert about["Comment"].startswith("Generated")
        assert about["Software"] == f"facegan {__version__}"
        assert about["facegan.seed"] == str(seed)
        for fragment in ("recipe: dcgan", f"kimg: {KIMG}", "dataset: portraits", "truncation: 1"):
            assert fragment in about["facegan.model"]
    assert len({face.tobytes() for face in faces}) == 5


def test_a_grid_has_the_same_faces(home: Path, call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the file of the generator, and in another batch."""
    monkeypatch.chdir(home)
    words = f"generate whole/{FINAL}/generator.safetensors --seed 7 -n 40 --grid --columns 8"
    assert call(*shlex.split(f"{words} --out grid.png")).out == "Wrote grid.png.\n"
    sheet = Image.open("grid.png")
    assert sheet.size == (8 * 34 - 2, 5 * 34 - 2)
    assert sheet.info["facegan.seed"] == "7-46"
    assert call(*shlex.split("generate whole --seed 8 -n 1 --out one")).status == 0
    one = np.asarray(Image.open("one/seed000008.png"))
    assert np.array_equal(np.asarray(sheet)[:32, 34:66], one)
    assert call(*shlex.split("generate whole --seed 8 -n 1 --truncation 0.5 --out one")).status == 0
    half = Image.open("one/seed000008.png")
    assert "truncation: 0.5" in half.info["facegan.model"]
    assert not np.array_equal(np.asarray(half), one)


def test_a_generator_makes_a_dataset_to_train_on(home: Path, call: Any) -> None:
    """With labels: ask for them, mix the pictures in, look at them."""
    labels = ("--set", "data.labels=['Smiling']", "--budget", "64img")
    assert call(*train("smiling"), *labels, cwd=home).status == 0
    words = "generate smiling --dataset -n 40 --out made --label smiling=1 --holdout 0.1"
    ended = call(*shlex.split(words), cwd=home)
    assert (ended.status, ended.out, ended.err) == (0, "Wrote made.\n", "")
    shown = call("data", "show", "made", "--verify", cwd=home)
    assert shown.status == 0, shown.err
    for fragment in ("generated-by-dcgan", "generated: labels: Smiling", "not photographs"):
        assert fragment in " ".join(shown.out.split())
    mix = ("--mix", "made", "--set", "data.mix=[0.5]", "--from", "smiling")
    ended = call(*train("mixed"), *labels, *mix, cwd=home)
    assert ended.status == 0, ended.err
    assert "From smiling: generator: " in ended.err
    page = (home / "mixed/report.html").read_text("utf-8")
    assert "--mix MIXED-1 --from smiling" in page


def test_grey_pictures_from_a_zip(
    tmp_path: Path, call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Import with labels, train, generate: all of it in one channel."""
    import zipfile

    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    with zipfile.ZipFile("mine.zip", "w") as archive:
        for i in range(12):
            pixels = random.integers(0, 256, (40, 40, 3), np.uint8)
            with archive.open(f"{i}.png", "w") as file:
                Image.fromarray(pixels).save(file, "PNG")
        archive.writestr("notes.txt", "not a picture")
    rows = "".join(f"{i}.png,{i % 2}\n" for i in range(12))
    Path("labels.csv").write_text(f"file,smile\n{rows}")
    words = "data import mine.zip mine --resolution 32 --crop 36 --grey --labels labels.csv"
    imported = call(*shlex.split(words), "--licence", "my own", "--labels-note", "by chance")
    assert imported.status == 0, imported.err
    assert "12 pictures of 32×32" in imported.out
    assert "text, not used" in imported.out
    shown = call("data", "show", "mine").out
    for fragment in ("my own", "by chance", "smile"):
        assert fragment in shown
    words = "train dcgan --data mine --run run --device cpu"
    trained = call(*shlex.split(words), *SMALL, "--budget", "64img")
    assert trained.status == 0, trained.err
    assert call(*shlex.split("generate run --out face -n 1")).status == 0
    assert Image.open("face/seed000000.png").mode == "L"


def test_a_dry_run_writes_nothing(
    home: Path, call: Any, content: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = content(home)
    words = ["train", "dcgan", "--data", "drawn", "--dry-run", *SMALL]
    monkeypatch.setattr("facegan.training.speed.costs._SECONDS", 0.2)
    ended = call(*words, cwd=home)
    assert (ended.status, ended.err) == (0, "")
    toml, rest = ended.out.split("\n\ngenerator ")
    recipe = Recipe.parse(toml)
    assert recipe.generator.channels == 4
    assert recipe.training.budget == f"{KIMG}kimg"
    for form in (
        r"^\s*[0-9,]{4,} parameters",
        r"^discriminator +[0-9,]{4,} parameters",
        r"^computes on +device cpu, .*precision fp32",
        r"^peak memory +[0-9,]{2,} MiB",
        r"^speed +[0-9]+ img/s",
        rf"^would train +{KIMG} kimg in [0-9]+:[0-9]{{2}}, plus 5 snapshots",
    ):
        assert re.search(form, rest, re.MULTILINE), (form, rest)
    assert content(home) == before


def test_a_profile_says_where_a_step_goes_and_writes_nothing(
    home: Path, call: Any, content: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facegan.apps.profile._SECONDS", 0.2)
    before = content(home)
    words = ["train", "dcgan", "--data", "drawn", "--profile", "--threads", "1", *SMALL]
    ended = call(*words, cwd=home)
    assert (ended.status, ended.err) == (0, "")
    for form in (
        r"^dcgan: [0-9.,]+ img/s, a step of 16 images in [0-9.,]+ ms on .*fp32, 1 thread",
        r"^Ceilings, measured now: matrix product [0-9.]+ [GT]FLOP/s \(fp32\), copy",
        r"^convolutions, matrix products +[0-9.,]+ +[0-9.]+%",
        r"^between operators ",
    ):
        assert re.search(form, ended.out, re.MULTILINE), (form, ended.out)
    assert content(home) == before


def test_a_run_has_its_page(home: Path, call: Any) -> None:
    ended = call("report", "whole", cwd=home)
    assert ended.status == 0, ended.err
    assert "<html" in (home / "whole/report.html").read_text("utf-8")


# --- interrupted ---------------------------------------------------------------------------
def journal_length(run: Path) -> int:
    file = run / "metrics.jsonl"
    return file.read_bytes().count(b"\n") if file.exists() else 0


def wait_until(process: subprocess.Popen[str], reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 600
    while not reached():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)


def assert_saved(ended: Any, run: Path, total: float = KIMG) -> float:
    """That an interrupted run says where it stands, and stands there. Returns that, in kimg."""
    assert _TRACE not in ended.err, ended.err
    assert ended.out == ""
    form = rf"^Saved at ([0-9.]+) of {total:g} kimg. Run the same command again to go on.$"
    said = re.findall(form, ended.err, re.MULTILINE)
    assert len(said) == 1, ended.err
    last = max(path.name for path in (run / "checkpoints").iterdir())
    assert last == f"{float(said[0]):010.3f}k"
    assert round(float(said[0]) * 1000) % 16 == 0
    return float(said[0])


@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGKILL", -9)])
def test_interrupted_and_continued(
    home: Path,
    start: Any,
    held: Any,
    wait: Any,
    call: Any,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    status: int,
) -> None:
    """The same command again, and the run ends with the same bytes as if nothing had been."""
    monkeypatch.chdir(home)
    run = home / name
    process = start(*train(name), cwd=home, hold=27 if name == "SIGKILL" else 4)
    with held(process, run):
        process.send_signal(signal.Signals[name])
    ended = wait(process)
    assert ended.status == status, ended.err
    assert journal_length(run) < 100
    if name != "SIGKILL":
        begun = assert_saved(ended, run)
    again = call(*train(name))
    assert again.status == 0, again.err
    going_on = re.search(r"Going on from ([0-9.]+) kimg", again.err)
    assert going_on
    assert float(going_on[1]) == (begun if name != "SIGKILL" else KIMG / 5)
    assert again.out == f"Done: {KIMG} kimg in {name}.\n"
    assert result(run) == result(home / "whole")
    assert [path.name for path in run.rglob("*.part")] == []


def test_a_larger_budget_goes_on_beyond_the_end(
    home: Path, call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    assert call(*train("longer"), "--budget", "64img", "--log", "none").status == 0
    words = (*train("longer"), "--budget", "128img", "--extend", "stretch", "--log", "none")
    ended = call(*words)
    assert ended.status == 0, ended.err
    assert ended.out == "Done: 0.128 kimg in longer.\n"
    assert "0.064 → 0.128 kimg; schedules are stretched" in ended.err
    again = call(*words)
    assert again.out == ended.out
    assert "Extended" not in again.err
    (done,) = json.loads(Path("longer/provenance.json").read_text("utf-8"))["extensions"]
    assert (done["images_seen"], done["images"], done["schedules"]) == (64, 128, "stretch")
    assert not Path("longer/tensorboard").exists()


def test_two_processes_stop_and_go_on(home: Path, start: Any, held: Any, wait: Any) -> None:
    """SIGTERM to the command; the same again; then Ctrl-C, which reaches the whole group."""
    run, words = home / "two", train("two", "--processes", "2", "--budget", "480img")
    process = start(*words, cwd=home, hold=3)
    with held(process, run):
        process.send_signal(signal.SIGTERM)
    ended = wait(process)
    assert ended.status == 143, ended.err
    first = assert_saved(ended, run, 0.48)
    process = start(*words, cwd=home, hold=journal_length(run) + 3)
    with held(process, run):
        os.killpg(process.pid, signal.SIGINT)
    ended = wait(process)
    assert ended.status == 130, ended.err
    second = assert_saved(ended, run, 0.48)
    assert second > first
    assert ended.err.count(f"Going on from {first:g} kimg.") == 1
    lines = [json.loads(line) for line in (run / "metrics.jsonl").open()]
    seen = [line["images_seen"] for line in lines if "stage" in line]
    assert len(seen) == len(set(seen)) == round(second * 1000) // 16
    about = json.loads((run / "provenance.json").read_text("utf-8"))["execution"]
    assert about["world"] == 2


def test_processes_say_things_once(home: Path, command: Any) -> None:
    ended = command("train", "gan", "--data", "drawn", "--processes", "2", cwd=home)
    assert ended.status == 2
    assert ended.err.count("Missing option '--run'") == 1


def test_a_lost_process_ends_the_others_in_a_sentence(
    home: Path, start: Any, wait: Any, command: Any
) -> None:
    words = train("lost", "--processes", "2", "--budget", "4kimg")
    process = start(*words, cwd=home)
    journal = home / "lost" / "metrics.jsonl"
    while not journal.exists():
        assert process.poll() is None
        time.sleep(0.05)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    second = next(
        int(child)
        for child in children
        if b"RANK=1\0" in Path(f"/proc/{child}/environ").read_bytes()
    )
    os.kill(second, signal.SIGKILL)
    ended = wait(process)
    assert ended.status not in (0, 2)
    assert "Process 2 of 2 was ended by SIGKILL" in ended.err
    assert "Traceback" not in ended.err
    assert "Run the same command again" in ended.err


@pytest.mark.parametrize("words", ["train gan --data drawn --run", "generate --out", "report"])
def test_an_empty_path_is_no_path(home: Path, call: Any, content: Any, words: str) -> None:
    """As of a variable that is not set: it would mean the current folder."""
    before = sorted(home.iterdir())
    ended = call(*words.split(), "", cwd=home)
    assert ended.status == 2
    assert "empty" in ended.err
    assert sorted(home.iterdir()) == before


def test_a_pipe_that_closes_ends_no_run(home: Path, start: Any) -> None:
    process = start(*train("unheard", "--budget", "320img"), cwd=home)
    process.stderr.close()
    process.stdout.close()
    process.wait()
    last = sorted((home / "unheard" / "checkpoints").iterdir())[-1]
    whole = command_budget(home / "unheard")
    assert last.name == f"{whole / 1000:010.3f}k"


def command_budget(run: Path) -> int:
    return int(json.loads((run / "provenance.json").read_text())["plan"]["images"])


def test_processes_give_up_together(home: Path, command: Any) -> None:
    """Where the first one cannot go on, the others end without a word."""
    ended = command(*train("drawn/dataset.json", "--processes", "2"), cwd=home)
    assert ended.status == 1
    assert ended.err.count("in the way") == 1
    assert len(ended.lines) <= 4, ended.err


def test_a_plain_terminal(home: Path, command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that cannot show every character gets another one instead."""
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    ended = command(*shlex.split("data portraits plain -n 4 --resolution 32"), cwd=home)
    assert ended.status == 0, ended.err
    assert "4 pictures of 32" in ended.out


def test_ctrl_c_while_drawing_leaves_nothing(home: Path, start: Any, wait: Any) -> None:
    process = start(*shlex.split("data portraits large -n 100000 --resolution 64"), cwd=home)
    wait_until(process, lambda: bool(list(home.glob(".large.partial-*/images.npy"))))
    process.send_signal(signal.SIGINT)
    ended = wait(process)
    assert [path.name for path in home.iterdir() if "large" in path.name] == []
    assert _TRACE not in ended.err
    assert ended.status == 130
    assert ended.err.lstrip() == "Interrupted; nothing half-written was left behind.\n"
