"""After a fixed number of images, two recipes are at least as good as they have been.

Drawn portraits of 32 pixels, narrow networks. Measured: `dcgan` after 24 kimg, over three seeds,
with AVX512-BF16 and held to AVX2, FD 2,924 to 3,176; `ignm-cpu` after 12 kimg 2,649, after 24 kimg
2,061 (one seed, AVX2). An untrained generator has 3,670, one after 2 kimg 4,300, real pictures 318.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from facegan.apps.evaluate import evaluate
from facegan.apps.train import train
from facegan.recipe import Recipe
from facegan.training.reporter import Reporter

SMALL = (
    *("generator.channels=16", "discriminator.channels=16"),
    *("training.batch=16", "training.ema_half_life=1"),
    *("training.precision=fp32", "training.snapshots=1", "training.ticks=1", "evaluation.times=0"),
)


@pytest.mark.parametrize(
    ("name", "more", "most"),
    [
        ("dcgan", ("training.budget=24kimg",), 3450.0),
        (
            "ignm-cpu",
            ("training.budget=12kimg", "generator.refine=8", "discriminator.refine=8"),
            3000.0,
        ),
    ],
)
def test_fd_stays_below(tmp_path: Path, name: str, more: tuple[str, ...], most: float) -> None:
    recipe = Recipe.load(name).override(*SMALL, *more)
    train(recipe, "portraits:1500@32", tmp_path / "run", reporter=Reporter())
    found = evaluate(
        tmp_path / "run",
        "portraits:1500@32",
        n=500,
        extractors=["efflite0@64"],
        copying=False,
        faces=False,
    )
    assert found.features[0].scores["fd"].generated.value < most
