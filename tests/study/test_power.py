"""What a plan says that it will find is what its studies then find."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from synthetic import study

from facegan.errors import FaceganError
from facegan.study.contrasts import Prior
from facegan.study.folder import StudyFolder
from facegan.study.plan import Plan
from facegan.study.power import PUBLISHED, Design, Noise, detectable, power_lines
from facegan.study.run import noise_of_study
from facegan.study.verdicts import judge

STUDIES = Path(__file__).parents[2] / "docs" / "studies"


def design(one: int, two: int, comparisons: int = 1, moderated: bool = False) -> Design:
    return Design((one, two), comparisons, 0.05, 16, two, moderated)


@pytest.mark.parametrize("seeds", [(3, 3), (5, 5), (9, 3)])
def test_eight_of_ten_studies_find_what_is_said_to_be_found(seeds: tuple[int, int]) -> None:
    noise = Noise(0.01, math.inf, "given")
    gain = detectable(design(*seeds), noise)
    random = np.random.default_rng(3)
    one, two = (0.1 * random.standard_normal((20_000, n)) for n in seeds)
    found = stats.ttest_ind(one + gain, two, axis=1, equal_var=False, alternative="greater")
    assert np.mean(found.pvalue <= 0.05) == pytest.approx(0.8, abs=0.015)


def test_so_do_verdicts_of_sixteen_methods() -> None:
    noise = Noise(0.01, 6.0, "given")
    gain = detectable(design(4, 4, 3, moderated=True), noise)
    random = np.random.default_rng(8)
    claims = [f"better(m0, m{i})" for i in (1, 2, 3)]
    holds = []
    for _ in range(120):
        spread = np.sqrt(0.01 * 6 / random.chisquare(6, (16, 1)))
        logs = spread * random.standard_normal((16, 4))
        logs[0] -= gain
        # The other two are no better, so that Holm's first step decides.
        logs[2:4] -= gain
        reached = {f"m{i}": np.exp(row).tolist() for i, row in enumerate(logs)}
        first, *_ = judge(study(claims, reached))
        assert first.test == "moderated"
        holds.append(first.verdict == "holds")
    assert np.mean(holds) == pytest.approx(0.8, abs=3 * math.sqrt(0.16 / 120))


def test_more_seeds_and_fewer_claims_find_smaller_differences() -> None:
    found = [detectable(design(n, n, 8), PUBLISHED) for n in (3, 5, 9)]
    assert found == sorted(found, reverse=True)
    assert detectable(design(3, 3, 2), PUBLISHED) < found[0]
    assert detectable(design(9, 3, 8), PUBLISHED) < found[0]
    assert detectable(design(3, 3, 8, moderated=True), PUBLISHED) < found[0]
    assert detectable(design(1, 3), PUBLISHED) == math.inf


def test_the_default_noise_is_that_of_the_published_studies() -> None:
    groups = []
    for folder in sorted(STUDIES.glob("*-lfw32")):
        results = StudyFolder(folder).results()
        for name in results.plan.all_methods():
            trials = results.of("faces", name).values()
            groups.append([math.log(trial.score("fd")) for trial in trials])
    found = Prior.of(groups)
    assert found is not None
    assert found.methods == 24
    assert found.variance == pytest.approx(PUBLISHED.variance, rel=0.005)
    assert found.degrees == pytest.approx(PUBLISHED.degrees, rel=0.005)


def test_what_is_foretold() -> None:
    asked = Plan.load("ignm")
    lines = power_lines(asked)
    told = [line.strip() for line in lines if line.startswith("    ")]
    assert sorted(told) == sorted(claim.test for claim in asked.claims)
    assert any(
        "with 9 and 3 seeds (moderated t, 5 % over 10 claims of the family parts)" in line
        for line in lines
    )
    coverage = power_lines(Plan.load("report"))[-1]
    assert coverage.startswith("  Not foretold")
    assert "coverage" in coverage


def test_noise_is_given_or_taken_from_an_earlier_study(tmp_path: Path) -> None:
    assert noise_of_study(tmp_path) == PUBLISHED
    assert noise_of_study(tmp_path, "0.1") == Noise(pytest.approx(0.01), math.inf, "what was given")
    folder = STUDIES / "ignm-lfw32"
    assert noise_of_study(folder) == noise_of_study(tmp_path, str(folder))
    assert noise_of_study(folder).variance != PUBLISHED.variance
    with pytest.raises(FaceganError, match="is no noise"):
        noise_of_study(tmp_path, "2")
    with pytest.raises(FaceganError, match="not a study"):
        noise_of_study(tmp_path, "a-tenth")
