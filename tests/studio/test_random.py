"""The page draws NumPy's random numbers: the same seed is the same face."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from node import needs_node, run

from facegan.data.spec import ImageSpec, Label
from facegan.networks.interfaces import Latent
from facegan.recipe import Recipe
from facegan.seeding import image_random

pytestmark = needs_node

_DRAW = """
import { NumpyRandom } from "FRONT/random.js";
import { writeFileSync } from "node:fs";
const random = new NumpyRandom(given.numbers);
const drawn = [random.normal(given.n), random.uniform(7), random.normal(3)];
writeFileSync("drawn", Buffer.concat(drawn.map((part) => Buffer.from(part.buffer))));
"""


@pytest.mark.parametrize(
    "numbers", [[0, 3, 0], [7, 3, 0], [2**31, 3, 0], [2**32, 3, 0], [2**53 - 1, 3, 0], [1], [1] * 9]
)
def test_numbers_are_numpys(numbers: list[int], tmp_path: Path) -> None:
    n = 20_000
    run(_DRAW, {"numbers": numbers, "n": n}, tmp_path)
    drawn = np.fromfile(tmp_path / "drawn", "<f4")
    random = np.random.default_rng(numbers)
    expected = np.concatenate(
        [
            random.standard_normal(n, np.float32),
            random.random(7, np.float32),
            random.standard_normal(3, np.float32),
        ]
    )
    # Beyond the ziggurat's last layer, a logarithm of the machine may differ in its last bit.
    usual = np.abs(expected) < 3.65
    assert np.array_equal(drawn[usual], expected[usual])
    np.testing.assert_allclose(drawn, expected, rtol=2e-7)


def test_a_million_numbers_never_fall_out_of_step(tmp_path: Path) -> None:
    run(_DRAW, {"numbers": [11, 3, 0], "n": 1_000_000}, tmp_path)
    drawn = np.fromfile(tmp_path / "drawn", "<f4")[:1_000_000]
    expected = np.random.default_rng([11, 3, 0]).standard_normal(1_000_000, np.float32)
    assert (drawn != expected).sum() <= 100
    np.testing.assert_allclose(drawn, expected, rtol=2e-7)
    assert (np.abs(expected) > 3.66).sum() > 100


@pytest.mark.parametrize("distribution", ["normal", "uniform"])
def test_latents_noise_and_labels_of_a_seed(distribution: str) -> None:
    import base64

    import torch

    labels = (Label("smiling", True), Label("age", False, 40.0, 12.0))
    recipe = Recipe.load("gan").override("data.labels=all")
    config = recipe.generator.model_copy(
        update={"latent": Latent(size=9, distribution=distribution), "hidden": (8,)}
    )
    generator = config.build(ImageSpec(8, 3, labels), "symmetric")
    torch.manual_seed(0)
    generator.label_rows.normal_()
    generator.noise = 5
    about = {
        "latent": {"size": 9, "noise": 5, "distribution": distribution},
        "labels": [{"name": "smiling"}, {"name": "age"}],
        "label_rows": {
            "vectors": base64.b64encode(generator.label_rows.numpy().tobytes()).decode()
        },
    }
    found = run(
        """
        import { readModel, drawFace } from "FRONT/face.js";
        const model = readModel(given);
        const drawn = [0, 1, 123456].map((seed) => drawFace(seed, model));
        console.log(JSON.stringify(drawn.map(({ z, row }) => [[...z], [...row]])));
        """,
        about,
    )
    for seed, (z, row) in zip([0, 1, 123456], found, strict=True):
        random = image_random(seed)
        expected = generator.draw(random, 1)[0].numpy()
        assert np.array_equal(np.array(z, np.float32), expected)
        drawn = generator.draw_labels(random, 1)
        assert drawn is not None
        assert np.array_equal(np.array(row, np.float32), drawn[0].numpy())
