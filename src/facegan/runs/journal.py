"""Append-only JSON lines, keyed by `images_seen`, that survive a crash and a resume.

`metrics.jsonl` holds what the run computed and is the same, byte for byte, whether or not
the run was interrupted. What differs from machine to machine (seconds, images a second)
goes to `timing.jsonl`, with the same keys, so that the two can be joined.

A checkpoint counts on the lines before it, so they are synced before it is written, and it
keeps a copy of them: what a power cut or a hand took from the file is put back.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

from facegan.budget import MOST_IMAGES
from facegan.disk import sync
from facegan.errors import storage
from facegan.files import write_text
from facegan.parsing import parse_json

# Seconds that no run lasts.
_LONGEST = 1e12


class Journal:
    """One file of JSON lines.

    Args:
        path: the file; created when the first line is written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, line: dict[str, Any], durable: bool = False) -> None:
        """Add one line; it must have `images_seen`.

        A torn line before it, which a full disk or a crash left, is ended first. Where this one
        cannot be written whole, nothing of it stays.

        Args:
            line: what to add.
            durable: whether it must be on the disk when this returns.

        Raises:
            StorageError: it cannot be written.
        """
        assert "images_seen" in line
        text = json.dumps(line) + "\n"
        with storage(self.path), self.path.open("a+b", buffering=0) as file:
            before = file.seek(0, os.SEEK_END)
            if before:
                file.seek(before - 1)
                if file.read(1) != b"\n":
                    text = "\n" + text
            data = text.encode()
            try:
                written = 0
                while written < len(data):
                    written += file.write(data[written:])
                if durable:
                    os.fsync(file.fileno())
            except BaseException:
                with contextlib.suppress(OSError):
                    file.truncate(before)
                raise

    def sync(self) -> bytes:
        """Force the file to the disk; its content, empty where there is no file."""
        with storage(self.path):
            if not self.path.exists():
                return b""
            sync(self.path)
            sync(self.path.parent)
            return self.path.read_bytes()

    def lines(self) -> list[dict[str, Any]]:
        """Every whole line; one that a crash cut short, or that is damaged, is left out."""
        return _lines(self.path.read_bytes()) if self.path.exists() else []

    def restore(self, copy: bytes) -> int:
        """Put back lines that `copy`, the file's content as it once was, has and the file lacks.

        Returns:
            How many were missing.
        """
        before = [json.dumps(line) for line in _lines(copy)]
        now = [json.dumps(line) for line in self.lines()]
        missing = Counter(before) - Counter(now)
        if missing:
            known = Counter(before)
            kept = list(before)
            for line in now:
                if known[line] > 0:
                    known[line] -= 1
                else:
                    kept.append(line)
            write_text(self.path, "".join(f"{line}\n" for line in kept))
        return missing.total()

    def rewind(self, images_seen: int, copy: bytes = b"") -> None:
        """Forget what was written after a checkpoint, which the resumed run will write again.

        What somebody measured apart from the training stays: nothing would write it again.

        Args:
            images_seen: where the checkpoint was taken.
            copy: the file's content as it was then: of several lines with that `images_seen`,
                those stay which it has. Without it, all of them.
        """
        if self.path.exists():
            known = [json.dumps(line) for line in _lines(copy)]
            kept = [
                line
                for line in self.lines()
                if line["images_seen"] < images_seen
                or _measured_apart(line)
                or (line["images_seen"] == images_seen and (not known or json.dumps(line) in known))
            ]
            write_text(self.path, "".join(json.dumps(line) + "\n" for line in kept))


def trained_to(lines: list[dict[str, Any]]) -> int:
    """How far training came by these lines of a journal, in images; 0 where there is none."""
    return max((line["images_seen"] for line in lines if not _measured_apart(line)), default=0)


def measured_to(lines: list[dict[str, Any]]) -> int:
    """Where a training last measured itself by these lines, in images; 0 where it never did."""
    own = [line for line in lines if "evaluation" in line and not _measured_apart(line)]
    return max((line["images_seen"] for line in own), default=0)


def seconds_so_far(timing: list[dict[str, Any]]) -> float:
    """How long a run has trained by its lines of timing; what is no time in them is passed over."""
    seconds = [line.get("seconds") for line in timing]
    known = [each for each in seconds if isinstance(each, int | float) and 0 <= each < _LONGEST]
    return float(known[-1]) if known else 0.0


def _measured_apart(line: dict[str, Any]) -> bool:
    """Whether a line is an evaluation that was not taken by the training itself."""
    found = line.get("evaluation")
    return isinstance(found, dict) and not found.get("training")


def _lines(content: bytes) -> list[dict[str, Any]]:
    found = []
    # Only "\n" ends a line: others may stand inside a text.
    for text in content.decode("utf-8", "replace").split("\n"):
        try:
            line = parse_json(text)
        except ValueError:
            continue
        if isinstance(line, dict) and _position(line.get("images_seen")):
            found.append(line)
    return found


def _position(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MOST_IMAGES
