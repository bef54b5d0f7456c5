"""The studio and the exported page in a real browser: every control, with both engines."""

from __future__ import annotations

import base64
import inspect
import io
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from small_generators import write_directions, write_generator

import facegan
from facegan.data.pictures import open_picture
from facegan.data.spec import Label
from facegan.editing.directions import require_directions
from facegan.generation.generator import open_generator
from facegan.generation.samples import image_inputs

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
for _package in ("starlette", "uvicorn", "websockets", "onnx", "onnxscript"):
    pytest.importorskip(_package, reason=f"{_package} is not installed")

ENGINES = ("studio", "page")
# Milliseconds after which what never comes is no longer waited for.
PATIENCE = 180_000
# Buttons that were there and that were clicked, by engine; and the tests that tell of them.
THERE: dict[str, set[str]] = {engine: set() for engine in ENGINES}
CLICKED: dict[str, set[str]] = {engine: set() for engine in ENGINES}
TOLD: set[str] = set()
# Notes each button by its id, else by its kind, else by its words.
NOTING = """
(() => {
  const kinds = ["tile", "thumb", "drop", "run", "reset"];
  const named = (b) => b.id || kinds.find((k) => b.classList.contains(k)) || b.innerText.trim();
  const noted = { there: new Set(), clicked: new Set() };
  window.noted = () => [[...noted.there], [...noted.clicked]];
  const look = () => document.querySelectorAll("button").forEach((b) => {
    if (b.checkVisibility()) noted.there.add(named(b));
  });
  const changes = { subtree: true, childList: true, attributeFilter: ["hidden"] };
  new MutationObserver(look).observe(document, changes);
  addEventListener("click", (event) => {
    const button = event.target.closest?.("button");
    if (button) noted.clicked.add(named(button));
  }, true);
})();
"""
LABELS = (Label("Hat", True), Label("years", False, 40.0, 12.0))


