"""The page of `facegan data doctor`."""

from __future__ import annotations

import re
import shlex

import numpy as np
import pytest
from run_pages import Page

from facegan import portraits
from facegan.data.dataset import Dataset
from facegan.data.doctor import examine
from facegan.data.writer import DatasetWriter
from facegan.report.doctor_page import doctor_page

EVIL = '</script><img src=x onerror="alert(1)">{{ 7*7 }}.png'


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Portraits, of which one is dark and has a name that would be markup, and two are twins."""
    drawn = portraits.draw(portraits.sample(24, seed=2), 64)
    images = np.concatenate([drawn, drawn[5:6] // 6, (drawn[2:3] * 0.9).astype(np.uint8)])
    names = [*(f"{i:02}.png" for i in range(24)), EVIL, "twin.png"]
    path = tmp_path_factory.mktemp("doctor") / "my faces"
    with DatasetWriter(path, 64, 3) as writer:
        writer.add(images, names, names, ["train"] * 25 + ["holdout"], names)
        writer.finish({"name": "<b>drawn</b>", "licence": "CC0-1.0"})
    return Dataset.open(path)


def test_the_page_shows_the_worst_and_how_to_leave_them_out(faces: Dataset) -> None:
    found = examine(faces, show=4)
    page = Page(doctor_page(faces, found))
    counts = {
        re.search('data-finding="([^"]+)"', section)[1]: int(  # type: ignore[index]
            re.search('data-count="([0-9]+)"', section)[1]  # type: ignore[index]
        )
        for section in re.findall("<section[^>]+>", page.source)
    }
    assert counts == {each.code: len(each.rows) for each in found.findings}
    assert counts["dark"] == 1
    commands = [text for name, _, text in page.marks if name == "command"]
    for each in found.findings:
        if each.rows:
            words = ["facegan", "data", "filter", str(faces.path), f"{faces.path}-clean"]
            words += [w for condition in each.drop for w in ("--drop", condition)]
            assert words in [shlex.split(command) for command in commands]
    assert any("--duplicates group" in command for command in commands)
    pictures = [value for _, name, value in page.attributes if name == "src"]
    assert len(pictures) >= 4 * len(found.findings)
    assert all(value.startswith("data:image/webp;base64,") for value in pictures)
    assert doctor_page(faces, examine(faces, show=4)) == page.source


def test_names_are_text(faces: Dataset) -> None:
    page = Page(doctor_page(faces, examine(faces)))
    assert EVIL in [value for tag, name, value in page.attributes if (tag, name) == ("img", "alt")]
    assert not any(name == "onerror" for _, name, _ in page.attributes)
    assert "<b>drawn</b>" in page.text
    assert page.source.count("<script") == 1
    links = [v for _, name, v in page.attributes if name in ("href", "src")]
    assert not any("://" in value for value in links)
