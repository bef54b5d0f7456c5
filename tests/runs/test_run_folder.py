"""A run's folder: what it refuses, what it cleans up, what it never finds."""

from __future__ import annotations

import contextlib
import json
import random
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from facegan.apps.train import train
from facegan.disk import exchange
from facegan.errors import FaceganError, RunError, StorageError
from facegan.files import new_folder, sha256, write_bytes, write_json
from facegan.models.file import GeneratorFile
from facegan.runs import checkpoint
from facegan.runs.best import Best, keep_best, read_best
from facegan.runs.checkpoint import folder_name, latest
from facegan.runs.directory import RunDirectory
from facegan.runs.find import find_generator
from facegan.runs.journal import Journal, trained_to
from facegan.runs.reading import read

Make = Callable[..., Any]


@pytest.fixture
def begun(tiny: Make, watcher: Any, dataset_path: Path, tmp_path: Path) -> tuple[Any, Path]:
    """A recipe and a run of it, stopped at 72 of 192 images."""
    recipe = tiny("gan")
    train(recipe, dataset_path, tmp_path / "run", reporter=watcher(72))
    return recipe, tmp_path / "run"


def test_what_a_run_leaves_behind(begun: tuple[Any, Path], dataset_path: Path) -> None:
    recipe, path = begun
    run = RunDirectory(path)
    assert run.recipe() == recipe
    assert [p.name for p in sorted(run.samples.iterdir())] == ["000000.000k.png", "000000.064k.png"]
    assert [p.name for p in sorted(run.checkpoints.iterdir())] == ["000000.064k", "000000.072k"]
    about = run.provenance()
    card = json.loads((dataset_path / "dataset.json").read_text("utf-8"))
    assert about["dataset"]["fingerprint"] == card["fingerprint"]
    assert about["dataset"]["licence"] == "CC0-1.0"
    assert about["plan"]["images"] == 192
    assert about["execution"]["precision"] == "fp32"
    assert about["packages"]["torch"] == torch.__version__.split("+")[0] or torch.__version__
    assert [line["images_seen"] for line in run.metrics.lines() if "stage" in line] == [32, 64]


def test_another_recipe_is_refused_with_the_difference(
    begun: tuple[Any, Path], watcher: Any, dataset_path: Path
) -> None:
    recipe, path = begun
    changed = recipe.override("training.batch=16", "method.loss=hinge")
    before = sorted(p.name for p in path.rglob("*"))
    with pytest.raises(RunError) as caught:
        train(changed, dataset_path, path, reporter=watcher())
    assert "training.batch: 8 → 16" in caught.value.message
    assert "method.loss: non_saturating → hinge" in caught.value.message
    assert "`run`" in caught.value.hint
    assert sorted(p.name for p in path.rglob("*")) == before


def test_another_dataset_is_refused(
    begun: tuple[Any, Path], watcher: Any, other_dataset_path: Path
) -> None:
    recipe, path = begun
    with pytest.raises(RunError, match="another dataset"):
        train(recipe, other_dataset_path, path, reporter=watcher())


def test_two_processes_cannot_train_in_one_folder(
    begun: tuple[Any, Path], watcher: Any, dataset_path: Path
) -> None:
    recipe, path = begun
    with RunDirectory(path).locked(), pytest.raises(RunError, match="in use by another"):
        train(recipe, dataset_path, path, reporter=watcher())
    assert train(recipe, dataset_path, path, reporter=watcher()).finished


def test_other_conditions_are_kept_or_said(
    begun: tuple[Any, Path], watcher: Any, dataset_path: Path
) -> None:
    recipe, path = begun
    provenance = RunDirectory(path).provenance()
    provenance["execution"]["device_name"] = "ANOTHER"
    write_json(path / "provenance.json", provenance)
    watch = watcher()
    train(recipe, dataset_path, path, reporter=watch)
    assert "device_name: ANOTHER → " in watch.said[0]
    assert "bit for bit" in watch.said[0]


