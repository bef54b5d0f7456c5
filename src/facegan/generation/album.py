"""Generated pictures in memory, which know their seeds and show themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from facegan.data.grid import grid
from facegan.data.pictures import png_bytes
from facegan.generation.png import save_png
from facegan.values import Value


class Pictures(Value):
    """Pictures and the seed of each. A notebook shows them as a grid.

    `len()`, indices and `numpy.asarray` work as on the array itself; a part, `pictures[:4]`,
    is `Pictures` again.

    Args:
        images: uint8 [N, H, W, C], C = 1 or 3.
        seeds: of each.
        model: what made them: recipe, kimg, dataset.
    """

    def __init__(
        self, images: npt.NDArray[np.uint8], seeds: Sequence[int], model: Mapping[str, str]
    ) -> None:
        self.images, self.seeds, self.model = images, list(seeds), dict(model)

    def __len__(self) -> int:
        return len(self.images)

    def __iter__(self) -> Iterator[Pictures]:
        return (self[place : place + 1] for place in range(len(self)))

    def __getitem__(self, place: int | slice) -> Pictures:
        if isinstance(place, int):
            if not -len(self) <= place < len(self):
                raise IndexError(f"There are {len(self)} pictures, and none at {place}.")
            place %= len(self)
            place = slice(place, place + 1)
        return Pictures(self.images[place], self.seeds[place], self.model)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return np.array(self.images, dtype=dtype, copy=copy or dtype is not None)

    def __repr__(self) -> str:
        shape = "×".join(map(str, self.images.shape[1:3]))
        return f"Pictures({len(self)} of {shape}, seeds {self.seeds[0]} to {self.seeds[-1]})"

    def grid(self, columns: int | None = None) -> npt.NDArray[np.uint8]:
        """Side by side: uint8 [height, width, C]; as square as possible by default."""
        return grid(self.images, columns)

    def save(self, path: str | Path, columns: int | None = None) -> Path:
        """Write a PNG of all, which says that they are generated and by what.

        Args:
            path: the file.
            columns: of the grid.
        """
        image = self.images[0] if len(self) == 1 else self.grid(columns)
        save_png(Path(path), image, self.seeds, self.model)
        return Path(path)

    def to_dict(self) -> dict[str, Any]:
        """Seeds, size and what made them; the pixels are in `images`."""
        return {"seeds": self.seeds, "shape": list(self.images.shape), "model": self.model}

    def rows(self) -> list[dict[str, Any]]:
        """One for each picture: its seed and the mean of its pixels, 0 to 255."""
        means = self.images.mean((1, 2, 3))
        return [
            {"seed": seed, "mean": float(mean)}
            for seed, mean in zip(self.seeds, means, strict=True)
        ]

    def _repr_png_(self) -> bytes:
        return png_bytes(self.images[0] if len(self) == 1 else self.grid())

    # A picture says more than a table of seeds.
    _repr_html_ = None  # type: ignore[assignment]
