"""Near duplicates: found exactly, and never on both sides of the split."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import pytest
from imagefiles import encoded, fill_folder
from PIL import Image

from drawn_photographs import photograph
from facegan import portraits
from facegan.data import duplicates, importer
from facegan.data.align import Alignment
from facegan.data.dataset import Dataset
from facegan.data.duplicates import MOST_BITS, close_pairs, difference_hashes, near_duplicates
from facegan.data.grouping import treat_duplicates
from facegan.data.importer import import_images
from facegan.data.rewrite import rewrite
from facegan.data.writer import DatasetWriter
from facegan.errors import DataError
from facegan.faces import Square


def made(path: Path, images: np.ndarray, names: list[str], splits: list[str]) -> Dataset:
    with DatasetWriter(path, images.shape[1], images.shape[3]) as writer:
        writer.add(images, names, names, splits, names)
        writer.finish({"name": "drawn"})
    return Dataset.open(path)


def people(n: int, size: int = 64) -> np.ndarray:
    return portraits.draw(portraits.sample(n, seed=1), size)


def changed(image: np.ndarray, how: str) -> np.ndarray:
    """The same picture, as it comes back from elsewhere."""
    size = len(image)
    if how == "compressed":
        return np.asarray(Image.open(io.BytesIO(encoded(image, "JPEG", quality=40))))
    if how == "darker":
        return (image * 0.75).astype(np.uint8)
    if how == "resized":
        return cv2.resize(cv2.resize(image, (size // 2, size // 2)), (size, size))
    if how == "cut":
        return cv2.resize(image[1:-1, 1:-1], (size, size))
    if how == "noisy":
        noise = np.random.default_rng(0).normal(0, 6, image.shape)
        return np.clip(image + noise, 0, 255).astype(np.uint8)
    raise ValueError(how)


def test_all_close_pairs_are_found_and_no_others() -> None:
    random = np.random.default_rng(0)
    hashes = random.integers(0, 2**64, 600, np.uint64)
    for row in range(0, 300, 2):  # neighbours at every distance from 0 to 12
        bits = random.choice(64, row % 13, replace=False)
        flipped = np.bitwise_or.reduce(np.uint64(1) << bits.astype(np.uint64), initial=0)
        hashes[row + 1] = hashes[row] ^ np.uint64(flipped)
    expected = {
        (a, b)
        for a in range(600)
        for b in range(a + 1, 600)
        if (int(hashes[a]) ^ int(hashes[b])).bit_count() <= MOST_BITS
    }
    assert len(expected) > 60
    found = [tuple(pair) for pairs in close_pairs(hashes) for pair in pairs.tolist()]
    assert len(found) == len(set(found))
    assert set(found) == expected
    with pytest.raises(ValueError, match="8 bits"):
        next(close_pairs(hashes, 8))


def test_the_hash_says_where_it_grows_brighter_to_the_right() -> None:
    ramp = np.tile(np.arange(0, 252, 4, np.uint8), (63, 1))[:, :, None].repeat(3, 2)
    brighter, darker = difference_hashes(np.stack([ramp, ramp[:, ::-1]]))
    assert brighter == 2**64 - 1
    assert darker == 0


@pytest.mark.parametrize("how", ["compressed", "darker", "resized", "cut", "noisy"])
def test_a_picture_that_came_back_is_found(tmp_path: Path, how: str) -> None:
    drawn = people(12)
    images = np.concatenate([drawn, np.stack([changed(drawn[i], how) for i in (2, 7, 11)])])
    names = [f"{i:02}" for i in range(15)]
    dataset = made(tmp_path / "faces", images, names, ["train"] * 15)
    before = near_duplicates(made(tmp_path / "drawn", drawn, names[:12], ["train"] * 12))
    found = near_duplicates(dataset)
    pairs = {(a, b) for group in found.groups for a in group for b in group if a < b}
    assert {(2, 12), (7, 13), (11, 14)} <= pairs
    alone = {(a, b) for group in before.groups for a in group for b in group if a < b}
    assert {pair for pair in pairs if pair[1] < 12} >= alone


def test_equal_pictures_are_compared_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two pictures that are alike at first sight, and many copies of each, in turns."""
    # Both grow brighter to the right, which is all that hashes see; one also downwards.
    right, down = np.linspace(0, 40, 64)[None], np.linspace(0, 200, 64)[:, None]
    pair = [(right + each)[:, :, None].repeat(3, 2).astype(np.uint8) for each in (down, 200 - down)]
    images = np.stack(pair * 40)
    names = [f"{i:02}" for i in range(80)]
    dataset = made(tmp_path / "faces", images, names, ["train"] * 80)
    compared: list[int] = []
    correlated = duplicates._correlated
    monkeypatch.setattr(
        duplicates, "_correlated", lambda d, p: (compared.append(len(p)), correlated(d, p))[1]
    )
    found = near_duplicates(dataset)
    assert found.groups == (tuple(range(0, 80, 2)), tuple(range(1, 80, 2)))
    assert 0 < sum(compared) <= 8  # once for each byte of a hash at most


