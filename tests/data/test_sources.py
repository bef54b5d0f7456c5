"""Folders and archives are listed and read without harm, whatever they hold."""

from __future__ import annotations

import gzip
import os
import stat
import tarfile
import warnings
import zipfile
from pathlib import Path

import pytest
from imagefiles import add_to_tar, fill_folder, fill_tar, fill_zip, png

from facegan.data import sources
from facegan.data.members import SkippedFile
from facegan.data.recognise import open_source
from facegan.data.sources import Source
from facegan.errors import DataError

FILES = {"b/2.png": b"two", "a/1.png": b"one", "a/Zoë 東.png": b"three"}
JUNK = {"__MACOSX/a/._1.png": b"x", "a/.DS_Store": b"x", "a/Thumbs.db": b"x", ".hidden.png": b"x"}


def contents(source: Source) -> dict[str, bytes | str]:
    """Path → content, or the reason why there is none."""
    members = source.members()
    found: dict[str, bytes | str] = {m.path: m.refused.reason for m in members if m.refused}
    readable = {index for index, member in enumerate(members) if not member.refused}
    for index, content in source.read(readable):
        is_reason = isinstance(content, SkippedFile)
        found[members[index].path] = content.reason if is_reason else content
    return found


def make(kind: str, folder: Path, files: dict[str, bytes]) -> Path:
    if kind == "folder":
        return fill_folder(folder / "in", files)
    if kind == "zip":
        return fill_zip(folder / "in.zip", files)
    return fill_tar(folder / "in.tar", files, kind)