@pytest.fixture(scope="module")
def faces(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small generator with labels and directions."""
    path = tmp_path_factory.mktemp("faces") / "faces.safetensors"
    write_generator(tiny, path, LABELS, recipe="ignm")
    write_directions(path)
    return path


@contextmanager
def studio(*arguments: str) -> Iterator[str]:
    """`facegan studio` as a process; its address. It leaves by Ctrl-C without a traceback."""
    process = subprocess.Popen(
        [sys.executable, "-m", "facegan", "studio", *arguments, "--no-browser", "--device", "cpu"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler) and None,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "http://" in line, process.communicate(timeout=180)
        yield line.split()[-1]
    finally:
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=180)
    assert process.returncode == 0, said
    assert "Traceback" not in said


@pytest.fixture(scope="module")
def addresses(
    faces: Path, run_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """Where each engine's page is."""
    from facegan.studio.page import export_page

    page = tmp_path_factory.mktemp("page") / "faces.html"
    export_page(faces, page)
    with studio(str(faces), str(run_folder)) as address:
        yield {"studio": address, "page": page.as_uri()}


@pytest.fixture
def opened(
    browser: Any, addresses: dict[str, str], request: pytest.FixtureRequest
) -> Callable[..., Any]:
    """`with opened(engine) as page`: fails on any error, or request to anywhere else."""
    TOLD.add(request.node.originalname)

    @contextmanager
    def open_page(
        engine: str, more: str = "", allowed: str = "willReadFrequently", **options: Any
    ) -> Iterator[Any]:
        options.setdefault("viewport", {"width": 1280, "height": 800})
        context = browser.new_context(accept_downloads=True, **options)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.add_init_script(NOTING)
        said: list[str] = []
        own = addresses[engine].partition("?")[0]
        page.on("console", lambda m: said.append(f"{m.type}: {m.text}"))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on(
            "request",
            lambda r: (
                said.append(r.url[:120]) if not r.url.startswith((own, "blob:", "data:")) else None
            ),
        )
        page.goto(addresses[engine] + more)
        page.wait_for_selector("body.ready", timeout=PATIENCE)
        yield page
        for noted, names in zip((THERE, CLICKED), page.evaluate("noted()"), strict=True):
            noted[engine].update(names)
        context.close()
        # Tests read canvases, which browsers advise against.
        assert [line for line in said if allowed not in line] == []

    return open_page


def tile(page: Any, number: int) -> Any:
    page.wait_for_selector(f".tile.drawn[data-place='{number}']", timeout=PATIENCE)
    return page.locator(f".tile[data-place='{number}']")


def shown(page: Any, selector: str) -> np.ndarray:
    """The pixels of a canvas, uint8 [H, W, 3]."""
    values = page.eval_on_selector(
        selector,
        "c => [c.width, ...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]",
    )
    side, *data = values
    return np.array(data, np.uint8).reshape(side, side, 4)[:, :, :3]


def state(page: Any) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate("facegan.store.state")
    return found


def near(one: np.ndarray, other: np.ndarray, levels: int = 1) -> bool:
    return one.shape == other.shape and int(np.abs(one.astype(int) - other).max()) <= levels


def until(page: Any, condition: str) -> None:
    """Wait for a condition. The page's policy keeps Playwright's own way out, which needs eval."""
    page.evaluate(
        f"async () => {{ const end = performance.now() + {PATIENCE};"
        f" while (!({condition})) {{ if (performance.now() > end) throw new Error('never');"
        " await new Promise(done => setTimeout(done, 20)); } }"
    )


def settled(page: Any) -> None:
    """Until nothing is computed any more."""
    until(
        page, "!facegan.pictures.busy && !facegan.pictures.newest && !facegan.pictures.queue.length"
    )
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def reference(path: Path, engine: str, seed: int, psi: float = 1.0, **edits: float) -> np.ndarray:
    """The face as PyTorch makes it; of the page, with weights in half precision."""
    model = open_generator(path, device="cpu")
    generator = model.loaded.halved().generator if engine == "page" else model.loaded.generator
    z, labels = image_inputs(model.loaded.generator, seed)
    z = z * psi
    if edits:
        z = torch.from_numpy(require_directions(path).moved(z.numpy(), edits))
    with torch.no_grad():
        return model.loaded.pixels.to_bytes(generator(z, labels))[0].numpy()


def set_slider(page: Any, name: str, value: float) -> None:
    page.get_by_role("slider", name=name, exact=True).evaluate(
        "(s, v) => { s.value = v; s.dispatchEvent(new Event('input', {bubbles: true}));"
        " s.dispatchEvent(new Event('change', {bubbles: true})); }",
        value,
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_seeds_are_the_faces_of_the_command(opened: Any, faces: Path, engine: str) -> None:
    with opened(engine) as page:
        for number in (0, 7):
            tile(page, number)
            assert near(
                shown(page, f".tile[data-place='{number}'] canvas"),
                reference(faces, engine, number),
            )
        # The page computes in a worker, also from file://, so that it scrolls meanwhile.
        assert len(page.workers) == (engine == "page")
        page.get_by_label("First seed").fill("1000")
        page.get_by_label("First seed").press("Enter")
        tile(page, 3)
        settled(page)
        assert near(shown(page, ".tile[data-place='3'] canvas"), reference(faces, engine, 1003))
        page.get_by_role("button", name="Somewhere else").click()
        until(page, "facegan.store.state.start !== 1000")


@pytest.mark.parametrize("engine", ENGINES)
def test_an_edit_moves_the_face_and_can_be_undone(opened: Any, faces: Path, engine: str) -> None:
    with opened(engine) as page:
        tile(page, 5).click()
        settled(page)
        assert near(shown(page, ".panel canvas"), reference(faces, engine, 5))
        set_slider(page, "Smiling", 2)
        settled(page)
        edited = reference(faces, engine, 5, Smiling=2.0)
        assert near(shown(page, ".panel canvas"), edited)
        assert not near(edited, reference(faces, engine, 5), 8)
        assert state(page)["open"] == {"seed": 5, "edits": {"Smiling": 2}}
        # Before and after, with the button.
        before = page.get_by_role("button", name="Before")
        before.click()
        settled(page)
        assert near(shown(page, ".panel canvas"), reference(faces, engine, 5))
        before.click()
        settled(page)
        assert near(shown(page, ".panel canvas"), edited)
        # A number beside the slider does the same, and its own button resets it.
        number = page.get_by_role("spinbutton", name="Age, number")
        number.fill("-1.5")
        number.press("Enter")
        assert state(page)["open"]["edits"] == {"Age": -1.5, "Smiling": 2}
        page.get_by_role("button", name="Reset Age").click()
        assert state(page)["open"]["edits"] == {"Smiling": 2}
        page.get_by_role("button", name="Undo").click()
        assert state(page)["open"]["edits"] == {"Age": -1.5, "Smiling": 2}
        page.keyboard.press("Control+z")
        page.keyboard.press("Control+z")
        assert state(page)["open"] == {"seed": 5}
        page.get_by_role("button", name="Redo").click()
        assert state(page)["open"] == {"seed": 5, "edits": {"Smiling": 2}}
        page.locator("#reset").click()
        assert state(page)["open"] == {"seed": 5}
        page.get_by_role("button", name="Close").click()
        assert page.locator("#panel").is_hidden()


@pytest.mark.parametrize("engine", ENGINES)
def test_what_changed_is_told(opened: Any, engine: str) -> None:
    with opened(engine) as page:
        tile(page, 1).click()
        set_slider(page, "Smiling", 2)
        page.wait_for_selector(".readout li.asked")
        words = page.locator(".readout-box").inner_text()
        if engine == "page":  # +2 along a direction whose effect on the other is 0.3
            assert "Smiling\n+2.0" in words
            assert "Age\n+0.6" in words
        assert ("Expected" in words) == (engine == "page")


@pytest.mark.parametrize("engine", ENGINES)
def test_labels_components_and_truncation(opened: Any, faces: Path, engine: str) -> None:
    with opened(engine) as page:
        tile(page, 2).click()
        page.locator("summary", has_text="Truncation").click()
        page.locator("summary", has_text="Components").click()
        panel = page.locator("#panel")
        panel.get_by_role("slider", name="Years", exact=True).evaluate(
            "s => { s.value = 64; s.dispatchEvent(new Event('change')); }"
        )
        assert "labels" in state(page)["open"]
        page.locator("#reset").click()
        set_slider(page, "Component 1", 1.5)
        assert state(page)["open"] == {"seed": 2, "parts": {"0": 1.5}}
        page.locator("#reset").click()
        page.locator("#face-psi").evaluate(
            "s => { s.value = 0.5; s.dispatchEvent(new Event('change')); }"
        )
        settled(page)
        assert near(shown(page, ".panel canvas"), reference(faces, engine, 2, 0.5))
        page.locator("#truncation").evaluate(
            "s => { s.value = 0; s.dispatchEvent(new Event('change')); }"
        )
        assert state(page)["psi"] == 0
        page.get_by_role("checkbox", name="Choose Years").check()
        assert set(state(page)["labels"]) == {"years"}
        page.get_by_role("checkbox", name="Choose Years").uncheck()
        assert state(page)["labels"] == {}


@pytest.mark.parametrize("engine", ENGINES)
def test_keys_alone_suffice(opened: Any, engine: str) -> None:
    with opened(engine) as page:
        tile(page, 0)
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == "skip"
        page.locator(".tile").first.focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowDown")
        columns = page.evaluate(
            "getComputedStyle(document.querySelector('.grid'))"
            ".gridTemplateColumns.split(' ').length"
        )
        assert page.evaluate("document.activeElement.dataset.place") == str(columns + 1)
        page.keyboard.press("k")
        assert state(page)["kept"] == [{"seed": columns + 1}]
        page.keyboard.press("Enter")
        assert state(page)["open"] == {"seed": columns + 1}
        slider = page.get_by_role("slider", name="Smiling", exact=True).last
        slider.focus()
        for _ in range(4):
            page.keyboard.press("ArrowRight")
        assert state(page)["open"]["edits"] == {"Smiling": 0.2}
        page.keyboard.press("Escape")
        assert state(page)["open"] is None
        assert page.evaluate("document.activeElement.dataset.place") == str(columns + 1)


def keep(page: Any, *seeds: int) -> None:
    for seed in seeds:
        tile(page, seed).focus()
        page.keyboard.press("k")


@pytest.mark.parametrize("engine", ENGINES)
def test_kept_faces_can_be_compared_and_taken_away(
    opened: Any, faces: Path, engine: str, tmp_path: Path
) -> None:
    with opened(engine) as page:
        keep(page, 1, 4, 6)
        assert page.locator(".count").inner_text() == "3 kept"
        page.get_by_role("button", name="Compare").click()
        assert page.locator("dialog figure").count() == 3
        page.keyboard.press("Escape")
        assert page.locator("dialog").count() == 0
        page.locator(".strip").get_by_role("button", name="Remove Seed 4").click()
        assert [face["seed"] for face in state(page)["kept"]] == [1, 6]
        with page.expect_download() as waiting:
            page.locator("#zip").click()
        waiting.value.save_as(tmp_path / "faces.zip")
        with zipfile.ZipFile(tmp_path / "faces.zip") as archive:
            assert archive.namelist() == ["seed000001.png", "seed000006.png", "faces.json"]
            assert json.loads(archive.read("faces.json"))["faces"] == [{"seed": 1}, {"seed": 6}]
            with open_picture(io.BytesIO(archive.read("seed000006.png"))) as picture:
                assert near(np.asarray(picture), reference(faces, engine, 6))
        # A dataset with the edits as labels, written by the server or by the page.
        tile(page, 2).click()
        set_slider(page, "Smiling", 1.5)
        page.locator("#keep").click()
        with page.expect_download() as waiting:
            page.locator("#dataset").click()
        waiting.value.save_as(tmp_path / "dataset.zip")
        dataset = opened_dataset(tmp_path / "dataset.zip", engine, tmp_path)
        labels = dict(zip(dataset.names, dataset.labels[:, 0].tolist(), strict=True))
        (edited,) = set(labels) - {"seed000001.png", "seed000006.png"}
        assert dataset.label_names == ("Smiling",)
        assert labels == {"seed000001.png": 0, "seed000006.png": 0, edited: 1.5}
        picture = dataset.images[dataset.names.index("seed000006.png")]
        assert near(np.asarray(picture), reference(faces, engine, 6))
        page.get_by_role("button", name="Undo").click()
        page.locator("#clear").click()
        assert state(page)["kept"] == []
        assert page.locator(".tray").is_hidden()
        page.get_by_role("button", name="Undo").click()
        assert len(state(page)["kept"]) == 2


def opened_dataset(path: Path, engine: str, folder: Path) -> Any:
    """The dataset of a zip: as it lies there, or imported from its pictures and their table."""
    from facegan.data.dataset import Dataset

    if engine == "page":
        facegan.import_images(path, folder / "faces", resolution=32)
    else:
        with zipfile.ZipFile(path) as archive:
            archive.extractall(folder)
    return Dataset.open(folder / "faces")


def drop(page: Any, path: Path) -> None:
    """Drop a file on the page."""
    page.evaluate(
        """([name, bytes]) => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([Uint8Array.from(bytes)], name));
          document.body.dispatchEvent(
            new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
        }""",
        [path.name, list(path.read_bytes())],
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_a_picture_that_is_dropped_restores_everything(
    opened: Any, faces: Path, engine: str, tmp_path: Path
) -> None:
    with opened(engine) as page:
        tile(page, 3).click()
        set_slider(page, "Smiling", -1)
        settled(page)
        kept = state(page)["open"]
        with page.expect_download() as waiting:
            page.locator("#save").click()
        waiting.value.save_as(tmp_path / "face.png")
        with open_picture(tmp_path / "face.png") as picture:
            assert near(np.asarray(picture), shown(page, ".panel canvas"), 0)
            assert picture.text["Comment"].startswith("Generated")  # type: ignore[attr-defined]
        page.locator("#close-panel").click()
        drop(page, tmp_path / "face.png")
        until(page, "facegan.store.state.open !== null")
        assert state(page)["open"] == kept
        # What the command wrote comes back, too.
        from facegan.apps.generate import generate

        generate(faces, tmp_path, n=1, seed=9, truncation=0.6)
        drop(page, tmp_path / "seed000009.png")
        until(page, "facegan.store.state.open?.seed === 9")
        assert state(page)["open"] == {"seed": 9, "psi": 0.6}
        generate(faces, tmp_path / "labelled", n=1, seed=2, labels={"hat": 1, "years": 60})
        drop(page, tmp_path / "labelled" / "seed000002.png")
        until(page, "facegan.store.state.open?.seed === 2")
        assert state(page)["open"] == {"seed": 2, "labels": {"Hat": 1, "years": 60}}
        drop(page, tmp_path / "seed000009.png")
        until(page, "facegan.store.state.open?.seed === 9")
        (tmp_path / "no.png").write_bytes(b"no picture")
        drop(page, tmp_path / "no.png")
        page.wait_for_selector(".said.shown.trouble")
        assert state(page)["open"] == {"seed": 9, "psi": 0.6}


@pytest.mark.parametrize("engine", ENGINES)
def test_a_link_holds_the_whole_state(opened: Any, engine: str) -> None:
    with opened(engine) as page:
        keep(page, 0, 2)
        tile(page, 3).click()
        set_slider(page, "Smiling", 1)
        before, address = state(page), page.url
    with opened(engine, "#" + address.partition("#")[2]) as page:
        assert state(page) == before
        assert page.locator("#panel-title").inner_text() == "Seed 3"
    for wrong in ("#nonsense", "#eyJvcGVuIjoxfQ", "#%00", "#" + "A" * 5000):
        with opened(engine, wrong) as page:
            assert state(page)["open"] is None


@pytest.mark.parametrize("engine", ENGINES)
def test_a_link_and_code_are_copied(opened: Any, engine: str) -> None:
    def copied(page: Any, words: str) -> None:
        text = json.dumps(words)
        page.evaluate(f"navigator.clipboard.readText().then(t => window.copied = t === {text})")
        until(page, "window.copied !== undefined")
        assert page.evaluate("window.copied")
        page.evaluate("delete window.copied")

    with opened(engine, permissions=["clipboard-read", "clipboard-write"]) as page:
        tile(page, 3).click()
        page.locator("#copy-link").click()
        page.get_by_text("The link is copied").wait_for()
        copied(page, page.url)
        page.locator("#show-code").click()
        dialog = page.locator("dialog")
        code = dialog.locator("code").first.text_content()
        assert "facegan" in code
        dialog.get_by_role("button", name="Copy").first.click()
        page.get_by_text("The code is copied").wait_for()
        copied(page, code)
        dialog.get_by_role("button", name="Close").click()
        assert dialog.count() == 0
        # A kept face opens from where it is kept.
        page.locator("#keep").click()
        page.locator("#close-panel").click()
        page.locator(".thumb").click()
        assert state(page)["open"] == {"seed": 3}
        page.locator("#about").click()
        dialog.get_by_role("button", name="Close").click()
        assert dialog.count() == 0


# Faces whose code is run: a plain one, an edited one, one of everything, and a latent.
CODED: tuple[dict[str, Any], ...] = (
    {"seed": 3, "psi": 0.8, "labels": {"Hat": 1}},
    {"seed": 3, "psi": 0.8, "labels": {"years": 60}, "edits": {"Smiling": 1, "Age": -0.5}},
    {"seed": 4, "labels": {"Hat": 0}, "edits": {"Smiling": 1}, "parts": {"1": -1}},
    {"z": base64.b64encode(np.linspace(-1, 1, 8).astype("<f4").tobytes()).decode(), "psi": 0.9},
    {"seed": 3, "psi": 0.8, "mix": {"side": 8, "face": {"seed": 5, "psi": 0.8}}},
    {"seed": 3, "edits": {"Age": 1}, "mix": {"side": 16, "face": {"seed": 5, "parts": {"0": 1}}}},
)


def test_the_code_makes_the_same_face(
    opened: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from facegan.cli import cli

    monkeypatch.chdir(tmp_path)
    found = []
    with opened("studio") as page:
        tile(page, 0)
        for face in CODED:
            page.evaluate("face => facegan.store.set({ open: face })", face)
            settled(page)
            picture = shown(page, ".panel canvas")
            page.locator("#show-code").click()
            found.append((picture, page.locator("dialog code").all_inner_texts()))
            page.keyboard.press("Escape")
        page.locator("#show-code").click()
        page.locator("dialog").get_by_role("button", name="Copy").first.click()
    for picture, (python, *command) in found:
        for text in (python, *command):
            if text.startswith("facegan "):
                cli.main(shlex.split(text)[1:], standalone_mode=False)
            else:
                exec(compile(text, "face.py", "exec"), {})
            with open_picture(tmp_path / "face.png") as made:
                assert near(np.asarray(made), picture), text
            (tmp_path / "face.png").unlink()
    assert [len(texts) for _, texts in found] == [2, 2, 1, 1, 2, 1]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_walk_and_its_film(opened: Any, faces: Path, engine: str, tmp_path: Path) -> None:
    with opened(engine) as page:
        page.locator("#to-walk").click()
        assert page.get_by_text("Keep two faces or more").is_visible()
        page.locator("#to-faces").click()
        keep(page, 1, 2)
        page.locator("#walk-kept").click()
        settled(page)
        assert near(shown(page, ".walk canvas"), reference(faces, engine, 1))
        page.locator("#walk-place").evaluate(
            "s => { s.value = 0.5; s.dispatchEvent(new Event('input')); }"
        )
        settled(page)
        assert near(shown(page, ".walk canvas"), reference(faces, engine, 2))
        page.locator("#walk-seconds").fill("0.2")
        page.locator("#walk-seconds").press("Enter")
        page.get_by_role("button", name="Play").click()
        until(page, "facegan.pictures.frames > 5")
        page.get_by_role("button", name="Pause").click()
        page.get_by_label("Loop").uncheck()
        page.locator("#film-format").select_option("apng")
        with page.expect_download() as waiting:
            page.locator("#save-film").click()
        waiting.value.save_as(tmp_path / "walk.png")
        with open_picture(tmp_path / "walk.png") as film:
            assert film.n_frames == 5  # type: ignore[attr-defined]
            assert near(np.asarray(film.convert("RGB")), reference(faces, engine, 1))
            film.seek(4)
            assert near(np.asarray(film.convert("RGB")), reference(faces, engine, 2))
        page.locator("#film-format").select_option("recorded")
        with page.expect_download() as waiting:
            page.locator("#save-film").click()
        waiting.value.save_as(tmp_path / "walk.webm")
        assert (tmp_path / "walk.webm").read_bytes()[:4] == b"\x1a\x45\xdf\xa3"  # Matroska's


def mixture(path: Path, engine: str, seed: int, other: int, side: int) -> np.ndarray:
    """Two faces mixed, as PyTorch makes them."""
    model = open_generator(path, device="cpu")
    network = model.loaded.halved().generator if engine == "page" else model.loaded.generator
    (z, rows), (fine, fine_rows) = (image_inputs(network, number) for number in (seed, other))
    share = torch.tensor([[float(one >= side) for one in network.modulated]])
    with torch.no_grad():
        images = network.mixed(z, rows, fine, fine_rows, share)
    return model.loaded.pixels.to_bytes(images)[0].numpy()


@pytest.mark.parametrize("engine", ENGINES)
def test_two_faces_are_mixed_by_resolution(
    opened: Any, faces: Path, engine: str, tmp_path: Path
) -> None:
    with opened(engine) as page:
        keep(page, 6)
        tile(page, 3).click()
        page.locator("summary", has_text="Mixing").click()
        page.locator("#mix-side").select_option("16")
        page.locator("#mix-face").select_option(label="Seed 6")
        settled(page)
        mixed = {"side": 16, "face": {"seed": 6}}
        assert state(page)["open"] == {"seed": 3, "mix": mixed}
        expected = mixture(faces, engine, 3, 6, 16)
        assert near(shown(page, ".panel canvas"), expected)
        assert not near(expected, reference(faces, engine, 3))
        page.get_by_role("button", name="Before").click()
        settled(page)
        assert near(shown(page, ".panel canvas"), reference(faces, engine, 3))
        # Another resolution, and another seed, which nobody kept.
        page.locator("#mix-side").select_option("8")
        page.locator("#mix-seed").fill("9")
        page.locator("#mix-seed").press("Enter")
        settled(page)
        assert state(page)["open"]["mix"] == {"side": 8, "face": {"seed": 9}}
        assert near(shown(page, ".panel canvas"), mixture(faces, engine, 3, 9, 8))
        with page.expect_download() as waiting:
            page.locator("#save").click()
        waiting.value.save_as(tmp_path / "face.png")
        page.locator("#mix-face").select_option("")
        assert state(page)["open"] == {"seed": 3}
        drop(page, tmp_path / "face.png")
        until(page, "facegan.store.state.open?.mix?.side === 8")
        # What the page wrote, facegan makes again.
        from facegan.editing.face import EditedFace, pictures_of

        face = EditedFace.of_png(tmp_path / "face.png")
        (again,) = pictures_of(open_generator(faces, device="cpu"), [face], None)
        with open_picture(tmp_path / "face.png") as picture:
            assert near(np.asarray(picture), again, 1 if engine == "studio" else 8)
        # A walk to a face of which nothing is mixed in.
        page.locator("#keep").click()
        page.locator("#walk-kept").click()
        page.locator("#walk-place").evaluate(
            "s => { s.value = 0.5; s.dispatchEvent(new Event('input')); }"
        )
        settled(page)
        assert near(shown(page, ".walk canvas"), mixture(faces, engine, 3, 9, 8))


def test_where_faces_cannot_be_mixed_the_page_says_why(browser: Any, model: Path) -> None:
    with studio(str(model)) as address:
        context = browser.new_context()
        page = context.new_page()
        page.goto(address)
        tile(page, 0).click()
        page.locator("summary", has_text="Mixing").click()
        assert page.get_by_text("takes its latent in at one place").is_visible()
        assert page.locator("#mix-face").count() == 0
        context.close()


def test_runs_are_watched(opened: Any, run_folder: Path) -> None:
    with opened("studio") as page:
        page.locator("#to-watch").click()
        page.wait_for_selector(".column:visible .chart")
        assert page.locator(".run").count() == 2
        assert page.locator(".column:visible").count() == 1
        page.locator(".run", has_text="b").last.click()
        until(page, "document.querySelectorAll('.column:not([hidden])').length === 2")
        image = page.locator(".column").first.locator("img")
        assert image.evaluate("async i => { await i.decode(); return i.naturalWidth; }") > 64
        slider = page.locator(".column").first.locator("input[type=range]")
        slider.press("Home")
        assert image.get_attribute("alt") == "Samples at 0 kimg"
        # A run that begins meanwhile, and its samples as they come.
        late = run_folder / "late"
        try:
            shutil.copytree(run_folder / "a", late)
            page.locator(".run[data-run$=':b']").click()
            page.locator(".run[data-run$=':late']").click()
            image = page.locator(".column").nth(1).locator("img")
            until(page, "document.querySelectorAll('.column:not([hidden])').length === 2")
            shutil.copy(max((late / "samples").iterdir()), late / "samples" / "000009.000k.png")
            until(page, "[...document.images].some(i => i.alt === 'Samples at 9 kimg')")
            assert image.get_attribute("alt") == "Samples at 9 kimg"
        finally:
            shutil.rmtree(late)


def test_a_photograph_is_inverted_in_the_page(opened: Any, faces: Path) -> None:
    model = open_generator(faces, device="cpu")
    z = torch.from_numpy(np.random.default_rng(2).standard_normal((8, 8)).astype(np.float32))
    pictures = model.pictures_at(z, torch.full((8, 2), torch.nan))
    own = pictures[0]
    file = io.BytesIO()
    Image.fromarray(own.repeat(10, 0).repeat(10, 1)).save(file, "PNG")

    def give(page: Any, data: bytes) -> None:
        given = {"name": "me.png", "mimeType": "image/png", "buffer": data}
        page.set_input_files("#photograph-file", given)

    with opened("page") as page:
        page.locator("#to-photograph").click()
        give(page, b"no picture")
        page.wait_for_selector(".inversion .trouble")
        give(page, file.getvalue())
        page.wait_for_selector(".stage")
        for name in ("Left, right", "Up, down", "Size", "Tilt"):
            page.get_by_role("slider", name=name, exact=True).press("ArrowRight")
        box = page.locator(".stage").bounding_box()
        page.mouse.move(box["x"] + 50, box["y"] + 50)
        page.mouse.down()
        page.mouse.move(box["x"] + 90, box["y"] + 70)
        page.mouse.up()
        assert float(page.locator("#crop-x").input_value()) > 0.1
        page.get_by_label("Show the average face").uncheck()
        page.locator("#crop-centre").click()
        assert page.locator("#crop-x").input_value() == "0"
        page.locator("#crop-find").click()
        page.wait_for_selector("#edit-photograph", timeout=PATIENCE)
        settled(page)
        assert near(shown(page, "#photograph-seen"), own, 3)
        made = shown(page, ".comparison figure:last-child canvas").astype(int)
        others = [np.abs(picture.astype(int) - own).mean() for picture in pictures[1:]]
        assert np.abs(made - own).mean() < min(others)
        assert "of 255 levels" in page.locator(".comparison").inner_text()
        page.locator("#keep-photograph").click()
        page.locator("#edit-photograph").click()
        set_slider(page, "Smiling", 1)
        face = state(page)["open"]
        assert (face["from"], face["edits"]) == ("photograph", {"Smiling": 1})
        assert len(state(page)["kept"]) == 1


def give_answer(page: Any, verdict: str) -> None:
    """In the place of the server's: what it finds is tested where it is found."""
    file = io.BytesIO()
    Image.new("RGB", (32, 32), (90, 120, 70)).save(file, "PNG")
    told = {
        "face": {"z": base64.b64encode(np.linspace(-1, 1, 8).astype("<f4").tobytes()).decode()},
        "seen": base64.b64encode(file.getvalue()).decode(),
        "found": "As it was cut out",
        "error": "Differs by 9 of 255 levels on average",
        "verdict": verdict,
    }
    page.route("**/api/photograph", lambda route: route.fulfill(json=told))
    given = {"name": "me.png", "mimeType": "image/png", "buffer": file.getvalue()}
    page.set_input_files("#photograph-file", given)
    page.wait_for_selector("#edit-photograph")


def test_a_photograph_that_the_server_found_is_kept_and_edited(opened: Any) -> None:
    with opened("studio") as page:
        page.locator("#to-photograph").click()
        give_answer(page, "The generator holds this face closely.")
        settled(page)
        assert "holds this face closely" in page.locator(".inversion").inner_text()
        assert page.locator(".comparison img").evaluate("i => i.naturalWidth") == 32
        page.locator("#keep-photograph").click()
        page.locator("#edit-photograph").click()
        set_slider(page, "Smiling", 1)
        face = state(page)["open"]
        assert (face["from"], face["edits"]) == ("photograph", {"Smiling": 1})
        assert [one["from"] for one in state(page)["kept"]] == ["photograph"]


def test_what_is_no_photograph_is_refused_by_the_studio(opened: Any) -> None:
    with opened("studio", allowed="status of 400") as page:
        page.locator("#to-photograph").click()
        with page.expect_response("**/api/photograph") as answer:
            page.set_input_files(
                "#photograph-file",
                {"name": "a.png", "mimeType": "image/png", "buffer": b"no picture"},
            )
        assert answer.value.status == 400
        page.wait_for_selector(".inversion .trouble")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("width", [390, 820, 1600])
def test_nothing_is_wider_than_the_window(opened: Any, engine: str, width: int) -> None:
    with opened(engine, viewport={"width": width, "height": 800}) as page:
        keep(page, *range(9))
        views = ["faces", "walk", "photograph"] + (["watch"] if engine == "studio" else [])
        for view in views:
            page.locator(f"#to-{view}").click()
            settled(page)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert page.evaluate("document.getElementById('main').scrollWidth") <= width
        page.locator("#to-faces").click()
        tile(page, 0).click()
        settled(page)
        panel = page.locator("#panel")
        set_slider(page, "Smiling", 3)
        page.wait_for_selector(".readout li.asked", state="attached")
        page.evaluate("document.querySelector('.along').textContent = 'with it '.repeat(40)")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert panel.evaluate("p => p.scrollWidth <= p.clientWidth")
        assert panel.locator(".panel-body").evaluate("p => p.scrollWidth <= p.clientWidth")
        page.locator("#about").click(force=True) if width > 860 else None


def test_a_finger_suffices(browser: Any, addresses: dict[str, str]) -> None:
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    page = context.new_page()
    page.goto(addresses["page"])
    page.wait_for_selector("body.ready", timeout=PATIENCE)
    tile(page, 1).tap()
    assert page.locator("#panel").is_visible()
    box = page.get_by_role("slider", name="Smiling", exact=True).last.bounding_box()
    assert box["height"] >= 36
    page.touchscreen.tap(box["x"] + 0.9 * box["width"], box["y"] + box["height"] / 2)
    until(page, "facegan.store.state.open.edits?.Smiling > 1")
    page.locator("#keep").tap()
    page.locator("#close-panel").tap()
    assert len(state(page)["kept"]) == 1
    context.close()


def a_picture() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (90, 60), (120, 90, 70)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("engine", ENGINES)
def test_axe_finds_nothing(opened: Any, engine: str, scheme: str) -> None:
    axe = pytest.importorskip("axe_core_python", reason="axe-core-python is not installed")
    script = (Path(axe.__file__).parent / "axe.min.js").read_text("utf-8")

    def check(page: Any, where: str) -> None:
        found = page.evaluate("axe.run().then(r => r.violations)")
        told = [(v["id"], [n["html"][:120] for n in v["nodes"][:3]]) for v in found]
        assert told == [], where

    # Axe is no part of the page: its policy would keep it out.
    options = {"color_scheme": scheme, "bypass_csp": True, "reduced_motion": "reduce"}
    with opened(engine, **options) as page:
        page.evaluate(script)
        keep(page, 0, 1)
        check(page, "wall")
        tile(page, 2).click()
        set_slider(page, "Smiling", 2)
        page.wait_for_selector(".readout li.asked")
        page.locator("summary", has_text="Truncation").click()
        page.locator("summary", has_text="Mixing").click()
        page.locator("#mix-face").select_option(label="Seed 1")
        settled(page)
        check(page, "panel")
        page.locator("#show-code").click()
        check(page, "code")
        page.keyboard.press("Escape")
        page.locator("#compare").click()
        check(page, "compare")
        page.keyboard.press("Escape")
        page.locator("#about").click()
        check(page, "about")
        page.keyboard.press("Escape")
        page.locator("#to-walk").click()
        check(page, "walk")
        page.locator("#to-photograph").click()
        if engine == "page":
            picture = {"name": "a.png", "mimeType": "image/png", "buffer": a_picture()}
            page.set_input_files("#photograph-file", picture)
            page.wait_for_selector(".stage")
        check(page, "photograph")
        if engine == "page":
            page.locator("#crop-find").click()
            page.wait_for_selector("#edit-photograph", timeout=PATIENCE)
        else:
            give_answer(page, "The generator cannot hold this face.")
        settled(page)
        check(page, "photograph and face")
        if engine == "studio":
            page.locator("#to-watch").click()
            page.wait_for_selector(".column:visible .chart")
            check(page, "watch")


def test_a_lost_server_is_said_and_found_again(browser: Any, faces: Path) -> None:
    with studio(str(faces)) as address:
        context = browser.new_context()
        page = context.new_page()
        page.goto(address)
        tile(page, 0)
        port = address.partition("?")[0].rsplit(":")[-1].strip("/")
    page.wait_for_selector("#lost:visible")
    with studio(str(faces), "--port", port) as address:
        # Another server has another token: the old page must be opened anew.
        page.goto(address)
        tile(page, 0)
        assert page.locator("#lost").is_hidden()
    context.close()


def test_the_page_is_one_file_that_asks_for_nothing(addresses: dict[str, str]) -> None:
    path = Path(addresses["page"].removeprefix("file://"))
    text = path.read_text("utf-8")
    assert len(text) < 12_000_000
    head = text[: text.index("<style>")]
    assert "default-src 'none'" in head
    assert "connect-src" not in head
    assert "unsafe-inline" not in head
    assert str(path.parent) not in text
    for mark in ("http://", "https://"):
        for part in text.split(mark)[1:]:
            # Names of metadata and of SVG: nothing that is fetched.
            assert part.startswith(("cv.iptc.org", "www.w3.org/2000/svg")), part[:80]


def test_every_button_was_used() -> None:
    tests = [each for name, each in globals().items() if name.startswith("test_")]
    telling = {each.__name__ for each in tests if "opened" in inspect.signature(each).parameters}
    if not telling <= TOLD:
        pytest.skip("not every test of this file ran in this process")
    for engine in ENGINES:
        assert len(THERE[engine]) > 25
        assert THERE[engine] - CLICKED[engine] == set(), engine
