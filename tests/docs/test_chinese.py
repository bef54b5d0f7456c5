"""Chinese pages say what the English ones say: the same commands, the same figures."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from documents import ROOT, blocks, commands

DOCS = ROOT / "docs"
PAIRS = [
    (ROOT / "README.md", ROOT / "README.zh-CN.md"),
    (DOCS / "tutorial.md", DOCS / "zh/tutorial.md"),
    (DOCS / "papers/report.md", DOCS / "zh/report.md"),
    (DOCS / "papers/ignm.md", DOCS / "zh/ignm.md"),
]
# Code, and tables that scripts/verdict_tables.py writes, which are in English alone.
_CODE = re.compile(r"^```.*?^```|<!-- brief: .*?<!-- end -->", re.DOTALL | re.MULTILINE)
# Numbers, as both languages write them; places in links are none.
_NUMBER = re.compile(r"(?<![\w.])\d+(?:,\d{3})*(?:\.\d+)*")


def figures(path: Path) -> Counter[str]:
    text = _CODE.sub("", path.read_text("utf-8"))
    text = re.sub(r"\]\([^)]*\)", "]", text)
    # Billions are 十亿, and 9.7 of them 97 亿.
    text = re.sub(r"(\d+)\s*亿", lambda found: f"{int(found[1]) / 10:g} billion", text)
    text = text.replace("January", "1")
    return Counter(_NUMBER.findall(text))


@pytest.mark.parametrize(("english", "chinese"), PAIRS, ids=lambda path: path.name)
def test_the_same_commands_in_the_same_order(english: Path, chinese: Path) -> None:
    assert [c.words for c in commands(chinese)] == [c.words for c in commands(english)]
    assert blocks(chinese, "python") == blocks(english, "python")
    assert blocks(chinese, "toml") == blocks(english, "toml")


@pytest.mark.parametrize(("english", "chinese"), PAIRS, ids=lambda path: path.name)
def test_the_same_figures(english: Path, chinese: Path) -> None:
    here, there = figures(english), figures(chinese)
    assert (here - there, there - here) == (Counter(), Counter())


@pytest.mark.parametrize("path", [page for pair in PAIRS[2:] for page in pair], ids=str)
def test_measured_figures_are_those_of_the_studies(path: Path) -> None:
    """What the papers' pages quote stands in the tables that scripts/verdict_tables.py makes."""
    published = (DOCS / "results.md").read_text("utf-8")
    text = _CODE.sub("", path.read_text("utf-8"))
    measured = re.findall(r"\*\*(?:Measured|实测)\*\*.*?(?=\n\n|\Z)", text, re.DOTALL)
    assert len(measured) >= 4
    for text in measured:
        for pair in re.findall(r"\d[\d.]* → \d+(?:\.\d+)?", text.replace("\n", " ")):
            assert f"| {pair} |" in published, f"{path.name}: {pair}"


@pytest.mark.parametrize(("english", "chinese"), PAIRS, ids=lambda path: path.name)
def test_the_same_sections_and_tables(english: Path, chinese: Path) -> None:
    def shape(path: Path) -> list[str]:
        text = _CODE.sub("", path.read_text("utf-8"))
        return [line[:2] for line in text.splitlines() if line.startswith(("#", "|"))]

    assert shape(chinese) == shape(english)


def test_the_glossary_translates_terms_that_there_are() -> None:
    def terms(path: Path) -> list[str]:
        rows = [
            line.split("|")[1].strip()
            for line in path.read_text("utf-8").splitlines()
            if "|" in line
        ]
        return [row for row in rows if row and row != "term" and set(row) != {"-"}]

    english, chinese = terms(DOCS / "glossary.md"), terms(DOCS / "zh/glossary.md")
    assert len(chinese) > 40
    assert set(chinese) <= set(english)
    assert chinese == [term for term in english if term in set(chinese)]


@pytest.mark.parametrize(
    "path", [ROOT / "README.zh-CN.md", *sorted(DOCS.glob("zh/*.md"))], ids=lambda path: path.name
)
def test_it_is_chinese(path: Path) -> None:
    text = _CODE.sub("", path.read_text("utf-8"))
    assert len(re.findall(r"[\u4e00-\u9fff]", text)) > 80
    # The sentence marks of Chinese text, not those of English.
    assert not re.search(r"[\u4e00-\u9fff][,;?!](?:\s|[\u4e00-\u9fff])", text)
