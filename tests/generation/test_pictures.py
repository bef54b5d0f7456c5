"""`generate`: the picture of a seed is one picture, whatever else is asked for."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from facegan.apps.generate import generate
from facegan.apps.train import train
from facegan.data.grid import grid
from facegan.errors import FaceganError
from facegan.generation import samples
from facegan.generation.generator import open_generator
from facegan.generation.samples import image_inputs
from facegan.runs.find import find_generator

Make = Callable[..., Any]


@pytest.fixture(scope="module", params=["gan", "dcgan"])
def run(
    request: pytest.FixtureRequest,
    tiny: Make,
    watcher: Any,
    dataset_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A trained run whose pictures differ from each other."""
    path = tmp_path_factory.mktemp("pictures") / "run"
    rate = "stages.*.*.lr=5e-3"
    train(tiny(request.param, rate), dataset_path, path, reporter=watcher())
    return path


@pytest.fixture(scope="module")
def first(run: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of the first 64 seeds."""
    written = generate(run, tmp_path_factory.mktemp("first"), n=64)
    assert len(written) == 64
    return {path.name: path.read_bytes() for path in written}


@pytest.mark.parametrize(("n", "seed"), [(1, 0), (1, 17), (5, 3), (33, 0), (33, 31), (2, 62)])
def test_the_picture_of_a_seed(
    run: Path, first: dict[str, bytes], tmp_path: Path, n: int, seed: int
) -> None:
    written = generate(run, tmp_path / "out", n=n, seed=seed)
    assert [path.name for path in written] == [f"seed{i:06}.png" for i in range(seed, seed + n)]
    for path in written:
        assert path.read_bytes() == first[path.name]
    assert sorted((tmp_path / "out").iterdir()) == written


def test_pictures_of_latents_are_those_of_their_seeds(run: Path) -> None:
    opened = open_generator(run)
    seeds = [5, 40, 7]
    z = torch.cat([image_inputs(opened.network, seed)[0] for seed in seeds])
    (expected,) = opened.pictures(seeds)
    found = opened.pictures_at(z)
    assert (found.dtype, found.shape) == (np.uint8, expected.shape)
    # Another batch may round a value to the next level.
    assert np.abs(found.astype(int) - expected).max() <= 1
    assert np.abs(opened.pictures_at(z[1:2]).astype(int) - expected[1:2]).max() <= 1


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_threads_share_the_groups_and_change_nothing(
    run: Path, threads: Callable[[int], None], precision: Any
) -> None:
    opened = open_generator(run, precision=precision)
    found = []
    for number in (1, 2, 5):
        threads(number)
        groups = list(opened.pictures(range(200)))
        assert [len(group) for group in groups] == [32] * 6 + [8]
        found.append(np.concatenate(groups))
        assert torch.get_num_threads() == number
        others: list[int] = []
        beside = threading.Thread(target=lambda got=others: got.append(torch.get_num_threads()))
        beside.start()
        beside.join()
        assert others == [number], "threads begun later have fewer"
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])


def test_side_by_side_each_has_its_share_of_the_threads(
    run: Path, threads: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def asking(generator: Any, seed: int, labels: Any) -> Any:
        asked.append(torch.get_num_threads())
        return image_inputs(generator, seed, labels)

    monkeypatch.setattr(samples, "image_inputs", asking)
    for number, groups, each in [(4, 8, 1), (4, 2, 2), (2, 1, 2)]:
        threads(number)
        asked.clear()
        list(open_generator(run).pictures(range(32 * groups)))
        assert set(asked) == {each}


def test_whoever_takes_only_the_first_leaves_no_threads(
    run: Path, threads: Callable[[int], None]
) -> None:
    threads(3)
    before = threading.active_count()
    groups = open_generator(run).pictures(range(3200))
    next(groups)
    assert threading.active_count() == before + 3
    del groups
    assert threading.active_count() == before


def test_leaving_while_threads_still_begin_leaves_none_behind(
    threads: Callable[[int], None],
) -> None:
    """A thread that was slow to begin once took the sign to end from the others."""
    threads(3)
    before, interval = threading.active_count(), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(300):
            groups = samples._side_by_side(lambda item: item, range(20))
            next(groups)
            groups.close()
    finally:
        sys.setswitchinterval(interval)
    assert threading.active_count() == before


def test_a_group_that_fails_is_an_error_after_those_before_it(
    run: Path, threads: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(generator: Any, seed: int, labels: Any) -> Any:
        if seed == 100:
            raise FaceganError("no latent for this seed")
        return image_inputs(generator, seed, labels)

    threads(3)
    monkeypatch.setattr(samples, "image_inputs", failing)
    groups = open_generator(run).pictures(range(3200))
    for _ in range(3):
        next(groups)
    with pytest.raises(FaceganError, match="no latent"):
        next(groups)
    with pytest.raises(StopIteration):
        next(groups)


def test_seeds_give_different_pictures(first: dict[str, bytes]) -> None:
    assert len(set(first.values())) == 64


def test_a_run_and_its_generator_file_are_the_same(
    run: Path, first: dict[str, bytes], tmp_path: Path
) -> None:
    (written,) = generate(find_generator(run), tmp_path, n=1, seed=9)
    assert written.read_bytes() == first[written.name]


def test_the_png_says_what_it_is(run: Path, tmp_path: Path) -> None:
    (path,) = generate(run, tmp_path, n=1, seed=41, truncation=0.5)
    with Image.open(path) as image:
        assert (image.size, image.mode) == ((32, 32), "RGB")
        about = image.text
    assert about["DigitalSourceType"].endswith("/trainedAlgorithmicMedia")
    assert "Generated" in about["Comment"]
    assert about["Software"].startswith("facegan ")
    assert about["facegan.seed"] == "41"
    for words in ("recipe: ", "kimg: 0.192", "dataset: blobs", "truncation: 0.5"):
        assert words in about["facegan.model"]


def test_truncation_draws_towards_one_face(run: Path, tmp_path: Path) -> None:
    pictures = {}
    for psi in (0.0, 0.5, 1.0):
        written = generate(run, tmp_path / str(psi), n=8, truncation=psi)
        pictures[psi] = np.stack([np.asarray(Image.open(path)) for path in written]).astype(float)
    spread = {psi: p.std(0).mean() for psi, p in pictures.items()}
    assert spread[0.0] == 0
    assert 0 < spread[0.5] < spread[1.0]
    centre = pictures[0.0][0]
    assert np.abs(pictures[0.5] - centre).mean() < np.abs(pictures[1.0] - centre).mean()


def test_a_grid_holds_the_same_pictures_in_order(
    run: Path, first: dict[str, bytes], tmp_path: Path
) -> None:
    (path,) = generate(run, tmp_path / "g.png", n=7, seed=2, grid=True, columns=3)
    assert path == tmp_path / "g.png"
    with Image.open(path) as image:
        assert image.size == (3 * 34 - 2, 3 * 34 - 2)
        assert image.text["facegan.seed"] == "2-8"
        sheet = np.asarray(image)
    for i in range(7):
        y, x = i // 3 * 34, i % 3 * 34
        (tmp_path / "one.png").write_bytes(first[f"seed{i + 2:06}.png"])
        expected = np.asarray(Image.open(tmp_path / "one.png"))
        np.testing.assert_array_equal(sheet[y : y + 32, x : x + 32], expected)
    assert (sheet[68:, 34:] == 255).all()
    assert (sheet[32:34] == 255).all()
    (path,) = generate(run, tmp_path / "folder", n=4, seed=2, grid=True)
    assert path == tmp_path / "folder" / "grid-seeds-2-5.png"


@pytest.mark.parametrize(
    ("n", "columns", "shape"),
    [
        (1, None, (8, 6)),
        (4, None, (18, 14)),
        (5, None, (18, 22)),
        (5, 1, (48, 6)),
        (3, 10, (8, 22)),
    ],
)
def test_grid_layout(n: int, columns: int | None, shape: tuple[int, int]) -> None:
    images = np.arange(n, dtype=np.uint8)[:, None, None, None] * np.ones((8, 6, 3), np.uint8)
    found = grid(images, columns)
    assert found.shape == (*shape, 3)
    assert found.dtype == np.uint8
    for i in range(n):
        assert (found == i).all(2).sum() == 48


def test_grey_pictures_are_grey_files(
    tiny: Make, watcher: Any, grey_dataset_path: Path, tmp_path: Path
) -> None:
    train(tiny("dcgan"), grey_dataset_path, tmp_path / "run", reporter=watcher(8))
    for grid_ in (False, True):
        written = generate(tmp_path / "run", tmp_path / str(grid_), n=2, grid=grid_)
        with Image.open(written[0]) as image:
            assert image.mode == "L"


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"n": 0}, "-n 0"),
        ({"seed": -1}, "`seed` -1"),
        ({"truncation": 1.5}, "`truncation` 1.5"),
        ({"truncation": float("nan")}, "`truncation` nan"),
        ({"columns": 0, "grid": True}, "`columns` 0"),
        ({"device": "gpu"}, "gpu"),
        ({"device": "cuda:99"}, "cuda:99"),
    ],
)
def test_what_cannot_be_made(run: Path, tmp_path: Path, wrong: dict[str, Any], named: str) -> None:
    if wrong.get("device", "").startswith("cuda") and torch.cuda.is_available():
        pytest.skip("the message differs where there is a CUDA device")
    with pytest.raises(FaceganError) as caught:
        generate(run, tmp_path / "out", **wrong)
    assert named in caught.value.message
    assert caught.value.hint
    assert not (tmp_path / "out").exists()
