"""Frames a second while a slider is dragged, and seconds to the first face, in a real browser.

    python benchmarks/studio_frames.py
    python benchmarks/studio_frames.py --gradio /path/to/an/environment/bin/python

The mouse is moved along a slider of one face, forth and back, for some seconds. A frame is a
picture that was put on the canvas. Beside them, the processor time of all processes together
(server, browser and what drives it) for each picture: it tells more than the clock where other
programs run. Three ways: `facegan studio`, the exported page from file://,
and, with an interpreter that has Gradio and facegan, a Gradio page with one slider whose `input`
event asks for the same picture; its frame is a picture that the browser has loaded.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

_MOVES = 40  # a second

_GRADIO = """
import gradio, torch
from facegan.generation.generator import open_generator
from facegan.generation.samples import image_inputs

opened = open_generator("lfw-64", device="cpu")
z, _ = image_inputs(opened.loaded.generator, 3)

def draw(amount):
    moved = z.clone()
    moved[:, 0] += amount
    return opened.pictures_at(moved)[0]

with gradio.Blocks() as page:
    slider = gradio.Slider(-3, 3, 0, step=0.01)
    image = gradio.Image(value=draw(0), format="png")
    slider.input(draw, slider, image, show_progress="hidden", trigger_mode="always_last")
page.queue().launch(prevent_thread_lock=False, quiet=False)
"""


def drag(page: Any, box: dict[str, float], seconds: float) -> int:
    """Drag a slider forth and back; how often the mouse moved."""
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, middle)
    page.mouse.down()
    begun, moves = time.perf_counter(), 0
    while (now := time.perf_counter() - begun) < seconds:
        share = abs((now / 2) % 2 - 1)  # forth and back in four seconds
        page.mouse.move(box["x"] + (0.05 + 0.9 * share) * box["width"], middle)
        moves += 1
        time.sleep(max(0.0, moves / _MOVES - (time.perf_counter() - begun)))
    page.mouse.up()
    return moves


def processor_seconds() -> float:
    """Of all processes that this one began, and theirs, until now."""
    parents, took = {}, {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # ended meanwhile
        number = int(stat.parent.name)
        parents[number] = int(fields[1])
        took[number] = int(fields[11]) + int(fields[12])
    ours = {os.getpid()}
    while more := {n for n, parent in parents.items() if parent in ours} - ours:
        ours |= more
    ours.remove(os.getpid())
    return sum(took[number] for number in ours) / os.sysconf("SC_CLK_TCK")


def told(name: str, first: float, frames: int, moves: int, seconds: float, took: float) -> None:
    print(
        f"{name:28} first face {first:5.2f} s, {frames / seconds:5.1f} frames a second "
        f"({frames} for {moves} moves), {1000 * took / max(frames, 1):.0f} ms of processor a frame",
        flush=True,
    )


def facegans(browser: Any, address: str, seconds: float, name: str) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    begun = time.perf_counter()
    page.goto(address)
    page.wait_for_selector(".tile.drawn", timeout=120_000)
    first = time.perf_counter() - begun
    page.locator(".tile").nth(3).click()
    components = page.locator("details", has_text="Components")
    if components.get_attribute("open") is None:
        components.locator("summary").click()
    slider = page.get_by_role("slider", name="Component 1", exact=True)
    slider.scroll_into_view_if_needed()
    page.wait_for_timeout(1500)  # the wall is drawn by then
    before, took = page.evaluate("facegan.pictures.frames"), processor_seconds()
    moves = drag(page, slider.bounding_box(), seconds)
    took = processor_seconds() - took
    frames = page.evaluate("facegan.pictures.frames") - before
    told(name, first, frames, moves, seconds, took)
    page.close()


def gradios(browser: Any, address: str, seconds: float) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    begun = time.perf_counter()
    page.goto(address)
    page.wait_for_selector("img[src*='/file=']", timeout=120_000)
    first = time.perf_counter() - begun
    page.evaluate(
        """() => {
          window.loaded = 0;
          document.addEventListener("load", (e) => e.target.tagName === "IMG" && loaded++, true);
        }"""
    )
    page.wait_for_timeout(1500)
    took = processor_seconds()
    moves = drag(page, page.locator("input[type=range]").bounding_box(), seconds)
    took = processor_seconds() - took
    told("Gradio", first, page.evaluate("loaded"), moves, seconds, took)
    page.close()


def started(command: list[str]) -> tuple[subprocess.Popen[str], str]:
    """A server, and the address that it says."""
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    for line in process.stdout:
        for word in line.split():
            if word.startswith("http://"):
                return process, word
    raise RuntimeError(f"{command} said no address")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="lfw-64")
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--gradio", help="an interpreter with Gradio and facegan")
    options = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with (
        tempfile.TemporaryDirectory() as folder,
        sync_playwright() as play,
    ):
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        target = Path(folder) / "faces.html"
        facegan = [sys.executable, "-m", "facegan"]
        export = [*facegan, "export", options.model, "--html", str(target)]
        subprocess.run(export, check=True, stdout=subprocess.DEVNULL)
        server, address = started([*facegan, "studio", options.model, "--no-browser"])
        facegans(browser, address, options.seconds, "facegan studio")
        server.send_signal(signal.SIGINT)
        server.wait(60)
        facegans(browser, target.as_uri(), options.seconds, "faces.html from file://")
        if options.gradio:
            server, address = started([options.gradio, "-c", _GRADIO])
            gradios(browser, address, options.seconds)
            server.kill()
            server.wait(60)
        browser.close()


if __name__ == "__main__":
    main()
