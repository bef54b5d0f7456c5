"""The directions that were found for a generator, where there are any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from facegan.generation.generator import OpenGenerator

if TYPE_CHECKING:
    from facegan.studio.about import Edits


def directions_of(opened: OpenGenerator) -> Any:
    """`facegan.editing.directions.directions_beside` a generator's file; None for none."""
    try:
        from facegan.editing.directions import directions_beside
    except ImportError:
        return None
    found: Edits | None = directions_beside(opened.path)
    return found