def test_what_killed_writers_left_is_removed(
    begun: tuple[Any, Path], watcher: Any, dataset_path: Path
) -> None:
    recipe, path = begun
    (path / ".recipe.toml.1.part").write_text("half")
    half = path / "checkpoints" / ".000000.080k.1.part"
    half.mkdir()
    (half / "state.safetensors").write_bytes(b"half")
    (path / "samples" / ".000000.080k.png.1.part").write_bytes(b"half")
    mine = path / "notes.part"
    mine.write_text("the user's own")
    train(recipe, dataset_path, path, reporter=watcher())
    assert list(path.rglob("*.part")) == [mine]


def test_an_unfinished_checkpoint_is_never_found(begun: tuple[Any, Path]) -> None:
    _, path = begun
    folder = path / "checkpoints"
    with suppress(KeyboardInterrupt), new_folder(folder / folder_name(80_000)) as beside:
        (beside / "manifest.json").write_text("{}")
        assert latest(folder).images_seen == 72
        raise KeyboardInterrupt
    assert latest(folder).images_seen == 72
    assert [p.name for p in sorted(folder.iterdir())] == ["000000.064k", "000000.072k"]


def test_a_foreign_folder_among_the_checkpoints_is_no_harm(begun: tuple[Any, Path]) -> None:
    _, path = begun
    (path / "checkpoints" / "old ones").mkdir()
    (path / "checkpoints" / "999999.000k").write_text("a file")
    assert latest(path / "checkpoints").images_seen == 72


def test_a_folder_that_is_not_a_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="does not exist"):
        RunDirectory(tmp_path / "absent").require()
    with pytest.raises(RunError, match=r"has no recipe\.toml"):
        RunDirectory(tmp_path).recipe()


def test_checkpoints_of_an_unknown_recipe_are_not_taken_over(
    begun: tuple[Any, Path], watcher: Any, dataset_path: Path
) -> None:
    """A folder without recipe.toml has not begun: whatever lies in it is not this run's."""
    recipe, path = begun
    (path / "recipe.toml").unlink()
    watch = watcher()
    try:
        train(recipe.override("training.seed=5"), dataset_path, path, reporter=watch)
    except FaceganError:
        return  # to refuse is as good
    assert watch.steps[0][0] == 8, "it went on from another run's weights"


