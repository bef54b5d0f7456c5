"""How long to train, as people write it: `200kimg`, `10min`, `2h`, `90s`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from facegan.errors import RecipeError

# More images than any run shows; a larger number in a file is damage.
MOST_IMAGES = 10**15
_UNITS = {"kimg": 1000.0, "img": 1.0, "s": 1.0, "min": 60.0, "h": 3600.0}
_FORM = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([a-z]+)\s*")


@dataclass(frozen=True)
class Budget:
    """Either a number of images shown to the discriminator, or seconds of training.

    Attributes:
        images: images, or None where the budget is a time.
        seconds: seconds, or None where the budget is a number of images.
    """

    images: int | None = None
    seconds: float | None = None


def parse_budget(text: str) -> Budget:
    """Read a budget. Raises RecipeError, naming the allowed forms, for anything else."""
    match = _FORM.fullmatch(text)
    if match is None or match[2] not in _UNITS or not 0 < float(match[1]) < 1e12:
        raise RecipeError(
            f"{text!r} is not a budget.",
            "Write a positive number and kimg (thousands of images), img, s, min or h: "
            "200kimg, 10min, 2h.",
        )
    amount = float(match[1]) * _UNITS[match[2]]
    if match[2] in ("kimg", "img"):
        return Budget(images=max(round(amount), 1))
    return Budget(seconds=amount)
