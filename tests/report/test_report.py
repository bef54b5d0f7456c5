"""The page of a run: valid, self-contained, safe, the same for the same files."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from run_pages import Page, estimate

from facegan.apps.train import train
from facegan.errors import RunError
from facegan.evaluation.wording import duration, formatted, kimg
from facegan.recipe import Recipe
from facegan.report.filmstrip import evenly, filmstrip
from facegan.report.pages import report


def page_of(run: Path) -> Page:
    return Page(report(run).read_text("utf-8"))


def edit_provenance(run: Path, change: Callable[[dict[str, Any]], None]) -> None:
    values = json.loads((run / "provenance.json").read_text())
    change(values)
    (run / "provenance.json").write_text(json.dumps(values))


def test_tells_what_happened(run: Path) -> None:
    page = page_of(run)
    recipe = Recipe.load(run / "recipe.toml")
    for quoted in (recipe.title, recipe.name, "blobs", "CC0-1.0"):
        assert quoted in page.text
    assert page.codes("unfinished") == []
    assert {"losses", "rates"} <= set(page.codes("chart"))
    assert page.codes("recipe")[-3:] == ["stage 1", "stage 2", "stage 3"]
    second = page.said("recipe", "stage 2")[0]
    assert "0.038" in second
    assert "0.134" in second
    assert "adam, lr 0.0002, betas 0.5 0.999" in second
    assert "rmsprop, lr 0.0001, alpha 0.9" in page.said("recipe", "stage 1")[0]
    assert "generator.channels: 64 → 4" in page.codes("change")
    assert "32 × 32" in page.said("fact", "Dataset")[0]


def test_another_model_on_grey_pictures(
    tiny: Callable[..., Recipe], grey_dataset_path: Path, watcher: type, tmp_path: Path
) -> None:
    recipe = tiny("gan", "training.budget=16img")
    train(recipe, grey_dataset_path, tmp_path / "grey", reporter=watcher())
    page = page_of(tmp_path / "grey")
    assert re.search(r"32 × 32 .*grey", page.said("fact", "Dataset")[0])
    for player in ("Generator", "Discriminator"):
        assert "mlp" in page.said("fact", player)[0]


def test_every_snapshot_is_in_it_and_the_last_is_shown(run: Path) -> None:
    page = page_of(run)
    assert len(page.values("img", "src")) == 4
    assert page.snapshots == ["0", "0.064", "0.128", "0.192"]
    hidden = [n for t, n, _ in page.attributes if t == "img" and n in ("src", "hidden")]
    assert hidden == ["src", "hidden", "src", "hidden", "src", "hidden", "src"]


def test_loads_nothing(run: Path) -> None:
    page = page_of(run)
    for tag, name, value in page.attributes:
        assert name not in ("srcset", "action", "data", "poster", "background"), (tag, name)
        assert tag not in ("link", "iframe", "object", "embed", "base")
        if name in ("src", "href", "xlink:href"):
            assert value.startswith(("data:image/", "#")), value[:80]
    text = (run / "report.html").read_text("utf-8")
    assert not re.search(r"@import|url\((?!#)", text)
    assert page.values("meta", "content")[-1].startswith("default-src 'none'; img-src data:;")


def test_ids_are_unique_and_references_lead_to_them(run: Path) -> None:
    page = page_of(run)
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert len(ids) > 10
    text = (run / "report.html").read_text("utf-8")
    used = re.findall(r"url\(#([^)]+)\)", text) + re.findall(r'href="#([^"]+)"', text)
    assert used
    assert set(used) <= set(ids)


def test_same_files_same_page_wherever_they_are(run: Path, tmp_path: Path) -> None:
    first = report(run).read_bytes()
    assert report(run).read_bytes() == first
    moved = Path(shutil.copytree(run, tmp_path / "elsewhere" / run.name))
    assert report(moved).read_bytes() == first


def test_says_nothing_of_where_the_run_lies(run: Path) -> None:
    assert str(run.parent) not in report(run).read_text("utf-8")


def test_hostile_words_stay_words(run: Path) -> None:
    evil = "</script><script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7 * 7 }}"

    def spoil(values: dict[str, Any]) -> None:
        values["dataset"] |= {"name": evil, "source": evil, "licence": evil, "fingerprint": evil}
        values["platform"] = evil
        values["packages"] = {evil: evil}
        values["execution"]["device"] = evil

    edit_provenance(run, spoil)
    shutil.move(run, run.with_name("a 'b' \"c\" <i> & $(d)"))
    run = run.with_name("a 'b' \"c\" <i> & $(d)")
    recipe = Recipe.load(run / "recipe.toml")
    values = recipe.values() | {"title": evil, "source": evil, "name": evil}
    (run / "recipe.toml").write_text(Recipe.from_values(values).to_toml())
    page = page_of(run)
    assert len(page.values("img", "src")) == 4
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert page.text.count("{{ 7 * 7 }}") >= 8
    assert "<script>alert" not in (run / "report.html").read_text("utf-8")


def test_only_the_pages_own_script_may_run(run: Path) -> None:
    text = report(run).read_text("utf-8")
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = next(v for v in Page(text).values("meta", "content") if v.startswith("default-src"))
    allowed = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert allowed["script-src"] == f"'sha256-{digest}'"
    assert allowed["base-uri"] == allowed["form-action"] == "'none'"


def test_a_sample_that_is_no_png_is_left_out(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow would give an EPS to another program, whatever the file is called."""
    from PIL import EpsImagePlugin, Image

    called: list[object] = []

    def ghostscript(*about: object, **more: object) -> None:
        called.append(about)
        raise OSError("Ghostscript was called")

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", ghostscript)
    first, *_ = sorted((run / "samples").glob("*.png"))
    first.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 40\n%%EndComments\n")
    with pytest.raises(OSError, match="was called"):
        Image.open(first).load()  # what must not happen
    called.clear()
    assert len(page_of(run).snapshots) == 3
    assert called == []


