"""The short form of `benchmarks/injected_faults.py`: faults in real commands, each in a process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the faulty disk is for Linux")

# Writes a file well (synced, renamed, its folder synced) and one badly, then meets the fault.
WRITES = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from faulty_disk import FaultyDisk
root = Path(sys.argv[2])
root.mkdir()
(root / "old").write_text("as it was")
disk = FaultyDisk(root, sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
disk.install()
with open(root / ".beside", "w") as file:  # 1 creates it, 2 writes
    file.write("well")
    file.flush()
    os.fsync(file.fileno())  # 3
os.replace(root / ".beside", root / "well")  # 4
folder = os.open(root, os.O_RDONLY)
os.fsync(folder)  # 5
(root / "old").write_text("badly")  # 6 empties it, 7 writes
(root / "new").write_text("badly")  # 8 creates it, 9 writes
(root / "never").mkdir()  # 10; all that is killed meets the opening of the folder, too
"""


def after(root: Path, fault: str, at: int, seed: int = 0) -> tuple[int, dict[str, str]]:
    """How the writer ended, and what is in its folder then."""
    command = [sys.executable, "-c", WRITES, str(FOLDER), str(root), fault, str(at), str(seed)]
    status = subprocess.run(command, capture_output=True, text=True).returncode
    return status, {path.name: path.read_text() for path in sorted(root.iterdir())}


def test_the_disk_fails_as_disks_do(tmp_path: Path) -> None:
    well = {"old": "as it was", "well": "well"}
    assert after(tmp_path / "a", "kill", 11) == (-9, well | {"new": "badly", "old": "badly"})
    assert after(tmp_path / "b", "kill", 4) == (-9, {".beside": "well", "old": "as it was"})
    status, found = after(tmp_path / "c", "ENOSPC", 2)
    assert status == 1
    assert found == {".beside": found[".beside"], "old": "as it was"}
    lost = [after(tmp_path / f"d{seed}", "power cut", 10, seed) for seed in (1, 10)]
    assert all(status == -9 for status, _ in lost)
    assert all(found["well"] == "well" for _, found in lost)
    assert well in [found for _, found in lost]  # all that was not synced is gone
    assert "new" in lost[1][1]  # or some of it
    assert "new" not in after(tmp_path / "e", "power cut", 5, 2)[1]


def test_nothing_is_lost_and_nothing_is_silent(tmp_path: Path) -> None:
    """Whatever operation fails, the command that runs again ends with the same bytes."""
    script = [sys.executable, str(FOLDER / "injected_faults.py"), "--faults", "40", "--seed", "1"]
    done = subprocess.run(
        [*script, "--only", "data import"],
        capture_output=True,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    (row,) = [line for line in done.stdout.splitlines() if line.startswith("| data import")]
    faults, killed, cut, told, went_on, traceback, differed = map(int, row.split("|")[2:-1])
    assert faults == killed + cut + told + went_on == 40
    assert (killed, cut, traceback, differed) == (10, 10, 0, 0)
    assert told > 0
