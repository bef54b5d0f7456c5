"""The published studies: their verdicts follow from their results, their tables from these."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from facegan.report.study_tables import claims_csv
from facegan.study.folder import StudyFolder
from facegan.study.verdicts import judge

ROOT = Path(__file__).parents[2]
STUDIES = sorted(path.parent for path in (ROOT / "docs" / "studies").glob("*/study.toml"))
# As they were published first, by paired tests, when there were three verdicts.
PAIRED = {
    "report-lfw32": "? h ? ? h - ? ?",
    "ignm-lfw32": "? h h h - h ? ? ? ? h ? ? ? ? ?",
}
SIGNS = {
    "holds": "h",
    "evidence against": "-",
    "does not hold": "-",
    "not enough evidence": "?",
}


@pytest.fixture(scope="module")
def script() -> ModuleType:
    path = ROOT / "scripts" / "verdict_tables.py"
    spec = importlib.util.spec_from_file_location("verdict_tables", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("folder", STUDIES, ids=lambda folder: folder.name)
def test_verdicts_follow_from_the_results(folder: Path) -> None:
    results = StudyFolder(folder).results()
    assert results.complete
    published = (folder / "claims.csv").read_text("utf-8")
    assert claims_csv(results, judge(results)) == published


@pytest.mark.parametrize("folder", STUDIES, ids=lambda folder: folder.name)
def test_paired_tests_give_what_they_gave(folder: Path) -> None:
    results = StudyFolder(folder).results()
    paired = results.plan.replaced(judging={"test": "paired"})
    judged = judge(results.model_copy(update={"plan": paired}))
    assert " ".join(SIGNS[one.verdict] for one in judged) == PAIRED[folder.name]


def test_every_table_of_verdicts_is_made_from_these(script: ModuleType) -> None:
    """`python scripts/verdict_tables.py` writes them."""
    places = 0
    for name in script.FILES:
        text = (ROOT / name).read_text("utf-8")
        places += text.count("<!-- verdicts: ") + text.count("<!-- brief: ")
        assert script.written(text) == text, f"{name}: python scripts/verdict_tables.py"
        # No verdict stands in a table that a hand wrote.
        by_hand = script._PLACE.sub("", text)
        rows = [line for line in by_hand.splitlines() if line.startswith("|")]
        assert not [row for row in rows if "not enough evidence |" in row]
    assert places == 4
