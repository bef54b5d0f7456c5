"""A virtual environment for each peer, around one PyTorch that all of them see.

PyTorch with CUDA takes five gigabytes, so it is installed once, in `shared`; the others see
its packages through a .pth file. Only the libraries differ between two measurements.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from peers.roster import REFERENCE, Peer

PROJECT = Path(__file__).parents[2]
# Releases that belong together, and that pip may not replace for a peer.
TORCH = ("torch==2.14.1", "torchvision==0.29.1")

Command = list[str]
Run = Callable[[Command], None]


class InstallError(Exception):
    """An environment that cannot be made; the message is pip's last line."""


def prepare(peer: Peer, folder: Path, run: Run | None = None) -> Path:
    """Make a peer's environment, or find it made.

    Args:
        peer: whose.
        folder: where all environments are.
        run: runs a command; raises InstallError.

    Returns:
        The environment's Python.

    Raises:
        InstallError: something cannot be installed.
    """
    if peer.requirements is None:
        return Path(sys.executable)
    if peer.environment == REFERENCE:
        peer = replace(peer, requirements=_of_project())
    run = run or _run
    folder.mkdir(parents=True, exist_ok=True)
    pins = folder / "pins.txt"
    pins.write_text("\n".join(TORCH) + "\n")
    shared = folder / "shared"
    _once(shared, shared_commands(shared), run)
    home = folder / peer.environment
    commands = peer_commands(peer, folder)
    _once(home, commands[:1], run)
    paths = [site_packages(shared)]
    if peer.environment == REFERENCE:
        paths.append(PROJECT / "src")
    (site_packages(home) / "beside.pth").write_text("".join(f"{path}\n" for path in paths))
    _once(home, commands, run)
    return python_of(home)


def shared_commands(home: Path) -> list[Command]:
    """What makes the environment that holds PyTorch."""
    pip = [str(python_of(home)), "-m", "pip", "install", "--no-compile", "--quiet"]
    return [[sys.executable, "-m", "venv", str(home)], [*pip, *TORCH]]


def peer_commands(peer: Peer, folder: Path) -> list[Command]:
    """What makes a peer's environment. First the environment itself, then what is in it."""
    home = folder / peer.environment
    commands = [[sys.executable, "-m", "venv", "--without-pip", str(home)]]
    # The shared environment's pip, working on this one: it counts what both have as installed.
    pip = [str(python_of(folder / "shared")), "-m", "pip", "--python", str(python_of(home))]
    install = [*pip, "install", "--no-compile", "--quiet", "-c", str(folder / "pins.txt")]
    if peer.bare:
        commands.append([*install, "--no-deps", *peer.bare])
    if peer.requirements:
        commands.append([*install, *peer.requirements])
    return commands


def python_of(home: Path) -> Path:
    """An environment's Python."""
    return home / "bin" / "python"


def site_packages(home: Path) -> Path:
    """Where an environment keeps its packages."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return home / "lib" / version / "site-packages"


def _once(home: Path, commands: Sequence[Command], run: Run) -> None:
    """Run those commands that have not made this environment already."""
    stamp = home / "made-by.json"
    made = json.loads(stamp.read_text()) if stamp.exists() else []
    for command in commands:
        if command in made:
            continue
        run(command)
        made.append(command)
        home.mkdir(parents=True, exist_ok=True)
        stamp.write_text(json.dumps(made, indent=1))


def _of_project() -> tuple[str, ...]:
    """What facegan requires, but for PyTorch."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]
    return tuple(each for each in project["dependencies"] if not each.startswith("torch"))


def _run(command: Command) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise InstallError((errors or done.stderr.splitlines() or ["pip failed"])[-1])
