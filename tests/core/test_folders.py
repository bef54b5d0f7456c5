"""Where caches and models are kept, on systems with habits of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import platformdirs
import pytest

from facegan.cache import cache_folder
from facegan.files import data_folders
from facegan.models import store


@pytest.fixture
def mac(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose system keeps caches and data elsewhere than version 0.1.0 did."""
    for variable in ("FACEGAN_CACHE", "FACEGAN_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))

    def under(name: str) -> Any:
        return lambda app, **options: tmp_path / "Library" / name / app

    monkeypatch.setattr(platformdirs, "user_cache_path", under("Caches"))
    monkeypatch.setattr(platformdirs, "user_data_path", under("Application Support"))
    return tmp_path


def test_the_places_are_those_of_the_system(mac: Path) -> None:
    assert cache_folder() == mac / "Library/Caches/facegan"
    assert data_folders() == [mac / "Library/Application Support/facegan"]
    assert store.installed_folder() == mac / "Library/Application Support/facegan/models"


def test_an_older_cache_goes_on_being_used_until_there_is_a_new_one(mac: Path) -> None:
    (mac / ".cache/facegan").mkdir(parents=True)
    assert cache_folder() == mac / ".cache/facegan"
    (mac / "Library/Caches/facegan").mkdir(parents=True)
    assert cache_folder() == mac / "Library/Caches/facegan"


def test_models_installed_by_an_older_version_are_found(mac: Path) -> None:
    before = mac / ".local/share/facegan/models"
    before.mkdir(parents=True)
    bundled = store.find_model(store.DEFAULT).path
    for name in ("old", "both"):
        (before / f"{name}.safetensors").write_bytes(bundled.read_bytes())
    new = store.installed_folder()
    new.mkdir(parents=True)
    (new / "both.safetensors").write_bytes(bundled.read_bytes())
    found = {model.name: model.path.parent for model in store.models() if not model.bundled}
    assert found == {"old": before, "both": new}


def test_variables_come_before_the_system(mac: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (mac / ".local/share/facegan").mkdir(parents=True)
    monkeypatch.setenv("FACEGAN_CACHE", "here")
    monkeypatch.setenv("FACEGAN_HOME", "there")
    assert cache_folder() == Path("here")
    assert data_folders() == [Path("there")]
