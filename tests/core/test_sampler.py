from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from facegan.data.sampler import Sampler


@given(st.integers(1, 40), st.integers(0, 2**32 - 1), st.integers(0, 5))
def test_each_epoch_shows_every_image_once(n: int, seed: int, epoch: int) -> None:
    indices = np.arange(n) * 3 + 1
    shown = Sampler(indices, seed).batch(epoch * n, n)
    assert shown.dtype == np.int64
    assert sorted(shown) == indices.tolist()


def test_epochs_and_seeds_differ() -> None:
    indices = np.arange(50)
    orders = [Sampler(indices, seed).batch(e * 50, 50) for seed in (0, 1) for e in (0, 1, 2)]
    assert len({tuple(order) for order in orders}) == 6
    assert all(list(order) != list(indices) for order in orders)


@given(
    st.integers(1, 17),
    st.integers(0, 1000),
    st.lists(st.integers(1, 60), min_size=1, max_size=8),
)
def test_any_division_gives_the_same_sequence(n: int, start: int, sizes: list[int]) -> None:
    """Batches may end anywhere, may span several epochs, and may be asked for in any order."""
    whole = Sampler(np.arange(n), 3).batch(start, sum(sizes))
    positions = np.cumsum([start, *sizes[:-1]])
    sampler = Sampler(np.arange(n), 3)
    parts = {p: sampler.batch(p, s) for p, s in reversed(list(zip(positions, sizes, strict=True)))}
    assert np.concatenate([parts[p] for p in positions]).tolist() == whole.tolist()