def test_not_a_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is not a run"):
        report(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_has_just_begun(run: Path) -> None:
    for folder in ("samples", "checkpoints"):
        shutil.rmtree(run / folder)
    for file in ("metrics.jsonl", "timing.jsonl"):
        (run / file).unlink()
    page = page_of(run)
    assert page.codes("unfinished") == ["0"]
    assert "0.192" in page.said("unfinished")[0]
    assert (page.codes("no-grid"), page.codes("no-curve")) == ([""], [""])
    assert page.codes("chart") == []


def test_one_line_in_the_journal_and_one_grid(run: Path) -> None:
    for file in ("metrics.jsonl", "timing.jsonl"):
        (run / file).write_text((run / file).read_text().splitlines()[0] + "\n")
    for sample in sorted((run / "samples").iterdir())[1:]:
        sample.unlink()
    page = page_of(run)
    assert page.codes("unfinished") == ["17"]
    assert re.search(r"0\.032 .* 0\.192 .*\(17 %\)", page.said("unfinished")[0])
    assert page.values("input", "type") == []
    assert len(page.values("svg", "role")) == 5


def test_damaged_files_are_passed_over(run: Path) -> None:
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"images_seen": 999, "logits_re')
    with (run / "timing.jsonl").open("a") as file:
        file.write(
            '{"images_seen": "many"}\n{"images_seen": 192, "seconds": null, "img_per_s": "fast"}\n'
        )
    last = max((run / "samples").iterdir())
    last.write_bytes(last.read_bytes()[:100])
    (run / "samples" / "notes.png").write_bytes(b"not a picture")
    for state in (run / "checkpoints").glob("*/generator.safetensors"):
        state.write_bytes(b"short")
    page = page_of(run)
    assert page.snapshots == ["0", "0.064", "0.128"]
    assert "for 0.192 kimg" in page.text


@pytest.mark.parametrize("part", ["dataset", "execution", "plan", "packages"])
def test_provenance_that_says_little(run: Path, part: str) -> None:
    edit_provenance(run, lambda values: values.update({part: {}}))
    assert "DCGAN" in page_of(run).text


def test_provenance_that_cannot_be_read(run: Path) -> None:
    (run / "provenance.json").write_text("{")
    before = sorted(run.iterdir())
    with pytest.raises(RunError, match=r"provenance\.json"):
        report(run)
    assert sorted(run.iterdir()) == before


def test_not_a_number_in_the_journal(run: Path) -> None:
    line = {"images_seen": 192, "stage": 2, "logits_real": float("nan"), "generator/lr": "high"}
    (run / "metrics.jsonl").write_text(json.dumps(line) + "\n")
    page = page_of(run)
    assert page.codes("no-curve") == []
    assert "Logits" not in page.text


def test_page_stays_small_whatever_the_grids(run: Path) -> None:
    random = np.random.default_rng(0)
    for i in range(30):
        noise = random.integers(0, 256, (700, 700, 3), dtype=np.uint8)
        Image.fromarray(noise).save(run / "samples" / f"{i + 1:06}.000k.png")
    page = page_of(run)
    assert len(page.values("img", "src")) == 24
    assert (run / "report.html").stat().st_size < 3_000_000
    assert page.snapshots[0] == "0"
    assert page.snapshots[-1] == "30"


def test_last_frame_is_exact(run: Path) -> None:
    import base64
    import io

    last = filmstrip(run / "samples")[-1]
    data = base64.b64decode(last.uri.partition("base64,")[2])
    original = Image.open(max((run / "samples").iterdir())).convert("RGB")
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data)).convert("RGB")), original)
    assert (last.width, last.height) == original.size


@pytest.mark.parametrize("n", [0, 1, 2, 23, 24, 25, 47, 1000])
def test_evenly(n: int) -> None:
    kept = evenly(range(n), 24)
    assert len(kept) == min(n, 24)
    assert sorted(set(kept)) == kept
    if n:
        assert (kept[0], kept[-1]) == (0, n - 1)
    steps = np.diff(kept)
    assert n < 2 or steps.max() - steps.min() <= 1


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (182, "3 min 2 s"), (7500, "2 h 5 min")],
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_kimg_is_exact() -> None:
    assert [kimg(n) for n in (0, 64, 60_032, 25_000_000, 1_234_567_891)] == [
        "0",
        "0.064",
        "60.032",
        "25000",
        "1234567.891",
    ]


@pytest.mark.parametrize(
    ("value", "half", "text"),
    [
        (61.04, 1.8, "61.0 (59.2 – 62.8)"),
        (182.4, 6.0, "182 (176 – 188)"),
        (0.03049, 0.003, "0.030 (0.027 – 0.033)"),
        (-0.00002, 0.00005, "−0.00002 (−0.00007 – 0.00003)"),
        (1234.6, 40.0, "1,235 (1,195 – 1,275)"),
        (0.5, 0.0, "0.5000 (0.5000 – 0.5000)"),
        (0.0, 0.0, "0.0 (0.0 – 0.0)"),
    ],
)
def test_estimates_have_the_digits_that_they_deserve(value: float, half: float, text: str) -> None:
    assert str(formatted(estimate(value, half))) == text


def test_shares_in_percent() -> None:
    assert str(formatted(estimate(0.931, 0.01), percent=True)) == "93.1 % (92.1 – 94.1)"