KINDS = ["folder", "zip", "w:", "w:gz", "w:bz2", "w:xz"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_gives_its_files_and_passes_over_junk(tmp_path: Path, kind: str):
    source = open_source(make(kind, tmp_path, FILES | JUNK))
    assert contents(source) == FILES
    assert source.junk == 4
    assert [m.path for m in source.members()] == (
        sorted(FILES) if kind == "folder" else list(FILES)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_only_chosen_members_are_given(tmp_path: Path, kind: str):
    source = open_source(make(kind, tmp_path, FILES | JUNK))
    members = source.members()
    wanted = next(i for i, m in enumerate(members) if m.path == "a/1.png")
    assert list(source.read({wanted})) == [(wanted, b"one")]


@pytest.mark.parametrize("kind", ["folder", "zip", "w:gz"])
def test_the_nearest_description_is_found(tmp_path: Path, kind: str):
    files = {"a/dataset.json": b"deep", "dataset.json": b"top", "a/b/dataset.json": b"deeper"}
    source = open_source(make(kind, tmp_path, files))
    source.members()
    assert source.description == ("dataset.json", b"top")


@pytest.mark.parametrize("kind", KINDS)
def test_empty_and_giant_files_are_refused(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sources, "MAX_FILE_BYTES", 100)
    source = open_source(make(kind, tmp_path, {"0": b"", "100": bytes(100), "101": bytes(101)}))
    assert contents(source) == {"0": "empty file", "100": bytes(100), "101": "file too large"}


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_hostile_tar_harms_nothing(tmp_path: Path):
    secret = tmp_path / "secret.png"
    secret.write_bytes(png())
    path = tmp_path / "in" / "hostile.tar"
    path.parent.mkdir()
    with tarfile.open(path, "w") as archive:
        add_to_tar(archive, "fine.png", b"fine")
        add_to_tar(archive, "../escaped.png", b"x")
        add_to_tar(archive, f"{tmp_path}/absolute.png", b"x")
        add_to_tar(archive, "a/../../sly.png", b"x")
        add_to_tar(archive, "C:/windows.png", b"x")
        add_to_tar(archive, "link.png", kind=tarfile.SYMTYPE, to=str(secret))
        add_to_tar(archive, "hard.png", kind=tarfile.LNKTYPE, to="fine.png")
        add_to_tar(archive, "device.png", kind=tarfile.CHRTYPE)
        add_to_tar(archive, "pipe.png", kind=tarfile.FIFOTYPE)
        add_to_tar(archive, "folder.png", kind=tarfile.DIRTYPE)
    before = snapshot(tmp_path)
    assert contents(open_source(path)) == {
        "fine.png": b"fine",
        "../escaped.png": "unsafe path",
        f"{tmp_path}/absolute.png": "unsafe path",
        "a/../../sly.png": "unsafe path",
        "C:/windows.png": "unsafe path",
        "link.png": "link",
        "hard.png": "link",
        "device.png": "not a regular file",
        "pipe.png": "not a regular file",
    }
    assert snapshot(tmp_path) == before


def test_a_hostile_zip_harms_nothing(tmp_path: Path):
    path = tmp_path / "in" / "hostile.zip"
    path.parent.mkdir()
    link = zipfile.ZipInfo("link.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    files = {"fine.png": b"fine", "../escaped.png": b"x", "/absolute.png": b"x"}
    fill_zip(path, files | {"..\\sly.png": b"x", "C:\\windows.png": b"x"})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    before = snapshot(tmp_path)
    assert contents(open_source(path)) == {
        "fine.png": b"fine",
        "../escaped.png": "unsafe path",
        "/absolute.png": "unsafe path",
        "../sly.png": "unsafe path",
        "C:/windows.png": "unsafe path",
        "link.png": "link",
    }
    assert snapshot(tmp_path) == before


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes and links")
def test_links_and_pipes_in_a_folder_are_not_followed(tmp_path: Path):
    folder = fill_folder(tmp_path / "in", {"fine.png": b"fine"})
    (tmp_path / "secret.png").write_bytes(b"secret")
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    (folder / "loop").symlink_to(folder)
    os.mkfifo(folder / "pipe.png")
    assert contents(open_source(folder)) == {
        "fine.png": b"fine",
        "link.png": "link",
        "loop": "link",
        "pipe.png": "not a regular file",
    }


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_files_without_permission_are_refused(tmp_path: Path):
    folder = fill_folder(tmp_path / "in", {"a/1.png": b"x", "2.png": b"x", "3.png": b"fine"})
    (folder / "a").chmod(0)
    (folder / "2.png").chmod(0)
    found = contents(open_source(folder))
    (folder / "a").chmod(0o700)
    assert found == {"a/": "cannot be read", "2.png": "cannot be read", "3.png": b"fine"}


def test_a_file_that_vanishes_is_refused(tmp_path: Path):
    folder = fill_folder(tmp_path / "in", {"1.png": b"x", "2.png": b"y"})
    source = open_source(folder)
    source.members()
    (folder / "1.png").unlink()
    (_, first), (_, second) = source.read({0, 1})
    assert isinstance(first, SkippedFile)
    assert second == b"y"


@pytest.mark.parametrize("kind", ["zip", "w:gz"])
def test_of_equal_names_the_last_is_kept(tmp_path: Path, kind: str):
    path = tmp_path / "in"
    if kind == "zip":
        with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as archive:
            warnings.simplefilter("ignore")
            archive.writestr("1.png", b"old")
            archive.writestr("1.png", b"new")
    else:
        with tarfile.open(path, kind) as archive:
            add_to_tar(archive, "1.png", b"old")
            add_to_tar(archive, "./1.png", b"new")
    source = open_source(path)
    old, new = source.members()
    assert old.refused is not None
    assert old.refused.reason == "duplicate name"
    assert new.refused is None
    assert list(source.read({1})) == [(1, b"new")]


def damage(path: Path, keep: float = 1.0, flip: float | None = None) -> Path:
    data = bytearray(path.read_bytes())
    if flip is not None:
        for offset in range(8):
            data[int(flip * len(data)) + offset] ^= 0xFF
    path.write_bytes(data[: int(keep * len(data))])
    return path


@pytest.mark.parametrize("keep", [0.2, 0.6, 0.85])
@pytest.mark.parametrize("kind", ["zip", "w:", "w:gz", "w:bz2", "w:xz"])
def test_a_truncated_archive_is_refused(tmp_path: Path, kind: str, keep: float):
    files = {f"{i}.png": os.urandom(4000) for i in range(20)}
    path = damage(make(kind, tmp_path, files), keep=keep)
    with pytest.raises(DataError, match="damaged"):
        open_source(path).members()


@pytest.mark.parametrize("kind", ["w:gz", "w:bz2", "w:xz"])
def test_a_corrupted_stream_is_refused(tmp_path: Path, kind: str):
    files = {f"{i}.png": os.urandom(4000) for i in range(20)}
    path = damage(make(kind, tmp_path, files), flip=0.5)
    with pytest.raises(DataError, match="damaged"):
        open_source(path).members()


def test_a_wrong_checksum_at_the_very_end_is_noticed(tmp_path: Path):
    # Padding after the tar's end mark, so that reading the tar alone never gets there.
    plain = make("w:", tmp_path, FILES).read_bytes() + bytes(3 << 20)
    data = bytearray(gzip.compress(plain))
    path = tmp_path / "in.tgz"
    path.write_bytes(data)
    assert len(open_source(path).members()) == len(FILES)
    data[-6] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match="damaged"):
        open_source(path).members()


def test_a_tar_with_a_broken_header_in_the_middle_is_refused(tmp_path: Path):
    path = make("w:", tmp_path, {"1.png": b"x", "2.png": b"y"})
    data = bytearray(path.read_bytes())
    data[1024:1100] = b"?" * 76
    path.write_bytes(data)
    with pytest.raises(DataError, match="damaged"):
        open_source(path).members()


def test_one_corrupted_member_of_a_zip_is_left_out(tmp_path: Path):
    files = {f"{i}.png": os.urandom(4000) for i in range(3)}
    path = damage(make("zip", tmp_path, files), flip=0.5)
    found = contents(open_source(path))
    assert found["1.png"] == "damaged in the archive"
    assert found["0.png"] == files["0.png"]
    assert found["2.png"] == files["2.png"]


def test_an_encrypted_zip_is_refused(tmp_path: Path):
    path = make("zip", tmp_path, FILES)
    data = bytearray(path.read_bytes())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + place] |= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match="encrypted"):
        open_source(path).members()


