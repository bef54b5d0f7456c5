"""Measurements on disk, so that a comparison can be stopped and gone on with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class OtherSettings(Exception):
    """What is kept was measured differently; the message says what to do."""


class Results:
    """All measurements of one comparison.

    Attributes:
        path: the JSON file, which is whole after each of them.
        all: what `runner.measure` returned, and `round`, in their order.

    Args:
        path: where they are kept.
        settings: what they depend on.
        again: discard what is there.

    Raises:
        OtherSettings: what is there was measured with others.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any], again: bool = False) -> None:
        self.path, self._settings = path, dict(settings)
        self.all: list[dict[str, Any]] = []
        if again or not path.exists():
            return
        kept = json.loads(path.read_text("utf-8"))
        if kept["settings"] != self._settings:
            raise OtherSettings(
                f"{path} was measured with {kept['settings']}, and this is {self._settings}.\n"
                "Choose another --out, or discard it with --again."
            )
        # What was not installed then may be now.
        self.all = [m for m in kept["measurements"] if m.get("installed", True)]

    def has(self, number: int, task: str, peer: str) -> bool:
        """Whether this was measured in this round, or failed in it."""
        wanted = (number, task, peer)
        return any((m["round"], m["task"], m["peer"]) == wanted for m in self.all)

    def only_failures(self, task: str, peer: str) -> bool:
        """Whether it was tried, and never worked: it will not in the next round."""
        mine = [m for m in self.all if (m["task"], m["peer"]) == (task, peer)]
        return bool(mine) and all("error" in m for m in mine)

    def add(self, measurement: Mapping[str, Any]) -> None:
        """Keep one more."""
        self.all.append(dict(measurement))
        unfinished = self.path.with_suffix(".unfinished")
        kept = {"settings": self._settings, "measurements": self.all}
        unfinished.write_text(json.dumps(kept, indent=1, ensure_ascii=False), "utf-8")
        unfinished.replace(self.path)
