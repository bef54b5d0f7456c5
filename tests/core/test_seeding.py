from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from facegan import seeding
from facegan.networks.interfaces import Latent

STREAMS = (seeding.INITIAL_WEIGHTS, seeding.STEP, seeding.ORDER, seeding.IMAGE_LATENT)
numbers = st.integers(0, 2**31)


def test_streams_are_distinct() -> None:
    assert len(set(STREAMS)) == len(STREAMS)


@given(numbers, numbers, st.sampled_from(STREAMS))
def test_only_seed_stream_and_counter_matter(seed: int, counter: int, stream: int) -> None:
    first = seeding.random(seed, stream, counter).random(4)
    np.testing.assert_array_equal(first, seeding.random(seed, stream, counter).random(4))
    others = [(seed + 1, stream, counter), (seed, stream, counter + 1)]
    others += [(seed, other, counter) for other in STREAMS if other != stream]
    for other in others:
        assert not np.array_equal(first, seeding.random(*other).random(4))


def test_streams_do_not_correlate() -> None:
    drawn = np.stack([seeding.random(0, stream, 7).standard_normal(20_000) for stream in STREAMS])
    correlation = np.corrcoef(drawn) - np.eye(len(STREAMS))
    assert np.abs(correlation).max() < 0.03  # 4 standard deviations of independent numbers


@pytest.mark.parametrize("world", [2, 3, 4])
@pytest.mark.parametrize("distribution", ["normal", "uniform"])
def test_parts_of_the_processes_are_the_whole(world: int, distribution: str) -> None:
    """Also on the second draw, so that every process has used up the same numbers."""
    latent = Latent(size=5, distribution=distribution)
    whole = seeding.step_random(3, 640)
    parts = [seeding.step_random(3, 640, rank, world) for rank in range(world)]
    for _ in range(2):
        expected = latent.draw(whole, 12)
        found = torch.cat([latent.draw(part, 12 // world) for part in parts])
        assert torch.equal(found, expected)


def test_latents_have_their_distribution() -> None:
    z = Latent(size=100, distribution="normal").draw(seeding.step_random(0, 0), 500)
    assert z.dtype == torch.float32
    assert z.shape == (500, 100)
    assert abs(z.mean()) < 0.02
    assert abs(z.std() - 1) < 0.02
    z = Latent(size=100, distribution="uniform").draw(seeding.step_random(0, 0), 500)
    assert -1 <= z.min() < -0.99
    assert 0.99 < z.max() < 1
    assert abs(z.mean()) < 0.02
    assert abs(z.std() - 3**-0.5) < 0.02


def test_the_latent_of_a_picture_never_changes() -> None:
    """Golden values: the pictures that people noted by seed must stay what they are."""
    found = seeding.image_random(0).normal(1, 4)[0]
    expected = np.random.default_rng([0, 3, 0]).standard_normal(4, np.float32)
    assert found.tolist() == expected.tolist()
    golden = [-0.883727, 2.885906, 0.558085, 1.988322]
    assert found.tolist() == pytest.approx(golden, abs=1e-6)
    assert not torch.equal(found, seeding.image_random(1).normal(1, 4)[0])


def test_torch_seed_is_local_and_repeatable() -> None:
    torch.manual_seed(5)
    undisturbed = torch.rand(6)
    torch.manual_seed(5)
    drawn = [torch.rand(3)]
    with seeding.torch_seed(1, seeding.INITIAL_WEIGHTS):
        inside = torch.rand(3)
    drawn.append(torch.rand(3))
    with seeding.torch_seed(1, seeding.INITIAL_WEIGHTS):
        assert torch.equal(torch.rand(3), inside)
    with seeding.torch_seed(2, seeding.INITIAL_WEIGHTS):
        assert not torch.equal(torch.rand(3), inside)
    assert torch.equal(torch.cat(drawn), undisturbed)


def test_repeatable_numbers_are_the_same_at_each_call() -> None:
    """And those of a part are a part of those of the whole; the next ones are others."""
    whole = seeding.step_random(0, 64)
    again, other = whole.repeatable(), whole.repeatable()
    drawn = again().uniform(4, 3)
    assert torch.equal(again().uniform(4, 3), drawn)
    assert not torch.equal(other().uniform(4, 3), drawn)
    parts = [seeding.step_random(0, 64, rank, 2).repeatable()().uniform(2, 3) for rank in (0, 1)]
    assert torch.equal(torch.cat(parts), drawn)
