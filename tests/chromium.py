"""The browser of the tests that look at pages; they skip where there is none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

# By environment, in the usual places of Linux, or as playwright itself installed it.
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_CHROMIUM = os.environ.get("FACEGAN_CHROMIUM") or next(
    filter(None, map(shutil.which, _NAMES)), None
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, started once for a file of tests."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as play:
        try:
            started = play.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox"])
        except playwright.Error as error:
            pytest.skip(f"no chromium can be started: {str(error).splitlines()[0]}")
        yield started
        started.close()
