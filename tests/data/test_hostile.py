"""Small files that ask for much: of memory, of time, or of what lies beside them."""

from __future__ import annotations

import gc
import io
import struct
import tarfile
import threading
import tracemalloc
import weakref
import zlib
from pathlib import Path

import numpy as np
import pytest
from imagefiles import encoded, jpeg, png, scene

from facegan import portraits
from facegan.data import importer, verification
from facegan.data.archives import TarSource
from facegan.data.dataset import Dataset
from facegan.data.decode import MAX_SCANS, Room, Shape, decode
from facegan.data.import_log import ImportLog
from facegan.data.importer import import_images
from facegan.data.layouts import recognise
from facegan.data.members import SkippedFile
from facegan.data.sources import Member
from facegan.data.verification import verified
from facegan.errors import DataError

SHAPE = Shape(8, min_size=1)


def checked(header: bytearray) -> bytes:
    """A tar header with its checksum."""
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header[:512])
    return bytes(header)


def tar_header(name: str, kind: bytes = b"0", size: int = 0) -> bytearray:
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return bytearray(info.tobuf(tarfile.GNU_FORMAT))


def sparse(name: str, size: int) -> bytes:
    header = tar_header(name, b"S")
    header[386:410] = b"%011o\0" % 0 + b"%011o\0" % 0
    header[483:495] = b"%011o\0" % size
    return checked(header)


def pax(said: bytes, member: bytes = b"x" * 10) -> bytes:
    """A tar of one picture with a pax header that says this."""
    parts = [bytes(tar_header("p", b"x", len(said))), said, bytes(-len(said) % 512)]
    parts += [bytes(tar_header("n.png", size=len(member))), member, bytes(-len(member) % 512)]
    return b"".join([*parts, bytes(1024)])


def record(key: str, value: str) -> bytes:
    length = len(key) + len(value) + 3
    while length != len(str(length)) + len(key) + len(value) + 3:
        length = len(str(length)) + len(key) + len(value) + 3
    return f"{length} {key}={value}\n".encode()


def test_members_with_holes_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    header = tar_header("b.png", size=len(png()))
    good = bytes(header) + png() + bytes(-len(png()) % 512)
    path.write_bytes(sparse("a.png", 200 << 20) + good + bytes(1024))
    source = TarSource(path)
    a, b = source.members()
    assert a.refused is not None
    assert a.refused.reason == "sparse file"
    tracemalloc.start()
    assert dict(source.read({0, 1})) == {1: png()}
    assert tracemalloc.get_traced_memory()[1] < 50 << 20
    tracemalloc.stop()
    assert b.refused is None


@pytest.mark.parametrize("how", ["2^88", "10^4000"])
def test_sizes_beyond_any_archive_do_not_hang(tmp_path: Path, how: str) -> None:
    path = tmp_path / "a.tar"
    if how == "2^88":
        header = tar_header("a.png")
        header[124:136] = b"\x80" + b"\xff" * 11
        path.write_bytes(checked(header) + bytes(1024))
    else:
        path.write_bytes(pax(record("size", "1" + "0" * 4000)))
    with pytest.raises(DataError, match="damaged"):
        TarSource(path).members()


@pytest.mark.parametrize(
    "said",
    [
        b"9" * 5000 + b" path=a\n",
        record("GNU.sparse.map", "a,b") + record("GNU.sparse.size", "9"),
        record("GNU.sparse.map", "0,1") + record("GNU.sparse.size", "zz"),
        record("GNU.sparse.major", "1")
        + record("GNU.sparse.minor", "0")
        + record("GNU.sparse.realsize", "9"),
        record("size", "-5"),
    ],
    ids=range(5),
)
def test_damaged_tars_are_refused_by_name(tmp_path: Path, said: bytes) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(pax(said))
    with pytest.raises(DataError, match=r"a\.tar"):
        import_images(path, tmp_path / "out", resolution=8)


def test_a_zip_whose_member_has_no_name_is_refused(tmp_path: Path) -> None:
    local = struct.pack("<IHHHHHIIIHH", 0x04034B50, 20, 0, 0, 0, 0, 0x8CDC1683, 1, 1, 0, 0) + b"x"
    entry = struct.pack("<IHHHHHHI", 0x02014B50, 20, 20, 0, 0, 0, 0, 0x8CDC1683)
    entry += struct.pack("<IIHHHHHII", 1, 1, 0, 0, 0, 0, 0, 0, 0)
    end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 1, 1, len(entry), len(local), 0)
    path = tmp_path / "a.zip"
    path.write_bytes(local + entry + end)
    with pytest.raises(DataError, match=r"a\.zip"):
        import_images(path, tmp_path / "out", resolution=8)


