"""Photographs in the exported page: the first guess, and the steps that bring it nearer."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from node import needs_node, run

from facegan.generation.generator import open_generator
from facegan.studio import guessing as module
from facegan.studio.guessing import SIDE, guessing

# A generator that anybody can compute: bytes of 128 + 40 · tanh(z · A), grey and 16 a side.
_DRAWN = """
import { inverted, guessed, readGuesser, solved } from "FRONT/inversion.js";
const model = {
  latent: { size: 6, noise: 0, distribution: given.distribution }, numbers: 6,
  resolution: 16, channels: 1, guesser: readGuesser(given.guesser),
};
const bytesOf = (z) => Uint8Array.from(
  { length: 256 },
  (_, i) => Math.round(128 + 100 * Math.tanh(z.reduce((sum, v, k) => sum + v * given.a[k][i], 0))),
);
const draw = async (z, n) => {
  const all = new Uint8Array(n * 256);
  for (let i = 0; i < n; i++) all.set(bytesOf(z.slice(6 * i, 6 * i + 6)), 256 * i);
  return all;
};
const target = Float32Array.from(bytesOf(given.z), (byte) => byte / 255);
"""


def packed(values: np.ndarray, kind: str) -> str:
    return base64.b64encode(np.ascontiguousarray(values, kind).tobytes()).decode()


def given(distribution: str) -> dict[str, Any]:
    random = np.random.default_rng(0)
    z = random.standard_normal(6) if distribution == "normal" else random.uniform(-1, 1, 6)
    a = random.standard_normal((6, 256)) * 0.3
    weight = a.T / 20
    guesser = {
        "side": 16,
        "mean": packed(np.full(256, 0.5), "<f4"),
        "weight": packed(weight, "<f2"),
        "apart": 50.0,
    }
    return {"a": a.tolist(), "z": z.tolist(), "guesser": guesser, "distribution": distribution}


@needs_node
@pytest.mark.parametrize("distribution", ["normal", "uniform"])
def test_the_latent_of_a_picture_is_found_again(distribution: str) -> None:
    asked = given(distribution)
    found = run(
        _DRAWN
        + """
        const shares = [];
        const begun = guessed(target, model);
        const { z, refined } = await inverted(target, model, draw, (share) => shares.push(share));
        console.log(JSON.stringify({ begun: [...begun], z: [...z], refined, shares }));
        """,
        asked,
    )
    z = np.array(asked["z"])
    assert found["refined"]
    assert np.abs(np.array(found["begun"]) - z).max() > 0.2
    assert np.abs(np.array(found["z"]) - z).max() < 0.12
    assert found["shares"] == sorted(found["shares"])
    assert found["shares"][-1] == 1


@needs_node
def test_a_latent_that_is_too_long_is_guessed_alone() -> None:
    found = run(
        _DRAWN
        + """
        model.latent.size = model.numbers = 300;
        model.guesser.weight = new Float32Array(256 * 300).fill(0.01);
        const { z, refined } = await inverted(target, model, null);
        console.log(JSON.stringify({ n: z.length, refined }));
        """,
        given("normal"),
    )
    assert found == {"n": 300, "refined": False}


@needs_node
def test_equations_are_solved() -> None:
    random = np.random.default_rng(1)
    a = random.standard_normal((9, 7))
    a = a.T @ a + 0.1 * np.eye(7)
    b = random.standard_normal(7)
    found = run(
        'import { solved } from "FRONT/inversion.js";'
        "console.log(JSON.stringify([...solved(given.a, given.b)]));",
        {"a": a.tolist(), "b": b.tolist()},
    )
    np.testing.assert_allclose(found, np.linalg.solve(a, b), rtol=1e-8)


@needs_node
def test_what_differs_by_more_than_the_limit_is_not_held() -> None:
    found = run(
        """
        import { nearness, NOT_HELD } from "FRONT/inversion.js";
        const seen = new Float32Array(12).fill(0.5);
        const other = (levels) => seen.map((value, i) => value + (i % 2 ? 1 : -1) * levels / 255);
        const limit = 40 * NOT_HELD;
        console.log(JSON.stringify([0, limit - 0.5, limit + 0.5, 40].map(
          (levels) => nearness(seen, other(levels), 40))));
        """
    )
    assert [round(each["levels"], 2) for each in found][::3] == [0, 40]
    assert [round(each["share"], 4) for each in found][::3] == [0, 1]
    assert [each["held"] for each in found] == [True, True, False, False]


def test_the_map_is_fitted_once_and_guesses_better_than_nothing(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = open_generator(model, device="cpu")
    found = guessing(opened, 512)
    assert found is not None
    mean = np.frombuffer(base64.b64decode(found["mean"]), "<f4")
    weight = np.frombuffer(base64.b64decode(found["weight"]), "<f2").reshape(len(mean), -1)
    assert weight.shape == (SIDE * SIDE * 3, 8)
    assert 1 < found["apart"] < 255
    z = np.random.default_rng(7).standard_normal((64, 8)).astype(np.float32)
    import torch

    pictures = opened.pictures_at(torch.from_numpy(z))
    small = pictures.reshape(64, SIDE, 2, SIDE, 2, 3).mean((2, 4)).reshape(64, -1) / 255
    guess = (small - mean) @ weight.astype(np.float32)
    assert ((guess - z) ** 2).mean() < 0.9 * (z**2).mean()
    monkeypatch.setattr(module, "_fitted", None)
    assert guessing(opened, 512) == found
