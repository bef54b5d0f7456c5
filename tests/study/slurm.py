"""A SLURM of this machine: `sbatch`, `srun`, `sacct`, `scancel`, as far as submitit needs them.

A folder with these four names, each a script that calls `main` here; jobs are processes.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

_STUB = """#!{python}
import sys
sys.path.insert(0, {here!r})
from slurm import main
main({name!r}, {home!r})
"""


def install(home: Path) -> Path:
    """Write the four programs; the folder to put first on the path."""
    programs = home / "bin"
    programs.mkdir(parents=True)
    (home / "jobs").mkdir()
    for name in ("sbatch", "srun", "sacct", "scancel"):
        script = programs / name
        here = str(Path(__file__).parent)
        script.write_text(
            _STUB.format(python=sys.executable, here=here, name=name, home=str(home)), "utf-8"
        )
        script.chmod(0o755)
    return programs


def jobs(home: Path) -> dict[str, str]:
    """Every job and its state."""
    return {path.name: _state(path) for path in sorted((home / "jobs").iterdir()) if path.is_dir()}


def scripts(home: Path) -> list[str]:
    """What was submitted, in order."""
    return [(path / "script").read_text("utf-8") for path in sorted((home / "jobs").iterdir())]


def lose(home: Path, job: str) -> None:
    """A node dies: all that ran there is gone, without a word."""
    folder = home / "jobs" / job
    (folder / "state").write_text("NODE_FAIL", "utf-8")
    _kill(folder, signal.SIGKILL)


def _state(folder: Path) -> str:
    if (folder / "state").exists():
        return (folder / "state").read_text("utf-8")
    if (folder / "status").exists():
        return "COMPLETED" if (folder / "status").read_text("utf-8").strip() == "0" else "FAILED"
    return "RUNNING"


def _kill(folder: Path, number: int) -> None:
    """Signal every process of a job: as SLURM, by what they carry in their environment."""
    mark = f"SLURM_JOB_ID={folder.name}".encode()
    home = f"FAKE_SLURM={folder.parent.parent}".encode()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            carried = (process / "environ").read_bytes().split(b"\0")
            if mark in carried and home in carried:
                os.kill(int(process.name), number)
        except OSError:
            continue


def main(name: str, home: str) -> None:
    """Be one of the programs."""
    arguments = sys.argv[1:]
    {"sbatch": _sbatch, "srun": _srun, "sacct": _sacct, "scancel": _scancel}[name](
        arguments, Path(home)
    )


def _sbatch(arguments: list[str], home: Path) -> None:
    number = str(100 + len(list((home / "jobs").iterdir())))
    folder = home / "jobs" / number
    folder.mkdir()
    script = Path(arguments[-1]).read_text("utf-8")
    (folder / "script").write_text(script, "utf-8")
    place = {"SLURM_JOB_ID": number, "FAKE_SLURM": str(home), "SLURM_JOB_NODELIST": "here"}
    place |= {"SLURM_NTASKS": "1", "SLURM_JOB_NUM_NODES": "1", "SLURM_NODEID": "0"}
    place |= {"SLURM_PROCID": "0", "SLURM_LOCALID": "0"}
    subprocess.Popen(
        ["bash", "-c", f"bash {folder}/script; echo $? > {folder}/status"],
        env=os.environ | place,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    print(f"Submitted batch job {number}")


def _srun(arguments: list[str], home: Path) -> None:
    while arguments[0].startswith("--"):
        option = arguments.pop(0)
        if option in ("--output", "--error"):
            arguments.pop(0)
    sys.exit(subprocess.call(arguments))


def _sacct(arguments: list[str], home: Path) -> None:
    print("JobID|State|NodeList")
    for number, state in jobs(home).items():
        print(f"{number}|{state}|here")


def _scancel(arguments: list[str], home: Path) -> None:
    for number in arguments:
        folder = home / "jobs" / number
        if folder.exists() and _state(folder) == "RUNNING":
            (folder / "state").write_text("CANCELLED", "utf-8")
            _kill(folder, signal.SIGTERM)