def test_dropped_files_are_let_go() -> None:
    class Bytes(bytearray):
        """What a file held, of which it can be seen whether anybody keeps it."""

    kept = []

    def damaged(content: Bytes) -> None:
        kept.append(weakref.ref(content))
        try:
            raise ValueError("x" * 10_000)
        except ValueError as error:
            raise SkippedFile("damaged image", str(error)) from error

    import_log = ImportLog([Member("a.png", 1), Member("b.png", 1)], frozenset())
    for index in range(2):
        try:
            damaged(Bytes(b"x"))
        except SkippedFile as unusable:
            import_log.drop(index, unusable)
    gc.collect()
    assert [each() for each in kept] == [None, None]
    assert import_log.reasons == {"damaged image": 2}
    assert len(import_log.dropped_csv()) < 1000


def png_of_16_bits(side: int, channels: int) -> bytes:
    """A PNG of zeros, 16 bits a channel, as small as it can be."""
    colour = {1: 0, 3: 2, 4: 6}[channels]
    rows = zlib.compress(bytes((1 + 2 * channels * side) * side), 9)

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", side, side, 16, colour, 0, 0, 0)
    head = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    return head + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_16_bits_are_scaled_in_strips(channels: int) -> None:
    side = 1600
    data = png_of_16_bits(side, channels)
    tracemalloc.start()  # sees NumPy's arrays: the wide numbers are among them
    assert decode(data, SHAPE).pixels.shape == (8, 8, 3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Two bytes a channel decoded, one scaled, and room for a strip.
    assert peak < side * side * (2 + 1) * channels + 3 * side * side + 40 * (1 << 20)


def test_threads_share_a_budget_of_memory() -> None:
    room, inside, most = Room(10), [0], [0]
    lock = threading.Lock()
    go, done = threading.Barrier(8), []

    def work(size: int) -> None:
        go.wait()
        for _ in range(50):
            with room.taken(size):
                with lock:
                    inside[0] += size
                    most[0] = max(most[0], inside[0])
                with lock:
                    inside[0] -= size
        done.append(size)

    threads = [threading.Thread(target=work, args=(size,)) for size in (1, 2, 3, 4, 4, 6, 9, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == [1, 2, 3, 4, 4, 6, 9, 10]
    assert most[0] <= 10
    with room.taken(1000):  # alone, what is larger than all of it is let in
        pass


def test_plain_netpbm_is_refused_and_binary_read() -> None:
    pixels = scene(8, 8)
    assert np.array_equal(decode(encoded(pixels, "PPM"), SHAPE).pixels, pixels)
    with_comment = b"P6\n# a comment\n8 8\n# another\n255\n" + pixels.tobytes()
    assert np.array_equal(decode(with_comment, SHAPE).pixels, pixels)
    plain = b"P3\n8 8\n255\n" + b" ".join(b"%d" % v for v in pixels.reshape(-1)) + b"\n"
    comments = b"P6\n" + b"#" * 1_000_000 + b"\n8 8\n255\n" + pixels.tobytes()
    for data in (plain, b"P2\n1 1\n255\n0\n", b"P1 1 1 0", comments):
        with pytest.raises(SkippedFile, match="not an image"):
            decode(data, SHAPE)


def test_scans_of_a_jpeg_are_counted() -> None:
    progressive = encoded(scene(), "JPEG", progressive=True)
    scans = progressive.count(b"\xff\xda")
    assert 5 < scans < MAX_SCANS
    assert decode(progressive, Shape(8)).pixels.shape == (8, 8, 3)
    begin = progressive.rindex(b"\xff\xda")
    many = progressive[:begin] + progressive[begin:-2] * MAX_SCANS + progressive[-2:]
    with pytest.raises(SkippedFile, match="too many scans"):
        decode(many, Shape(8))
    assert decode(jpeg(), Shape(8)).pixels.shape == (8, 8, 3)


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize("worth", [0, 1 << 40])
def test_a_fingerprint_is_computed_and_not_believed(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch, worth: int
) -> None:
    monkeypatch.setattr(verification, "_WORTH_A_NOTE", worth)
    first, second = (tmp_path / name for name in ("first", "second"))
    portraits.write(first, 20, 32, seed=1)
    portraits.write(second, 20, 32, seed=2)
    assert verified(Dataset.open(first)).fingerprint == Dataset.open(first).fingerprint
    # A dataset that claims to be another.
    card = (second / "dataset.json").read_text()
    claims = card.replace(Dataset.open(second).fingerprint, Dataset.open(first).fingerprint)
    (second / "dataset.json").write_text(claims)
    with pytest.raises(DataError, match="has changed since it was made"):
        verified(Dataset.open(second))
    (second / "dataset.json").write_text(card)
    verified(Dataset.open(second))
    # One that was edited in place after it was looked at.
    with (second / "images.npy").open("r+b") as file:
        file.seek(200)
        file.write(b"\1\2\3")
    with pytest.raises(DataError, match="has changed since it was made"):
        verified(Dataset.open(second))


def test_what_is_unchanged_is_not_read_again(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    portraits.write(tmp_path / "dataset", 20, 32)
    monkeypatch.setattr(verification, "_WORTH_A_NOTE", 0)
    read: list[Dataset] = []
    whole = Dataset.verify
    monkeypatch.setattr(Dataset, "verify", lambda dataset: (read.append(dataset), whole(dataset)))
    for _ in range(3):
        verified(Dataset.open(tmp_path / "dataset"))
    assert len(read) == 1
    # The note is a note: without it, and where it cannot be kept, the content is read.
    for note in own_cache.rglob("*.json"):
        note.write_text("{}")
    verified(Dataset.open(tmp_path / "dataset"))
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path / "dataset" / "items.csv"))
    verified(Dataset.open(tmp_path / "dataset"))
    assert len(read) == 3


def test_overwrite_takes_nothing_that_it_did_not_write(tmp_path: Path) -> None:
    dataset = tmp_path / "dataset"
    portraits.write(dataset, 20, 32)
    notes = dataset / "runs" / "a" / "notes.txt"
    notes.parent.mkdir(parents=True)
    notes.write_text("irreplaceable")
    before = Dataset.open(dataset).fingerprint
    with pytest.raises(DataError, match=r"holds what does not belong to its dataset.*runs"):
        portraits.write(dataset, 20, 32, seed=1, overwrite=True)
    assert notes.read_text() == "irreplaceable"
    assert Dataset.open(dataset, verify=True).fingerprint == before
    notes.unlink()
    notes.parent.rmdir()
    notes.parent.parent.rmdir()
    portraits.write(dataset, 20, 32, seed=1, overwrite=True)
    assert Dataset.open(dataset, verify=True).fingerprint != before


def test_an_import_may_be_replaced_with_its_list_of_dropped_files(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for seed in range(4):
        (source / f"{seed}.png").write_bytes(png(seed))
    (source / "a.txt").write_bytes(b"no picture")
    for resolution in (8, 16):
        made = import_images(
            source, tmp_path / "out", resolution=resolution, holdout=0.0, overwrite=True
        )
        assert (made.path / importer.DROPPED).exists()
    assert made.spec.resolution == 16
    assert io.StringIO((made.path / importer.DROPPED).read_text()).readline()


def test_class_numbers_take_no_columns_before_they_are_joined() -> None:
    """10,000 entries of 4,096 classes would be 160 MB as columns; two of them have a picture."""
    entries = ",".join(f'["{i}.png",{i % 4096}]' for i in range(10_000))
    source = TarSource(Path("nowhere.tar"))
    source.description = ("dataset.json", f'{{"labels":[{entries}]}}'.encode())
    tracemalloc.start()
    table = recognise(source, ["5.png", "4100.png"]).labels
    assert table is not None
    joined = table.join(["5.png", "x.png", "4100.png"])
    values = joined.values([0, 1, 2])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 << 20
    assert values.shape == (3, 4096)
    assert values[[0, 2], [5, 4]].tolist() == [1, 1]
    assert np.isnan(values[1]).all()
    assert values[0].sum() == values[2].sum() == 1
    assert (joined.unused_rows, joined.matched.tolist()) == (9_998, [True, False, True])
