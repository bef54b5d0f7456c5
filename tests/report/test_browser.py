"""The pages in a real browser: wide and narrow, light and dark, on paper, and the slider."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from run_pages import measure

from facegan import portraits
from facegan.data.dataset import Dataset
from facegan.data.doctor import examine
from facegan.data.writer import DatasetWriter
from facegan.report.doctor_page import write_doctor_page
from facegan.report.pages import compare, report

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

_KINDS = ("run", "bare run", "comparison", "many", "dataset")


@pytest.fixture(scope="module")
def pages(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A page of each kind."""
    folder = tmp_path_factory.mktemp("browser")

    def run(name: str, fd: float | None) -> Path:
        path = Path(shutil.copytree(finished, folder / name))
        if fd is not None:
            measure(path, fd)
        return path

    runs = [run(f"a-run-with-quite-a-long-name-{i}", 60.0 + i) for i in range(9)]
    return {
        "run": report(runs[0]),
        "bare run": report(run("bare", None)),
        "comparison": compare([*runs[:2], folder / "bare"], folder / "comparison.html"),
        "many": compare(runs, folder / "many.html"),
        "dataset": examined(folder),
    }


def examined(folder: Path) -> Path:
    """The page of a dataset: long names, twins, and two people who may be one."""
    drawn = portraits.draw(portraits.sample(16, seed=2), 48)
    images = np.concatenate([drawn, drawn[:2] // 8, drawn[4:5]])
    names = [f"{'a-very-long-name_' * 4}{i:04}.png" for i in range(19)]
    people = ["-".join(["Somebody"] * 8), *names[1:]]
    with DatasetWriter(folder / "faces", 48, 3) as writer:
        writer.add(images, names, people, ["train"] * 18 + ["holdout"], names)
        writer.finish({"name": "drawn", "licence": "CC0-1.0"})
    dataset = Dataset.open(folder / "faces")
    who = np.arange(19, dtype=np.float32)[:, None] // 2
    return write_doctor_page(dataset, examine(dataset, who=who), folder / "doctor.html")


@pytest.fixture
def opened(browser: Any, pages: dict[str, Path]) -> Callable[..., Any]:
    """`with opened(kind, width=…) as page`: fails on any error, warning or request."""

    @contextmanager
    def open_page(kind: str, width: int = 1280, **options: Any) -> Iterator[Any]:
        context = browser.new_context(viewport={"width": width, "height": 800}, **options)
        page = context.new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: said.append(f"request: {request.url[:80]}"))
        page.goto(pages[kind].as_uri())
        yield page
        context.close()
        # The page itself, and what it holds: nothing else is asked for.
        first, *others = said
        assert first == f"request: {pages[kind].as_uri()[:80]}"
        assert [line for line in others if not line.startswith("request: data:image/")] == []

    return open_page


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("width", [320, 360, 700, 1280])
def test_nothing_is_wider_than_the_window(
    opened: Callable[..., Any], kind: str, width: int
) -> None:
    with opened(kind, width) as page:
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("kind", _KINDS)
def test_every_picture_can_be_shown(opened: Callable[..., Any], kind: str) -> None:
    with opened(kind) as page:
        widths = page.evaluate(
            "Promise.all([...document.images].map("
            "i => i.decode().then(() => i.naturalWidth, () => 0)))"
        )
        assert widths
        assert min(widths) > 0


def shown(page: Any) -> list[str]:
    """The kimg of every grid that can be seen."""
    found = page.locator(".frame:visible").evaluate_all("all => all.map(f => f.dataset.kimg)")
    return [str(kimg) for kimg in found]


def test_the_slider_goes_back_through_training(opened: Callable[..., Any]) -> None:
    with opened("run") as page:
        slider, output = page.locator("input[type=range]"), page.locator("output")
        assert shown(page) == ["0.192"]
        assert output.inner_text() == "0.192 kimg"
        slider.press("ArrowLeft")
        assert shown(page) == ["0.128"]
        slider.press("Home")
        assert shown(page) == ["0"]
        assert slider.get_attribute("aria-valuetext") == "0 kimg"
        page.get_by_role("button", name="Play").click()
        page.get_by_role("button", name="Pause").wait_for()
        page.get_by_role("button", name="Play").wait_for()
        assert shown(page) == ["0.192"]


def test_one_slider_moves_all_runs(opened: Callable[..., Any]) -> None:
    with opened("comparison") as page:
        slider, output = page.locator("input[type=range]"), page.locator("output")
        assert shown(page) == ["0.192"] * 3
        slider.press("Home")
        assert shown(page) == ["0"] * 3
        assert page.locator(".at").all_inner_texts() == ["0 kimg"] * 3
        page.get_by_role("radio", name="part of each run").check()
        slider.press("ArrowRight")
        assert output.inner_text() == "33 %"
        assert shown(page) == ["0.064"] * 3
        page.get_by_role("radio", name="time").check()
        slider.press("End")
        assert shown(page) == ["0.192"] * 3
        assert output.inner_text().endswith(" s")


def test_without_scripts_the_last_grid_is_shown_and_no_slider(opened: Callable[..., Any]) -> None:
    for kind, count in (("run", 1), ("comparison", 3)):
        with opened(kind, java_script_enabled=False) as page:
            assert page.locator(".frame:visible").count() == count
            assert page.locator(".player:visible").count() == 0


@pytest.mark.parametrize("kind", _KINDS)
def test_light_and_dark(opened: Callable[..., Any], kind: str) -> None:
    card, small = (".chart", "th") if kind != "dataset" else ("pre", ".count")
    for scheme, dark in (("light", False), ("dark", True)):
        with opened(kind, color_scheme=scheme) as page:
            for selector, lighter in (("body", not dark), (card, not dark)):
                paper, text = page.evaluate(_COLOURS, selector)
                assert (paper > text) is lighter
                assert contrast(paper, text) > 4.5, (scheme, selector)
            # Every kind of small print too.
            for selector in (".note", "figcaption", small):
                _, text = page.evaluate(_COLOURS, selector)
                paper, _ = page.evaluate(_COLOURS, "body")
                assert contrast(paper, text) > 4.5, (scheme, selector)


# The relative luminances of an element's background and text.
_COLOURS = """selector => {
  const style = getComputedStyle(document.querySelector(selector));
  return [style.backgroundColor, style.color].map(colour => {
    const parts = colour.match(/[\\d.]+/g).slice(0, 3).map(c => {
      c /= 255;
      return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
  });
}"""


def contrast(one: float, other: float) -> float:
    """As WCAG 2 defines it; 4.5 and more is readable."""
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


@pytest.mark.parametrize("kind", _KINDS)
def test_on_paper(opened: Callable[..., Any], kind: str, tmp_path: Path) -> None:
    with opened(kind, color_scheme="dark") as page:
        page.emulate_media(media="print")
        assert page.evaluate(_COLOURS, "body")[0] == 1.0
        assert page.locator(".player:visible").count() == 0
        # Commands without the name of their run would be of no use.
        names = page.locator(".named summary")
        assert page.locator(".named summary:visible").count() == names.count()
        # Paper of 210 mm, less the margins, at 96 pixels to the inch.
        page.set_viewport_size({"width": 688, "height": 1000})
        assert page.evaluate("document.documentElement.scrollWidth") <= 688
        page.pdf(path=tmp_path / "page.pdf", format="A4")
        assert page.locator("details:not([open])").count() == 0
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
