"""Several sources as one: the shards of a WebDataset, the parts of an LSUN category."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import IO

from facegan.data.members import Members, SkippedFile
from facegan.data.sources import Source


class CombinedSource(Source):
    """Sources one after another; their members' paths begin with the name of each.

    Args:
        path: the folder that holds them, or a name for all of them.
        kind: what they are, in words.
        parts: name → source, in their order.
    """

    def __init__(self, path: Path, kind: str, parts: dict[str, Source]) -> None:
        super().__init__(path)
        self.kind = kind
        self.parts = parts
        self.holds_files = any(part.holds_files for part in parts.values())

    def members(self) -> Members:
        """List all of them; see `Source.members`."""
        self._begins: list[int] = []
        found = Members()
        digest = sha256()
        for name, part in self.parts.items():
            self._begins.append(len(found))
            for each in part.members():
                found.append(replace(each, path=f"{name}/{each.path}"))
            self.junk += part.junk
            digest.update(f"{name} {part.sha256}\n".encode("utf-8", "backslashreplace"))
        self._ends = [*self._begins[1:], len(found)]
        self.sha256 = digest.hexdigest() if all(p.sha256 for p in self.parts.values()) else ""
        return found

    def read(self, chosen: Container[int]) -> Iterator[tuple[int, bytes | SkippedFile]]:
        """Read the chosen members; see `Source.read`."""
        places = zip(self.parts.values(), self._begins, self._ends, strict=True)
        for part, begin, end in places:
            mine = _From(chosen, begin)
            if any(number in mine for number in range(end - begin)):
                for number, content in part.read(mine):
                    yield begin + number, content

    def stream(self, number: int) -> IO[bytes]:
        """One member, open; see `Source.stream`."""
        places = zip(self.parts.values(), self._begins, self._ends, strict=True)
        part, begin, _ = next(each for each in places if each[1] <= number < each[2])
        return part.stream(number - begin)


class _From(Container[int]):
    """The numbers of one part among those of all of them."""

    def __init__(self, chosen: Container[int], begin: int) -> None:
        self._chosen, self._begin = chosen, begin

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and number + self._begin in self._chosen
