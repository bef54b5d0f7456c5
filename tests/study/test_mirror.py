"""What a node sends, and what the keeper of a study makes of it, without any network."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from filelock import FileLock

from facegan.errors import RunError
from facegan.files import new_folder
from facegan.study.execution import mirror
from facegan.study.execution.keeper import Keeper, Superseded, files_of, forget_arriving
from facegan.study.execution.mirror import PIECE, Mirror
from facegan.study.execution.node import scratch


class Pair:
    """A trial at the keeper and on a node."""

    def __init__(self, folder: Path) -> None:
        self.kept, self.node = folder / "kept", folder / "node"
        for path in (self.kept, self.node):
            path.mkdir()
        (self.kept / "trial.json").write_text("{}", "utf-8")
        self.keeper = Keeper([self.kept], {}, {})
        self.mirror = self.begin()

    def begin(self) -> Mirror:
        begun = self.keeper.begin(0, "id", "a node")
        assert begun is not None
        self.lease = begun.lease
        mirror = Mirror(self.node, self.keeper, 0, begun.lease)
        mirror.fetch(begun.files)
        return mirror


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path)


def checkpoint(run: Path, kimg: int, content: bytes = b"state") -> Path:
    """As `facegan.runs.checkpoint.save` writes one, and keeps two."""
    target = run / "checkpoints" / f"{kimg:06}.000k"
    with new_folder(target) as beside:
        (beside / "state.safetensors").write_bytes(content)
        (beside / "manifest.json").write_text('{"sha256": {"state.safetensors": "…"}}', "utf-8")
    return target


def drop(path: Path) -> None:
    for file in path.iterdir():
        file.unlink()
    path.rmdir()


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in files_of(folder)}


def test_what_a_node_writes_comes_back(pair: Pair) -> None:
    run = pair.node / "run"
    checkpoint(run, 1, os.urandom(2 * PIECE + 17))
    checkpoint(run, 2, os.urandom(PIECE))
    (run / "metrics.jsonl").write_bytes(b'{"images_seen": 1}\n')
    (run / "empty").write_bytes(b"")
    (run / ".lock").write_bytes(b"")
    (run / "link").symlink_to("/etc/hostname")
    (pair.node / "trial.json").write_text("changed here", "utf-8")
    (pair.node / "result.json").write_text("early", "utf-8")
    pair.mirror.send()
    found = contents(pair.kept)
    assert found.pop("trial.json") == b"{}"
    assert found == {
        name: content for name, content in contents(pair.node).items() if name.startswith("run/")
    }
    assert "run/link" not in found
    pair.mirror.send(ended=True)
    assert (pair.kept / "result.json").read_text("utf-8") == "early"
    assert not list(pair.kept.rglob(".*"))


def test_a_trial_goes_on_with_what_the_keeper_has(pair: Pair, tmp_path: Path) -> None:
    checkpoint(pair.node / "run", 1)
    pair.mirror.send()
    pair.node = tmp_path / "another"
    pair.node.mkdir()
    pair.begin()
    assert contents(pair.node) == contents(pair.kept)


def test_only_what_changed_is_sent(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint(pair.node / "run", 1)
    pair.mirror.send()
    to_device: list[str] = []
    write = pair.keeper.write

    def listening(trial: int, lease: int, name: str, offset: int, content: bytes) -> None:
        to_device.append(name)
        write(trial, lease, name, offset, content)

    monkeypatch.setattr(pair.keeper, "write", listening)
    (pair.node / "run" / "new").write_bytes(b"1")
    pair.mirror.send()
    pair.mirror.send()
    assert set(to_device) == {"run/new"}


def test_journals_are_never_behind_a_checkpoint(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is faster than the sending: whatever arrives must fit together."""
    run = pair.node / "run"
    run.mkdir()
    steps, hurry = iter(range(1, 100)), False

    def step() -> None:
        at = next(steps)
        with (run / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(f'{{"images_seen": {at}}}\n{{"half')
        checkpoint(run, at, os.urandom(64))
        for old in sorted((run / "checkpoints").iterdir())[:-2]:
            drop(old)
        with (run / "metrics.jsonl").open("r+", encoding="utf-8") as file:
            file.truncate(len(file.read()) - len('{"half'))

    write = pair.keeper.write

    def slow(*values: object) -> None:
        write(*values)  # type: ignore[arg-type]
        if hurry:
            step()

    monkeypatch.setattr(pair.keeper, "write", slow)
    reached = 0
    for each in (False, True, False, True, True, False):
        hurry = each
        step()
        pair.mirror.send()
        folders = sorted((pair.kept / "run" / "checkpoints").iterdir())
        newest = int(float(folders[-1].name[:-1]))
        assert newest >= reached
        reached = newest
        assert all(len(list(folder.iterdir())) == 2 for folder in folders)
        journal = (pair.kept / "run" / "metrics.jsonl").read_text("utf-8")
        assert journal.endswith("}\n")
        assert f'{{"images_seen": {reached}}}\n' in journal
    assert contents(pair.kept / "run") == contents(run)


def test_a_folder_that_is_replaced_while_it_is_read_waits(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = pair.node / "run"
    checkpoint(run, 1)
    pair.mirror.send()
    write = pair.keeper.write

    def replacing(*values: object) -> None:
        write(*values)  # type: ignore[arg-type]
        drop(checkpoint(run, 2))
        checkpoint(run, 3)

    checkpoint(run, 2)
    drop(run / "checkpoints" / "000001.000k")
    monkeypatch.setattr(pair.keeper, "write", replacing)
    pair.mirror.send()
    # The first is gone on the node, and stays here until a newer one has arrived.
    assert [p.name for p in (pair.kept / "run" / "checkpoints").iterdir()] == ["000001.000k"]
    monkeypatch.setattr(pair.keeper, "write", write)
    pair.mirror.send()
    assert contents(pair.kept / "run") == contents(run)


def test_a_checkpoint_that_appears_between_two_looks_waits(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = pair.node / "run"
    checkpoint(run, 1)
    (run / "metrics.jsonl").write_bytes(b"1\n")
    pair.mirror.send()
    look = pair.mirror._listed

    def late(whole: bool) -> object:
        found = look(whole)
        with (run / "metrics.jsonl").open("ab") as file:
            file.write(b"2\n")
        checkpoint(run, 2)
        return found

    monkeypatch.setattr(pair.mirror, "_listed", late)
    pair.mirror.send()
    # A checkpoint without its lines in the journal could not go on as if never interrupted.
    assert [p.name for p in (pair.kept / "run" / "checkpoints").iterdir()] == ["000001.000k"]
    assert b"2" in (pair.kept / "run" / "metrics.jsonl").read_bytes()


def test_checkpoints_take_their_places_after_journals_and_the_result_last(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    (pair.node / "result.json").write_bytes(b"{}")
    run = pair.node / "run"
    for kimg in (2, 1):
        checkpoint(run, kimg)
    for seconds, name in enumerate(("timing.jsonl", "metrics.jsonl")):
        (run / name).write_bytes(b"1\n")
        os.utime(run / name, (seconds, seconds))
    orders: list[list[str]] = []
    commit = pair.keeper.commit

    def listening(trial: int, lease: int, arrived: list[str], removed: list[str]) -> None:
        orders.append(arrived)
        commit(trial, lease, arrived, removed)

    monkeypatch.setattr(pair.keeper, "commit", listening)
    pair.mirror.send(ended=True)
    names = [name.rsplit("/", 1)[-1] for name in orders[0]]
    assert names == [
        *("timing.jsonl", "metrics.jsonl", "000001.000k", "000002.000k", "result.json")
    ]


def test_two_checkpoints_of_one_name_are_not_mixed(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = pair.node / "run"
    checkpoint(run, 1, b"old")
    write = pair.keeper.write

    def replacing(*values: object) -> None:
        write(*values)  # type: ignore[arg-type]
        checkpoint(run, 1, b"new")

    monkeypatch.setattr(pair.keeper, "write", replacing)
    pair.mirror.send()
    assert not (pair.kept / "run").exists()
    monkeypatch.setattr(pair.keeper, "write", write)
    pair.mirror.send()
    assert contents(pair.kept / "run") == contents(run)


@pytest.mark.parametrize("left", ["state.safetensors", "manifest.json", None])
def test_a_folder_that_is_being_removed_is_not_sent(pair: Pair, left: str | None) -> None:
    run = pair.node / "run"
    checkpoint(run, 1)
    pair.mirror.send()
    drop(run / "checkpoints" / "000001.000k")
    for file in checkpoint(run, 2).iterdir():
        if file.name != left:
            file.unlink()
    pair.mirror.send()
    assert [p.name for p in (pair.kept / "run" / "checkpoints").iterdir()] == ["000001.000k"]


def test_the_best_snapshot_comes_whole_or_not(pair: Pair) -> None:
    best = pair.node / "run" / "best"
    with new_folder(best) as folder:
        (folder / "generator.safetensors").write_bytes(b"first")
        (folder / "scores.json").write_bytes(b"1")
    pair.mirror.send()
    (best / "scores.json").unlink()
    pair.mirror.send()
    assert set(contents(pair.kept / "run/best").values()) == {b"first", b"1"}
    with new_folder(best) as folder:
        (folder / "generator.safetensors").write_bytes(b"second")
        (folder / "scores.json").write_bytes(b"2")
    pair.mirror.send()
    assert set(contents(pair.kept / "run/best").values()) == {b"second", b"2"}


def test_names_are_those_of_a_run() -> None:
    from facegan.runs import best
    from facegan.runs import checkpoint as checkpoints

    assert mirror.MANIFEST == checkpoints.MANIFEST
    assert mirror.BEST == (checkpoints.GENERATOR, best.SCORES)


def test_a_cut_line_is_sent_at_the_end(pair: Pair) -> None:
    journal = pair.node / "metrics.jsonl"
    journal.write_bytes(b"1\n2")
    pair.mirror.send()
    assert (pair.kept / "metrics.jsonl").read_bytes() == b"1\n"
    pair.mirror.send(ended=True)
    assert (pair.kept / "metrics.jsonl").read_bytes() == b"1\n2"


NAMES = [
    "../x",
    "a/../../x",
    "/etc/x",
    "a/./../b/.c",
    ".hidden",
    "a/.lock",
    "",
    "C:x",
    "a\\b",
    "\0",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_node_cannot_name_a_file_outside_its_trial(pair: Pair, name: str) -> None:
    before = contents(pair.kept.parent)
    with pytest.raises(RunError, match="refused"):
        pair.keeper.write(0, pair.lease, name, 0, b"bad")
    with pytest.raises(RunError, match="refused"):
        pair.keeper.commit(0, pair.lease, [name], [])
    with pytest.raises(RunError, match="refused"):
        pair.keeper.commit(0, pair.lease, [], [name])
    with pytest.raises(RunError, match="refused"):
        pair.keeper.read(0, name, 0, 10)
    with pytest.raises(RunError, match="refused"):
        pair.mirror.fetch({name: 1})
    assert contents(pair.kept.parent) == before


def test_a_node_cannot_write_through_a_link_or_change_its_orders(
    pair: Pair, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x").write_bytes(b"mine")
    (pair.kept / "run").symlink_to(outside)
    pair.keeper.write(0, pair.lease, "run/x", 0, b"bad")
    with pytest.raises(RunError, match="link"):
        pair.keeper.commit(0, pair.lease, ["run/x"], [])
    with pytest.raises(RunError, match="link"):
        pair.keeper.commit(0, pair.lease, [], ["run/x"])
    with pytest.raises(RunError, match="link"):
        pair.keeper.read(0, "run/x", 0, 10)
    with pytest.raises(RunError, match="not its own"):
        pair.keeper.write(0, pair.lease, "trial.json", 0, b"bad")
    pair.keeper.commit(0, pair.lease, [], ["trial.json"])
    assert (outside / "x").read_bytes() == b"mine"
    assert (pair.kept / "trial.json").read_bytes() == b"{}"


def test_a_node_that_was_taken_for_lost_is_told_so(pair: Pair) -> None:
    (pair.node / "a").write_bytes(b"1")
    pair.keeper.begin(0, "other", "another node")
    with pytest.raises(Superseded):
        pair.mirror.send()
    with pytest.raises(Superseded):
        pair.keeper.stopping(0, pair.lease)
    assert not (pair.kept / "a").exists()


def test_nothing_begins_after_a_stop(pair: Pair) -> None:
    assert not pair.keeper.stopping(0, pair.lease)
    pair.keeper.stop()
    assert pair.keeper.stopping(0, pair.lease)
    assert pair.keeper.begin(0, "id", "a node") is None
    assert pair.keeper.news() == [(0, "id", "a node")]
    assert pair.keeper.news() == []


def test_half_of_a_file_is_forgotten(pair: Pair) -> None:
    pair.keeper.write(0, pair.lease, "run/x", 0, b"half")
    assert list(files_of(pair.kept)) == ["trial.json"]
    forget_arriving(pair.kept)
    assert [p.name for p in pair.kept.iterdir()] == ["trial.json"]


def test_what_killed_trials_left_on_a_node_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path))
    trials = tmp_path / "trials"
    dead, saving, elsewhere = (
        trials / name for name in (f"{socket.gethostname()}-1", f"{socket.gethostname()}-2", "o-1")
    )
    for folder in (dead, saving, elsewhere):
        (folder / "run").mkdir(parents=True)
    with FileLock(saving / ".lock"), scratch() as first, scratch() as second:
        assert {p.name for p in trials.glob("[!.]*")} == {
            path.name for path in (saving, elsewhere, first, second)
        }
    with scratch():
        pass
    assert [path.name for path in trials.iterdir()] == ["o-1"]