def test_pictures_of_different_people_are_not_alike(tmp_path: Path) -> None:
    drawn = people(40)
    names = [str(i) for i in range(40)]
    assert near_duplicates(made(tmp_path / "a", drawn, names, ["train"] * 40)).groups == ()


def test_pictures_without_content_and_thousands_of_equal_ones(tmp_path: Path) -> None:
    flat = np.full((4000, 16, 16, 3), 90, np.uint8)
    flat[10] = 200
    flat[20] = people(1, 16)[0]
    names = [str(i) for i in range(4000)]
    found = near_duplicates(made(tmp_path / "flat", flat, names, ["train"] * 4000))
    assert found.groups == (tuple(i for i in range(4000) if i not in (10, 20)),)
    assert found.pictures == 3997


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Twelve people, two of them under a second name; another has two photographs."""
    drawn = people(12)
    files = {f"{i:02}/{i:02}_0001.png": encoded(drawn[i]) for i in range(12)}
    files["20/20_0001.png"] = encoded(changed(drawn[3], "compressed"))
    files["21/21_0001.png"] = encoded(changed(drawn[5], "darker"))
    files["21/21_0002.png"] = encoded(people(14)[13])
    return fill_folder(tmp_path / "in", files)


def test_groups_share_a_split_and_so_do_their_people(source: Path, tmp_path: Path) -> None:
    for seed in range(4):
        kept = import_images(
            source, tmp_path / f"kept{seed}", holdout=0.5, seed=seed, duplicates="keep"
        )
        grouped = import_images(source, tmp_path / f"grouped{seed}", holdout=0.5, seed=seed)
        assert grouped.names == kept.names
        side = dict(zip(grouped.names, grouped.splits, strict=True))
        before = dict(zip(kept.names, kept.splits, strict=True))
        together = (
            ("03_0001.png", "20_0001.png"),
            ("05_0001.png", "21_0001.png", "21_0002.png"),
        )
        for group in together:
            expected = {"train"} if "train" in {before[n] for n in group} else {"holdout"}
            assert {side[name] for name in group} == expected
        others = set(side) - {name for group in together for name in group}
        assert all(side[name] == before[name] for name in others)
        about = grouped.card["near_duplicates"]
        assert about["treatment"] == "group"
        assert about["several_identities"] == [
            ["03_0001.png", "20_0001.png"],
            ["05_0001.png", "21_0001.png"],
        ]
        assert about["groups_across_splits"] == kept.card["near_duplicates"]["groups_across_splits"]
        Dataset.open(grouped.path, verify=True)


def test_thinned_to_one(source: Path, tmp_path: Path) -> None:
    thin = import_images(source, tmp_path / "thin", duplicates="thin", resolution=32)
    assert not {"20_0001.png", "21_0001.png"} & set(thin.names)
    assert "21_0002.png" in thin.names
    assert len(thin) == 13 == thin.card["counts"]["kept"]
    assert thin.card["near_duplicates"]["pictures"] == 2
    assert near_duplicates(thin).groups == ()
    Dataset.open(thin.path, verify=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in", "thin"]


def test_official_splits_are_left_as_they_are(tmp_path: Path, source: Path) -> None:
    lines = {}
    for number, file in enumerate(sorted(source.rglob("*.png"))):
        lines[f"{number:06}.jpg"] = file.read_bytes()
    celeba = fill_folder(tmp_path / "img_align_celeba", lines)
    parts = "".join(f"{name} {2 * (i % 2)}\n" for i, name in enumerate(sorted(lines)))
    (tmp_path / "list_eval_partition.txt").write_text(parts, "utf-8")
    official = import_images(celeba, tmp_path / "official")
    assert official.card["split"] == "official"
    assert official.card["near_duplicates"]["treatment"] == "keep"
    assert official.splits == ["holdout" if i % 2 else "train" for i in range(len(official))]


def test_all_faces_of_a_photograph_go_together(tmp_path: Path) -> None:
    two = photograph(720, 400, (Square(200, 200, 260), 3), (Square(560, 210, 200), 1))
    alone = photograph(640, 400, (Square(330, 200, 260), 3))
    files = {"two.png": encoded(two), "again.png": encoded(alone)}
    others = {
        f"{seed}.png": encoded(photograph(640, 400, (Square(330, 200, 260), seed)))
        for seed in (0, 2, 4, 6)
    }
    source = fill_folder(tmp_path / "in", files | others)
    sides = set()
    for seed in range(5):
        faces = import_images(
            source, tmp_path / str(seed), align=Alignment(), holdout=0.5, seed=seed
        )
        mine = {side for side, of in zip(faces.splits, faces.sources, strict=True) if of in files}
        assert len(mine) == 1
        sides |= mine
    assert len(sides) == 2


def test_nobody_finds_a_dataset_before_its_duplicates_are_treated(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is killed in between must not leave a dataset whose split leaks."""
    out, seen = tmp_path / "out", []

    def killed(made: Dataset, *about: object) -> Path:
        seen.append((len(made), out.exists()))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(importer, "treat_duplicates", killed)
        with pytest.raises(KeyboardInterrupt):
            import_images(source, out)
    assert list(tmp_path.glob("*out*")) == []
    made = import_images(source, out)
    assert seen == [(len(made), False)]
    assert made.card["near_duplicates"]["treatment"] == "group"
    assert sorted(each.name for each in out.iterdir()) == [
        *("dataset.json", "dropped.csv", "images.npy", "items.csv")
    ]


