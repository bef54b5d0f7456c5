"""Plans on datasets that lack labels: the rest is run, and what is left out is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facegan.data.dataset import Dataset
from facegan.data.writer import DatasetWriter
from facegan.study.fitting import fitted
from facegan.study.plan import Plan
from facegan.study.run import forecast

BINARY = ("Smiling", "Eyeglasses", "Bangs", "Gray_Hair", "Young")
Make = Callable[..., Dataset]


@pytest.fixture
def having(tmp_path: Path) -> Make:
    """A small dataset with such labels; `age` is a quantity."""

    def make(*names: str) -> Dataset:
        random = np.random.default_rng(0)
        path = tmp_path / f"with-{len(names)}"
        with DatasetWriter(path, 32, 3, label_names=names) as writer:
            labels = (random.random((12, len(names))) < 0.5).astype(np.float32)
            labels[:2] = [[0.0], [1.0]]
            for column, name in enumerate(names):
                if name == "age":
                    labels[:, column] = 20 + 3 * np.arange(12)
            images = random.integers(0, 256, (12, 32, 32, 3), np.uint8)
            numbers = [str(n) for n in range(12)]
            known = labels if names else None
            writer.add(images, numbers, numbers, ["train"] * 12, numbers, known)
            writer.finish({"name": "some", "source": "numbers", "licence": "CC0-1.0"})
        return Dataset.open(path)

    return make


def left_out(name: str, plan: Plan) -> set[str]:
    return Plan.load(name).all_methods().keys() - plan.all_methods().keys()


@pytest.mark.parametrize("name", ["ignm", "ignm-gpu"])
def test_celeba_has_no_age(having: Make, name: str) -> None:
    fit = fitted(Plan.load(name), {"faces": having(*BINARY)})
    assert left_out(name, fit.plan) == {"ignm-without-regression"}
    recipe = fit.plan.methods["ignm"].resolved()
    assert recipe.data.labels == BINARY
    assert recipe.method.auxiliary.regression == 0.0  # type: ignore[attr-defined]
    assert recipe.discriminator.heads.auxiliary
    assert any("age" in line for line in fit.notes)
    assert Plan.parse(fit.plan.to_toml()) == fit.plan


@pytest.mark.parametrize("name", ["ignm", "ignm-gpu"])
def test_ffhq_and_lsun_have_no_labels(having: Make, name: str) -> None:
    fit = fitted(Plan.load(name), {"faces": having()})
    gone = {f"ignm-without-{part}" for part in ("classification", "regression", "joint-embedding")}
    assert left_out(name, fit.plan) == gone
    for method in fit.plan.all_methods().values():
        recipe = method.resolved()
        assert not recipe.data.labels
        assert not recipe.discriminator.heads.auxiliary
    tests = {claim.test for claim in fit.plan.claims}
    assert not any(part in test for test in tests for part in gone)
    assert "ablation(ignm, without=augmentation)" in tests


def test_a_plan_that_can_be_run_stays_what_it_is(having: Make) -> None:
    plan = Plan.load("ignm")
    for datasets in ({}, {"faces": having(*(name.lower() for name in BINARY), "age")}):
        fit = fitted(plan, datasets)
        assert fit.plan is plan
        assert fit.notes == ()
    report = Plan.load("report")
    assert fitted(report, {"faces": having()}).plan is report


def test_only_an_age_is_left(having: Make) -> None:
    fit = fitted(Plan.load("ignm"), {"faces": having("age")})
    assert left_out("ignm", fit.plan) == {"ignm-without-classification"}
    assert fit.plan.methods["ignm"].resolved().data.labels == ("age",)


def test_the_dry_run_says_it_first(having: Make) -> None:
    data = having()
    plan: Any = Plan.load("ignm").replaced(datasets={"faces": str(data.path)})
    lines = forecast(plan)
    assert any("labels" in line and "Smiling" in line for line in lines)
    assert not any(line.startswith("  ignm-without-regression") for line in lines)
