"""Whether a dataset knows who is shown, and what follows where it does not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from facegan.data.dataset import Dataset

# How a card's `identities_from` begins where nothing says who is shown.
UNKNOWN = "unknown"


def people_known(dataset: Dataset) -> bool:
    """Whether it is known which pictures show the same person.

    It is where any two pictures are said to. Where each picture is a person of its own, the card
    may say that this is so (drawn portraits, one picture of each person); otherwise nobody knows.
    """
    if known_by(dataset.card):
        return True
    counts = dataset.card["counts"]
    if isinstance(counts.get("kept"), int) and isinstance(counts.get("identities"), int):
        return False  # counted by whoever wrote it: a million names need no reading
    return len(set(dataset.identities)) < len(dataset)


def known_by(card: Mapping[str, Any]) -> bool:
    """The same by a dataset's card alone."""
    counts = card.get("counts")
    if isinstance(counts, Mapping):
        kept, people = counts.get("kept"), counts.get("identities")
        if isinstance(kept, int) and isinstance(people, int) and people < kept:
            return True
    if card.get("portraits"):
        return True
    said = card.get("identities_from")
    return isinstance(said, str) and not said.startswith(UNKNOWN)