@pytest.mark.parametrize("treatment", ["group", "thin"])
def test_where_duplicates_leave_nobody_held_out_it_is_told(
    tmp_path: Path, treatment: Literal["group", "thin"]
) -> None:
    drawn = people(1)[0]
    files = {"0.png": encoded(drawn), "1.png": encoded(changed(drawn, "compressed"))}
    source, out = fill_folder(tmp_path / "in", files), tmp_path / "out"

    def splits(seed: int) -> list[str]:
        first = import_images(
            source, out, holdout=0.5, seed=seed, duplicates="keep", overwrite=True
        )
        assert "notes" not in first.card or set(first.splits) == {"train"}
        return first.splits

    seed = next(seed for seed in range(100) if splits(seed) == ["train", "holdout"])
    with pytest.raises(DataError, match="near duplicates to train on, so none are"):
        import_images(
            source, tmp_path / "strict", holdout=0.5, seed=seed, duplicates=treatment, strict=True
        )
    assert not (tmp_path / "strict").exists()
    told = import_images(source, out, holdout=0.5, seed=seed, duplicates=treatment, overwrite=True)
    assert set(told.splits) == {"train"}
    (note,) = told.card["notes"]
    assert "near duplicates to train on, so none are" in note
    assert told.card["near_duplicates"]["groups"] == 1


def test_unknown_treatments_are_refused(source: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="group, thin, keep"):
        import_images(source, tmp_path / "out", duplicates="drop")  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_rewriting_keeps_everything_and_chooses_rows(tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    names = [f"{i}.png" for i in range(6)]
    labels.write_text("file,age\n" + "".join(f"{n},{i}\n" for i, n in enumerate(names)), "utf-8")
    source = fill_folder(
        tmp_path / "in",
        {n: encoded(p) for n, p in zip(names, people(6), strict=True)} | {"bad.png": b"x"},
    )
    first = import_images(source, tmp_path / "first", labels=labels, licence="CC0-1.0", holdout=0)
    whole = rewrite(first, tmp_path / "whole")
    assert whole.fingerprint == first.fingerprint
    assert {**whole.card, "created_with": ""} == {**first.card, "created_with": ""}
    assert (whole.path / "dropped.csv").read_bytes() == (first.path / "dropped.csv").read_bytes()

    brightness = first.images.mean((1, 2, 3))
    some = rewrite(
        first,
        tmp_path / "some",
        rows=np.array([1, 4]),
        splits=["train", "train", "train", "train", "holdout", "train"],
        measures={"brightness": brightness},
        card={"note": "less"},
    )
    assert some.names == ["1.png", "4.png"]
    assert some.splits == ["train", "holdout"]
    assert some.labels is not None
    assert some.labels[:, 0].tolist() == [1, 4]
    assert some.measures["brightness"] == pytest.approx(brightness[[1, 4]], rel=1e-5)
    assert some.card["licence"] == "CC0-1.0"
    assert some.card["note"] == "less"
    again = Dataset.open(treat_duplicates(some, tmp_path / "other", "keep"))
    assert again.fingerprint == some.fingerprint
