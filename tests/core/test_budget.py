from __future__ import annotations

import pytest

from facegan.budget import Budget, parse_budget
from facegan.errors import RecipeError


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("200kimg", Budget(images=200_000)),
        ("0.5kimg", Budget(images=500)),
        (" 12 img ", Budget(images=12)),
        ("0.2img", Budget(images=1)),
        ("90s", Budget(seconds=90.0)),
        ("10min", Budget(seconds=600.0)),
        ("1.5h", Budget(seconds=5400.0)),
    ],
)
def test_reads_what_people_write(text: str, budget: Budget) -> None:
    assert parse_budget(text) == budget


@pytest.mark.parametrize(
    "text",
    [
        *("", "10", "kimg", "-5kimg", "0kimg", "0.0s", "1e3kimg", "10 days", "10MIN", "nan s"),
        *("1,5h", "10min 5s", "٣min", "9" * 400 + "kimg", "9" * 400 + "h"),
    ],
)
def test_refuses_the_rest_and_says_what_is_allowed(text: str) -> None:
    with pytest.raises(RecipeError) as caught:
        parse_budget(text)
    assert "200kimg" in caught.value.hint
