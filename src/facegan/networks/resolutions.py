"""Which resolutions a network can make, and what is said of the others."""

from __future__ import annotations

from collections.abc import Sequence

from facegan.errors import RecipeError


def require_resolution(kind: str, resolution: int, allowed: Sequence[int]) -> None:
    """Refuse images that a kind of network cannot make or judge. Raises RecipeError."""
    if resolution not in allowed:
        raise RecipeError(
            f"{kind} cannot make {resolution}×{resolution} images.",
            f"Import the data at one of {', '.join(map(str, allowed))}, or use a recipe "
            "whose networks take any resolution, such as gan.",
        )


def require_place_for_attention(kind: str, resolution: int, attention: int | None) -> None:
    """Refuse attention on maps that are not inside the network. Raises RecipeError."""
    if attention is not None and attention > resolution // 2:
        raise RecipeError(
            f"{kind}: images of {resolution}×{resolution} leave no place for attention on "
            f"{attention}×{attention} maps.",
            f"Set attention to {resolution // 2} or less.",
        )
