"""What nodes reach a study through: what is sent comes back whole, whatever happens meanwhile."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from stores import S3, s3_server

from facegan.data.dataset import Dataset
from facegan.errors import DataError, FaceganError, StorageError
from facegan.files import new_folder
from facegan.study.execution.storage import SharedFolder, Store, dataset, folder_of


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    with s3_server() as server:
        yield server


@pytest.fixture(params=["s3", "a folder"])
def uri(request: pytest.FixtureRequest, s3: S3, tmp_path: Path) -> str:
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    return s3.uri(request.node.name) if request.param == "s3" else (tmp_path / "store").as_uri()


def trial(folder: Path, kimg: int, spec: str = "{}", result: bool = False) -> Path:
    (folder / "run" / "checkpoints" / f"{kimg:06}.000k").mkdir(parents=True)
    (folder / "run" / "checkpoints" / f"{kimg:06}.000k" / "manifest.json").write_text("{}")
    (folder / "run" / "metrics.jsonl").write_text("line\n" * kimg)
    (folder / "trial.json").write_text(spec)
    (folder / ".lock").write_text("")
    if result:
        (folder / "result.json").write_text("{}")
    return folder


def content(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


def test_a_trial_goes_to_a_node_and_comes_back(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path / "cache"))
    mine = trial(tmp_path / "trials" / "seed-0", 3)
    store, state = Store(uri), folder_of(mine) + "/one.tar"
    assert store.missing() is None
    store.send(mine, state)
    sent = content(mine)
    with store.opened(mine, state) as (there, keep):
        assert there != mine
        assert content(there) == sent
        shutil.rmtree(there / "run" / "checkpoints")
        trial(there, 5)
        keep(False)
        # Nothing is sent without a new checkpoint.
        (there / "log.txt").write_text("one more line")
        keep(False)
        # Another trial on this node leaves it alone, and removes what a killed one left.
        (there.parent / "killed").mkdir()
        (there.parent / "killed.lock").write_text("")
        with store.opened(mine, state) as (another, _):
            assert there.exists()
            assert {path.name for path in there.parent.iterdir() if path.is_dir()} == {
                there.name,
                another.name,
            }
    # The node is gone; what it sent last is there.
    assert not list(there.parent.iterdir())
    store.collect(mine, state)
    assert content(mine) == content(trial(tmp_path / "expected", 5))
    with pytest.raises(StorageError):
        store.collect(mine, state)
    store.close()


def test_what_a_killed_study_did_not_collect(uri: str, tmp_path: Path) -> None:
    store = Store(uri)
    mine = trial(tmp_path / "trials" / "seed-0", 3)

    def left(kimg: int, spec: str = "{}", result: bool = False) -> None:
        shutil.rmtree(tmp_path / "node", ignore_errors=True)
        theirs = trial(tmp_path / "node", kimg, spec, result)
        store.send(theirs, f"{folder_of(mine)}/{kimg}.tar")

    left(2)  # older than what is here
    left(9, spec='{"another": "plan"}')
    left(5)
    store.recover(mine)
    assert [path.name for path in (mine / "run" / "checkpoints").iterdir()] == ["000005.000k"]
    left(4, result=True)
    store.recover(mine)
    assert (mine / "result.json").exists()
    left(6)
    store.recover(mine)
    assert (mine / "result.json").exists()
    before = content(mine)
    store.recover(mine)  # nothing is left
    assert content(mine) == before


def test_datasets(
    uri: str, tmp_path: Path, dataset_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path / "cache"))
    store, original = Store(uri), Dataset.open(dataset_path)
    assert store.dataset(original.fingerprint) is None
    store.add_dataset(original)
    store.add_dataset(original)
    found = store.dataset(original.fingerprint)
    assert found is not None
    assert Dataset.open(found, verify=True).fingerprint == original.fingerprint
    # Fetched once.
    stamp = (found / "images.npy").stat()
    assert store.dataset(original.fingerprint) == found
    assert (found / "images.npy").stat().st_ino == stamp.st_ino


def test_a_damaged_dataset_is_refused(
    uri: str, tmp_path: Path, dataset_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path / "cache"))
    copy = tmp_path / "copy"
    shutil.copytree(dataset_path, copy)
    store, original = Store(uri), Dataset.open(copy)
    images = (copy / "images.npy").read_bytes()
    (copy / "images.npy").write_bytes(images[:-1] + bytes([images[-1] ^ 1]))
    store.add_dataset(original)
    with pytest.raises(FaceganError):
        store.dataset(original.fingerprint)
    assert not list((tmp_path / "cache").rglob("images.npy"))


def test_a_store_that_is_another_one(uri: str, tmp_path: Path) -> None:
    store = Store(uri)
    assert store.missing() is None
    store.close()
    assert store.missing() is not None


def test_a_shared_folder(tmp_path: Path, dataset_path: Path) -> None:
    place = SharedFolder(tmp_path)
    assert place.missing() is None
    another = SharedFolder(tmp_path)  # as on a node with a folder of its own at the same path
    assert place.missing() is not None
    assert another.missing() is None
    with place.opened(tmp_path / "trial", "") as (folder, _):
        assert folder == tmp_path / "trial"
    with pytest.raises(DataError, match=str(dataset_path)):
        place.add_dataset(Dataset.open(dataset_path))
    another.close()
    assert not list(tmp_path.iterdir())


def test_no_journal_is_older_than_its_checkpoint(tmp_path: Path) -> None:
    """What is packed while a run goes on is what a crash would have left."""
    folder, done = tmp_path / "trial", threading.Event()
    (folder / "run" / "checkpoints").mkdir(parents=True)
    journal = folder / "run" / "metrics.jsonl"

    def place(step: int) -> Path:
        return folder / "run" / "checkpoints" / f"{step:06}.000k"

    def run() -> None:
        step = 0
        while not done.is_set():
            step += 1
            with journal.open("a") as file:
                file.write(f"{step:06}\n")
            for whole in (place(step), folder / "run" / "best"):
                with new_folder(whole) as beside:
                    for name in ("a", "b", "manifest.json"):
                        (beside / name).write_text(json.dumps(step))
            shutil.rmtree(place(step - 2), ignore_errors=True)

    writer = threading.Thread(target=run)
    writer.start()
    try:
        seen: list[int] = []
        late = time.monotonic() + 60  # on a busy machine the writer may stand still for long
        while len(seen) < 20 or (seen[-1] == seen[0] and time.monotonic() < late):
            file = io.BytesIO()
            dataset(folder, file)
            file.seek(0)
            copy = tmp_path / f"copy-{len(seen)}"
            with tarfile.open(fileobj=file) as tar:
                tar.extractall(copy, filter="data")
            steps = sorted(int(p.name[:6]) for p in copy.glob("run/checkpoints/*"))
            seen.append(max(steps, default=0))
            lines = (copy / "run" / "metrics.jsonl").read_text().split() if steps else []
            assert not steps or int(lines[-1]) >= steps[-1]
            # An older one may be half removed, as after a crash.
            for newest in sorted(copy.glob("run/checkpoints/*"))[-1:]:
                assert {path.read_text() for path in newest.iterdir()} == {str(steps[-1])}
                assert len(list(newest.iterdir())) == 3
            best = {path.read_text() for path in copy.glob("run/best/*")}
            assert len(best) <= 1
        assert seen[-1] > seen[0]
    finally:
        done.set()
        writer.join()