@pytest.mark.parametrize("kind", ["zip", "w:gz", "w:bz2", "w:xz"])
def test_a_decompression_bomb_is_refused(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
):
    path = make(kind, tmp_path, {"1.png": bytes(5 << 20)})
    assert len(open_source(path).members()) == 1
    monkeypatch.setattr(sources, "RATIO_FLOOR", 1 << 20)
    with pytest.raises(DataError, match="decompression bomb"):
        open_source(path).members()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.zip", b"", "is empty"),
        ("note.txt", b"hello", "not an archive"),
        ("one.png", png(), "not an archive"),
        ("other.7z", b"7z\xbc\xaf\x27\x1c" + bytes(99), "not an archive"),
        ("text.gz", b"\x1f\x8b\x08nonsense", "damaged"),
        ("bad.zip", b"PK\x03\x04" + bytes(99), "damaged"),
    ],
)
def test_what_is_no_archive_is_named(tmp_path: Path, name: str, content: bytes, message: str):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        open_source(tmp_path / name).members()
    assert message in caught.value.message
    assert name in caught.value.message
    assert caught.value.hint


def test_a_missing_source_is_named(tmp_path: Path):
    with pytest.raises(DataError, match="There is nothing at"):
        open_source(tmp_path / "nothing")


@pytest.mark.parametrize("given", [str, Path])
def test_an_address_is_named_whole(given: type):
    with pytest.raises(DataError, match=r"https://example\.org/faces\.zip is an address") as caught:
        open_source(given("https://example.org/faces.zip"))
    assert "Download" in caught.value.hint
