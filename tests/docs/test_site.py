"""The site: built without a warning, opened from the disk, nothing fetched from elsewhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from documents import ROOT

pytest.importorskip("furo")
pytest.importorskip("myst_parser")
FETCHED = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as `scripts/docs` does, with a warning as an error, from a copy of what it needs."""
    root = tmp_path_factory.mktemp("site")
    kept = shutil.ignore_patterns("_build", "reference", "__pycache__")
    shutil.copytree(ROOT / "docs", root / "docs", ignore=kept)
    shutil.copytree(ROOT / "scripts", root / "scripts", ignore=kept)
    for name in ("README.md", "CONTRIBUTING.md"):
        shutil.copy(ROOT / name, root)
    for folder in ("src", "examples", "benchmarks", "tests"):
        (root / folder).symlink_to(ROOT / folder)
    # A page that nobody has named in the menu.
    text = "# A new page\n\n[Code](../src/facegan/version.py), [all of it](../benchmarks/), text.\n"
    (root / "docs/zz-new.md").write_text(text, "utf-8")
    environment = os.environ | {"PYTHON": sys.executable, "PYTHONPATH": str(ROOT / "src")}
    command = ["bash", str(root / "scripts/docs"), str(root / "out")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return root / "out"


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        known = {name: value or "" for name, value in attributes}
        self.ids |= {known[name] for name in ("id", "name") if name in known}
        if (name := FETCHED.get(tag)) and name in known:
            self.fetched.append(known[name])
        if tag == "a" and "href" in known:
            self.links.append(known["href"])


def read(page: Path) -> _Links:
    found = _Links()
    found.feed(page.read_text("utf-8"))
    return found


def own_pages(site: Path) -> list[Path]:
    others = {site / "studies", site / "examples", site / "_static"}
    return [page for page in site.rglob("*.html") if not others & set(page.parents)]


def test_every_link_inside_leads_to_a_place_that_is_there(site: Path) -> None:
    pages = {page: read(page) for page in own_pages(site)}
    assert len(pages) > 80
    for page, found in pages.items():
        for link in (*found.links, *found.fetched):
            if link.startswith(("http:", "https:", "mailto:", "data:", "javascript:")):
                continue
            target, _, place = link.partition("#")
            there = (page.parent / unquote(target.partition("?")[0])).resolve() if target else page
            assert there.exists(), f"{page.relative_to(site)}: {link}"
            if place and there in pages:
                assert unquote(place) in pages[there].ids, f"{page.relative_to(site)}: {link}"


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    for page in own_pages(site):
        for link in read(page).fetched:
            assert "//" not in link, f"{page}: {link}"
    for sheet in site.rglob("*.css"):
        text = sheet.read_text("utf-8")
        assert not re.search(r"(@import|url\()\s*['\"]?(https?:)?//", text), sheet


def test_everything_is_in_the_reference(site: Path) -> None:
    sys.path.insert(0, str(ROOT / "docs/_site"))
    import reference

    import facegan
    from facegan.recipe import recipe_names

    for words, _ in reference.commands():
        assert (site / f"reference/commands/{'-'.join(words.split()[1:])}.html").exists(), words
    for name in dir(facegan):
        assert name == "__version__" or (site / f"reference/python/{name}.html").exists(), name
    for name in recipe_names():
        assert (site / f"reference/recipes/{name}.html").exists(), name
    for page, (_, _, kinds) in reference.registries().items():
        shown = read(site / f"reference/{page}.html").ids
        for kind in kinds:
            assert {kind, kind.replace("_", "-")} & shown, f"{page}: {kind}"


def test_a_new_page_finds_its_way_into_the_menu(site: Path) -> None:
    assert "zz-new.html" in read(site / "index.html").links


def test_chinese_pages_say_their_language(site: Path) -> None:
    assert '<html class="no-js" lang="zh-CN"' in (site / "zh/tutorial.html").read_text("utf-8")
    assert '<html class="no-js" lang="en"' in (site / "tutorial.html").read_text("utf-8")