def test_a_file_in_the_way(tiny: Make, watcher: Any, dataset_path: Path, tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file")
    with pytest.raises(StorageError, match="run cannot be written"):
        train(tiny("gan"), dataset_path, tmp_path / "run", reporter=watcher())


@pytest.mark.parametrize("broken", ["", "{", "[]", "{}"])
def test_a_broken_provenance_is_named(
    begun: tuple[Any, Path], watcher: Any, dataset_path: Path, broken: str
) -> None:
    recipe, path = begun
    (path / "provenance.json").write_text(broken, "utf-8")
    with pytest.raises(RunError, match="provenance"):
        train(recipe, dataset_path, path, reporter=watcher())


@given(st.lists(st.integers(0, 999_999_999), min_size=2, unique=True))
def test_folder_names_sort_as_the_numbers(images: list[int]) -> None:
    assert sorted(images) == sorted(images, key=folder_name)
    assert len({folder_name(n) for n in images}) == len(images)


def test_the_newest_checkpoint_is_found_beyond_a_billion_images(tmp_path: Path) -> None:
    for images in (999_999_936, 1_000_000_000):
        folder = tmp_path / folder_name(images)
        folder.mkdir()
        sums = {}
        for name in (checkpoint.STATE, checkpoint.GENERATOR):
            (folder / name).write_bytes(b"x")
            sums[name] = sha256(folder / name)
        manifest = {"images_seen": images, "sha256": sums, "extra": {}}
        (folder / "manifest.json").write_text(json.dumps(manifest))
    found = latest(tmp_path)
    assert found is None or found.images_seen == 1_000_000_000


def test_a_full_disk_leaves_the_checkpoints_as_they_were(
    begun: tuple[Any, Path], watcher: Any, dataset_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, path = begun

    def full(*args: Any, **kwargs: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StorageError, match="No room left while writing"):
        train(recipe, dataset_path, path, reporter=watcher(80))
    monkeypatch.undo()
    assert [p.name for p in sorted((path / "checkpoints").iterdir())] == [
        "000000.064k",
        "000000.072k",
    ]
    assert latest(path / "checkpoints").images_seen == 72


def test_save_keeps_the_newest(tmp_path: Path, begun: tuple[Any, Path]) -> None:
    from facegan.models.file import GeneratorFile
    from facegan.runs.find import find_generator

    file = GeneratorFile.load(find_generator(begun[1]))
    for images in (1000, 2500, 10_000):
        checkpoint.save(
            tmp_path / "c", images, {"a": torch.tensor([images])}, file, {"x": 0.1}, keep=2
        )
    assert [p.name for p in sorted((tmp_path / "c").iterdir())] == ["000002.500k", "000010.000k"]
    found = latest(tmp_path / "c")
    assert (found.images_seen, found.extra) == (10_000, {"x": 0.1})
    assert found.tensors()["a"].tolist() == [10_000]


def test_write_bytes_replaces_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "new" / "file"
    write_bytes(file, b"old")
    monkeypatch.setattr("os.fsync", lambda descriptor: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(StorageError):
        write_bytes(file, b"new")
    assert file.read_bytes() == b"old"
    assert list(file.parent.iterdir()) == [file]


class TestJournal:
    def test_a_line_cut_short_is_left_out(self, tmp_path: Path) -> None:
        journal = Journal(tmp_path / "j.jsonl")
        assert journal.lines() == []
        for images in (8, 16):
            journal.append({"images_seen": images, "loss": 0.1 + images})
        with journal.path.open("a") as file:
            file.write('{"images_seen": 24, "lo')
        assert [line["images_seen"] for line in journal.lines()] == [8, 16]

    def test_rewind_keeps_the_bytes_of_what_stays(self, tmp_path: Path) -> None:
        journal = Journal(tmp_path / "j.jsonl")
        for images in (8, 16):
            journal.append({"images_seen": images, "loss": 1 / images, "small": 5e-324})
        kept = journal.path.read_bytes()
        journal.append({"images_seen": 24, "loss": 0.0})
        with journal.path.open("ab") as file:
            file.write(b'{"images_seen": 32, "\xff')
        journal.rewind(16)
        assert journal.path.read_bytes() == kept
        journal.append({"images_seen": 24, "loss": 1.0})
        assert len(journal.lines()) == 3
        journal.rewind(0)
        assert journal.lines() == []

    def test_a_torn_line_swallows_no_later_one(self, tmp_path: Path) -> None:
        journal = Journal(tmp_path / "j.jsonl")
        journal.append({"images_seen": 8})
        with journal.path.open("a") as file:
            file.write('{"images_seen": 16, "lo')
        journal.append({"images_seen": 24}, durable=True)
        assert [line["images_seen"] for line in journal.lines()] == [8, 24]

    def test_a_line_that_finds_no_room_leaves_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        journal = Journal(tmp_path / "j.jsonl")
        journal.append({"images_seen": 8})
        before = journal.path.read_bytes()
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 10, limits[1]))
        try:
            with pytest.raises(StorageError, match="No room"):
                journal.append({"images_seen": 16, "loss": [0.5] * 100})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, handler)
        assert journal.path.read_bytes() == before

    def test_a_line_that_does_not_reach_the_disk_leaves_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An error means that it is not there: the same command may write it again."""
        journal = Journal(tmp_path / "j.jsonl")
        journal.append({"images_seen": 8})
        with monkeypatch.context() as patch:
            patch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "full")))
            with pytest.raises(StorageError):
                journal.append({"images_seen": 16}, durable=True)
        assert journal.lines() == [{"images_seen": 8}]

    @pytest.mark.parametrize(
        "line",
        [
            '{"images_seen": 1, "a": ' + "[" * 100_000 + "}",
            '{"images_seen": 1' + "0" * 400 + "}",
            '{"images_seen": 1' + "0" * 5000 + "}",
            '{"images_seen": -1}',
            '{"images_seen": true}',
            '{"images_seen": "8"}',
            "[8]",
            "\x00",
        ],
        ids=range(8),
    )
    def test_damaged_lines_are_left_out(self, tmp_path: Path, line: str) -> None:
        journal = Journal(tmp_path / "j.jsonl")
        journal.append({"images_seen": 8})
        with journal.path.open("a") as file:
            file.write(line + "\n")
        journal.append({"images_seen": 24})
        assert [line["images_seen"] for line in journal.lines()] == [8, 24]

    def test_what_was_measured_apart_outlives_going_back(self, tmp_path: Path) -> None:
        journal = Journal(tmp_path / "j.jsonl")
        apart = {"images_seen": 24, "evaluation": {"training": False, "n": 1}}
        for line in (
            {"images_seen": 8},
            {"images_seen": 16},
            {"images_seen": 24, "evaluation": {"training": True}},
            apart,
        ):
            journal.append(line)
        assert trained_to(journal.lines()) == 24
        journal.rewind(8)
        assert journal.lines() == [{"images_seen": 8}, apart]
        assert trained_to(journal.lines()) == 8

    def test_restore_puts_back_what_is_missing_alone(self, tmp_path: Path) -> None:
        journal = Journal(tmp_path / "j.jsonl")
        for images in (8, 16, 16, 24):
            journal.append({"images_seen": images})
        copy = journal.sync()
        assert copy == journal.path.read_bytes()
        assert journal.restore(copy) == 0
        journal.append({"images_seen": 32, "evaluation": {}})
        lines = journal.path.read_text().splitlines(keepends=True)
        journal.path.write_text("".join([lines[0], *lines[3:]]))
        assert journal.restore(copy) == 2
        assert journal.path.read_text() == "".join(lines)
        journal.path.unlink()
        assert journal.restore(copy) == 4
        assert journal.path.read_bytes() == copy

    def test_a_cut_line_does_not_swallow_the_next(
        self, begun: tuple[Any, Path], watcher: Any, dataset_path: Path
    ) -> None:
        recipe, path = begun
        with (path / "metrics.jsonl").open("a") as file:
            file.write('{"images_seen": 96, "st')
        train(recipe, dataset_path, path, reporter=watcher())
        text = (path / "metrics.jsonl").read_text().splitlines()
        lines = [json.loads(line) for line in text]
        ticks = [line["images_seen"] for line in lines if "stage" in line]
        assert ticks == [32, 64, 96, 128, 160, 192]


def test_lines_that_a_power_cut_took_are_put_back(
    begun: tuple[Any, Path], watcher: Any, dataset_path: Path, tmp_path: Path, bytes_of: Any
) -> None:
    recipe, original = begun
    whole, cut = (Path(shutil.copytree(original, tmp_path / name)) for name in ("whole", "cut"))
    lines = (cut / "metrics.jsonl").read_text().splitlines(keepends=True)
    (cut / "metrics.jsonl").write_text(lines[0])
    watch = watcher()
    for run in (whole, cut):
        train(recipe, dataset_path, run, reporter=watch)
    assert any("were put back" in said for said in watch.said)
    assert bytes_of(cut) == bytes_of(whole)


@pytest.mark.parametrize("how", ["moved", "empty", "dangling", "a file"])
def test_a_run_whose_checkpoints_are_away_does_not_begin_again(
    begun: tuple[Any, Path], watcher: Any, dataset_path: Path, tmp_path: Path, how: str
) -> None:
    recipe, original = begun
    run = Path(shutil.copytree(original, tmp_path / "copy"))
    train(recipe, dataset_path, run, reporter=watcher())
    before = (run / "metrics.jsonl").read_bytes()
    folder = run / "checkpoints"
    shutil.move(folder, tmp_path / "elsewhere")
    if how == "empty":
        folder.mkdir()
    elif how == "dangling":
        folder.symlink_to(tmp_path / "unmounted")
    elif how == "a file":
        folder.write_text("")
    with pytest.raises(RunError, match="checkpoint"):
        train(recipe, dataset_path, run, reporter=watcher())
    assert (run / "metrics.jsonl").read_bytes() == before
    if how != "moved":
        folder.rmdir() if how == "empty" else folder.unlink()
    shutil.move(tmp_path / "elsewhere", folder)
    assert train(recipe, dataset_path, run, reporter=watcher()).finished
    assert (run / "metrics.jsonl").read_bytes() == before


def test_copies_beside_checkpoints_are_no_checkpoints(
    begun: tuple[Any, Path], tmp_path: Path
) -> None:
    run = Path(shutil.copytree(begun[1], tmp_path / "copy"))
    folder = run / "checkpoints"
    newest = latest(folder)
    for name in (f"{newest.path.name}_bak", "9k", "1.2.3k", "999999.99k", "9999999.000k.old"):
        shutil.copytree(newest.path, folder / name)
    assert latest(folder) == newest
    (folder / "999999.000k").mkdir()
    said: list[str] = []
    assert latest(folder, said.append) == newest
    assert len(said) == 1


def test_a_manifest_that_was_edited_is_damage(begun: tuple[Any, Path], tmp_path: Path) -> None:
    run = Path(shutil.copytree(begun[1], tmp_path / "copy"))
    newest = latest(run / "checkpoints")
    manifest = newest.path / "manifest.json"
    values = json.loads(manifest.read_text())
    for change in ({"images_seen": 8}, {"extra": {}}):
        manifest.write_text(json.dumps(values | change))
        said: list[str] = []
        with contextlib.suppress(RunError):
            assert latest(run / "checkpoints", said.append) != newest
        assert newest.path.name in said[0]
    # Those of an earlier facegan have no sum.
    del values["manifest_sha256"]
    manifest.write_text(json.dumps(values))
    assert latest(run / "checkpoints") == newest


@pytest.mark.parametrize("how", ["none", "a list", "one is missing", "another file"])
def test_a_manifest_lists_the_files_of_a_checkpoint(
    begun: tuple[Any, Path], tmp_path: Path, how: str
) -> None:
    """Without a sum of its own, as those of an earlier facegan are."""
    run = Path(shutil.copytree(begun[1], tmp_path / "copy"))
    newest = latest(run / "checkpoints")
    values = json.loads((newest.path / "manifest.json").read_text())
    del values["manifest_sha256"]
    sums = values["sha256"]
    other = tmp_path / "endless"
    other.write_bytes(b"x")
    values["sha256"] = {
        "none": {},
        "a list": list(sums),
        "one is missing": {name: sum for name, sum in sums.items() if "generator" not in name},
        "another file": sums | {str(other): sha256(other)},
    }[how]
    (newest.path / "manifest.json").write_text(json.dumps(values))
    before = latest(run / "checkpoints")
    assert before.images_seen < newest.images_seen


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of every value in JSON, and of every value that holds others."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, each in value.items():
            yield from leaves(each, (*path, key))
    elif isinstance(value, list):
        for key, each in enumerate(value):
            yield from leaves(each, (*path, key))


def changed(text: str, dice: random.Random) -> str:
    """JSON with one value in the place of another, or without it."""
    wrong: list[Any] = [None, "x", -1, 0, 0.5, 1e308, float("nan"), 10**400, [], {}, [[1]], True]
    values = json.loads(text)
    *path, last = dice.choice(list(leaves(values)))
    place = values
    for key in path:
        place = place[key]
    if dice.random() < 0.3:
        del place[last]
    else:
        place[last] = dice.choice(wrong)
    return json.dumps(values)


def test_whatever_a_run_says_of_itself_is_refused_or_harmless(
    begun: tuple[Any, Path], watcher: Any, dataset_path: Path, tmp_path: Path
) -> None:
    """Any value of its JSON files in the place of another: an error that is told, or none."""
    recipe, original = begun
    whole = tmp_path / "whole"
    shutil.copytree(original, whole)
    best = Best(8, 1.0, 0.5, 1.5, 0.2, "efflite0", 50, 50)
    keep_best(RunDirectory(whole), best, GeneratorFile.load(find_generator(whole)))
    dice, refused = random.Random(0), 0
    for turn in range(40):
        run = Path(shutil.copytree(whole, tmp_path / str(turn)))
        newest = latest(run / "checkpoints").path
        manifest = json.loads((newest / "manifest.json").read_text())
        del manifest["manifest_sha256"]
        (newest / "manifest.json").write_text(json.dumps(manifest))
        file = dice.choice(
            [
                run / "provenance.json",
                run / "timing.jsonl",
                run / "metrics.jsonl",
                run / "best" / "scores.json",
                newest / "manifest.json",
            ]
        )
        lines = file.read_text().splitlines() if file.suffix == ".jsonl" else [file.read_text()]
        number = dice.randrange(len(lines))
        lines[number] = changed(lines[number], dice)
        file.write_text("\n".join(lines) + "\n")
        for use in (
            lambda run=run: read(run),
            lambda run=run: train(recipe, dataset_path, run, reporter=watcher(80)),
        ):
            try:
                use()
            except FaceganError:
                refused += 1
        assert read_best(RunDirectory(run)) in (None, best) or "best" in str(file)
        shutil.rmtree(run)
    assert refused > 5


@pytest.mark.parametrize("both", [True, False])
def test_exchange(tmp_path: Path, both: bool) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    if both:
        other.write_text("a file")
    assert exchange(one, other) is (both and sys.platform == "linux")
    assert one.is_file() is both


def test_what_killed_writers_left_beside_a_target_goes_with_the_next(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from facegan import files\n"
        "def die(*_): os.kill(os.getpid(), signal.SIGKILL)\n"
        "files.sync = os.fsync = die\n"
        "path = Path(sys.argv[1])\n"
        "if path.name == 'file': files.write_bytes(path, b'half')\n"
        "with files.new_folder(path) as beside: (beside / 'a').write_text('half')\n"
    )
    for name in ("file", "folder"):
        done = subprocess.run([sys.executable, "-c", code, str(tmp_path / name)], check=False)
        assert done.returncode == -signal.SIGKILL
    assert len(list(tmp_path.glob(".*.part"))) == 2
    other = tmp_path / ".other.00000000-1.part"  # of another host, or another target
    other.touch()
    write_bytes(tmp_path / "file", b"whole")
    with new_folder(tmp_path / "folder") as beside:
        (beside / "a").write_text("whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == [other.name, "file", "folder"]


def test_a_linked_folder_keeps_what_is_in_it(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / ".mine.part").write_text("irreplaceable")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "samples").symlink_to(theirs)
    (tmp_path / "run" / ".a.part").symlink_to(theirs)
    with RunDirectory(tmp_path / "run").locked():
        pass
    assert (theirs / ".mine.part").read_text() == "irreplaceable"


def test_a_checkpoint_is_never_half_removed(
    tmp_path: Path, begun: tuple[Any, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while thinning out, what is left is hidden, and goes when the run goes on."""
    run = RunDirectory(shutil.copytree(begun[1], tmp_path / "copy"))
    monkeypatch.setattr(checkpoint.shutil, "rmtree", lambda *_, **__: None)
    checkpoint.keep_newest(run.checkpoints, 1)
    monkeypatch.undo()
    names = sorted(path.name for path in run.checkpoints.iterdir())
    assert names[0].startswith(".000000.064k.")
    assert names[1:] == ["000000.072k"]
    with run.locked():
        pass
    assert [path.name for path in run.checkpoints.iterdir()] == ["000000.072k"]
