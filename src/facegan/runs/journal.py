"""Append-only JSON lines, keyed by `images_seen`, that survive a crash and a resume.

`metrics.jsonl` holds what the run computed and is the same, byte for byte, whether or not
the run was interrupted. What differs from machine to machine (seconds, images a second)
goes to `timing.jsonl`, with the same keys, so that the two can be joined.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from facegan.errors import storage
from facegan.files import write_text


class Journal:
    """One file of JSON lines.

    Args:
        path: the file; created when the first line is written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, line: dict[str, Any]) -> None:
        """Add one line; it must have `images_seen`."""
        assert "images_seen" in line
        with storage(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def lines(self) -> list[dict[str, Any]]:
        """Every whole line; a last one that a crash cut short is left out."""
        if not self.path.exists():
            return []
        found = []
        for text in self.path.read_text("utf-8", errors="replace").splitlines():
            try:
                line = json.loads(text)
            except ValueError:
                continue
            if isinstance(line, dict) and "images_seen" in line:
                found.append(line)
        return found

    def rewind(self, images_seen: int) -> None:
        """Forget what was written after a checkpoint, which the resumed run will write again."""
        if self.path.exists():
            kept = [line for line in self.lines() if line["images_seen"] <= images_seen]
            write_text(self.path, "".join(json.dumps(line) + "\n" for line in kept))
