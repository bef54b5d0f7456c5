"""Commands and Python of every document, step by step in order, at a size that fits a test."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from documents import ROOT, Command, documents, steps
from reading import INSTEAD, LESS_PYTHON, SMALLER, Reader, Shelf

from facegan.apps import packing
from facegan.losses.adversarial import ADVERSARIAL
from facegan.methods import REGULARISERS
from hub_server import TOKEN, Hub, serving
from tiny import find_no_faces
from trials_here import perform_here

# Chinese pages have the commands and lines of the English ones (test_chinese.py).
PAGES = [
    page
    for page in documents()
    if page.parent.name != "zh" and not page.name.endswith("zh-CN.md") and steps(page)
]


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
    monkeypatch.setattr("facegan.apps.profile._SECONDS", 0.1)
    monkeypatch.setattr("facegan.apps.edit._FEWEST_FACES", 300)
    # The studio has another process make it a faster engine: studio/test_onnx_engine does.
    monkeypatch.setattr("facegan.studio.computing.quick_draw", lambda opened: None)
    # What is trained here for a moment draws no faces, and processes take long to start.
    find_no_faces(monkeypatch)
    monkeypatch.setattr("facegan.study.execution.local.watched_by_parent", perform_here)
    with serving() as server:
        server.owner = "somebody"
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


@pytest.fixture(autouse=True)
def _no_plugin_stays() -> Iterator[None]:
    registries = (ADVERSARIAL, REGULARISERS)
    known, modules = [set(registry) for registry in registries], set(sys.modules)
    yield
    for registry, names in zip(registries, known, strict=True):
        for name in set(registry) - names:
            registry.remove(name)
    for name in set(sys.modules) - modules:
        if "plugins" in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_step_does_what_it_says(page: Path, shelf: Shelf, hub: Hub) -> None:
    Reader(shelf).read(page)
    if page.name == "tutorial.md":
        what_the_tutorial_gives_away(hub)


def what_the_tutorial_gives_away(hub: Hub) -> None:
    for name in ("README.md", "samples.png", "report.html", "index.html"):
        assert Path("my-faces", name).stat().st_size > 1000
    there = hub.repositories["somebody/my-faces"]
    newest = there.commits[there.branches["main"]]
    assert newest["model.safetensors"] == Path("my-faces.safetensors").read_bytes()
    assert "nobody's" in newest["README.md"].decode()
    assert "index.html" in newest
    assert Path("sixteen.png").exists()


def test_nothing_is_changed_in_vain(shelf: Shelf) -> None:
    reader = Reader(shelf)
    for page in PAGES:
        for step in steps(page):
            if isinstance(step, Command):
                reader.small(step.words)
            else:
                reader.less(step.code)
    tables = (*SMALLER, *INSTEAD, *LESS_PYTHON)
    assert reader.needed == {pattern for pattern, *_ in tables}


def test_what_is_in_vain_is_seen(shelf: Shelf) -> None:
    reader = Reader(shelf)
    reader.small(["data", "show", "faces"])
    assert reader.needed == set()
