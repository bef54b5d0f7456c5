"""Commands of documents, typed in their order, at a size that fits a test."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from documents import ROOT, commands, documents
from reading import SMALLER, Reader, Shelf

from facegan.apps import packing
from facegan.losses.adversarial import ADVERSARIAL
from hub_server import TOKEN, Hub, serving

# Chinese pages have the commands and lines of the English ones (test_chinese.py).
ENGLISH = [
    page for page in documents() if page.parent.name != "zh" and not page.name.endswith("zh-CN.md")
]
# Of the other pages, commands are parsed (test_written_commands.py). The README and the tutorial
# have tests of their own.
TYPED = ("docs/clusters.md", "docs/index.md", "docs/install.md", "docs/training.md")
PAGES = [ROOT / name for name in TYPED]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    return Shelf(tmp_path_factory.mktemp("shelf"))


@pytest.fixture(autouse=True)
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """An empty folder, a login at a hub, a studio that stops when it could answer."""
    pytest.importorskip("huggingface_hub")
    uvicorn = pytest.importorskip("uvicorn")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FACEGAN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FACEGAN_PLUGINS", "")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    # So that an evaluation of few pictures will do.
    monkeypatch.setattr(packing, "ENOUGH", 50)
    monkeypatch.setattr(uvicorn.Server, "run", lambda self, sockets=None: None)
    with serving() as server:
        server.owner = "somebody"
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


@pytest.fixture(autouse=True)
def _no_plugin_stays() -> Iterator[None]:
    losses, modules = dict(ADVERSARIAL), set(sys.modules)
    yield
    for name in set(ADVERSARIAL) - losses.keys():
        ADVERSARIAL.remove(name)
    for name in set(sys.modules) - modules:
        if "plugins" in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_does_what_it_says(page: Path, shelf: Shelf) -> None:
    Reader(shelf).read(page)


def test_nothing_is_made_smaller_in_vain(shelf: Shelf) -> None:
    reader = Reader(shelf)
    for page in ENGLISH:
        for command in commands(page):
            reader.small(command.words)
    assert reader.needed == {pattern for pattern, _ in SMALLER}
