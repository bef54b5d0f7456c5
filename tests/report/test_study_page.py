"""The page of a study and its tables: all that was found, nothing dropped, nothing invented."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from run_pages import Page, estimate, evaluation, score, space

from facegan.evaluation.results import FeatureScores
from facegan.report.study_claims import sentences
from facegan.report.study_curves import curve_charts
from facegan.report.study_latex import escape
from facegan.report.study_methods import brief, shown_methods, signed
from facegan.report.study_page import study_page
from facegan.report.study_scores import score_tables
from facegan.report.study_tables import write_tables
from facegan.study.folder import StudyFolder, trial_keys
from facegan.study.plan import Plan
from facegan.study.results import CurvePoint, Key, Speed, StudyResults, TrialResult
from facegan.study.summaries import summarise
from facegan.study.verdicts import judge

FDS = {
    "gan": (100.0, 110.0, 104.0),
    "dcgan": (60.0, 66.0, 61.0),
    "dcgan-without-width": (63, 64, 70),
}
WHY = "The generator's loss is not finite.\nLower its rate: --set stages.0.generator.lr=1e-4."
CLAIMS = [
    {"says": "Convolution helps.", "test": "better(dcgan, gan)", "source": "report, 2.2.2"},
    {"says": "Width helps.", "test": "ablation(dcgan, without=width)"},
    {"says": "It is faster.", "test": "faster_to(dcgan, gan, fd=150, axis=kimg)"},
]


def plan(**changes: Any) -> Plan:
    values: dict[str, Any] = {
        "name": "small",
        "title": "Convolution against full connection",
        "about": "What is asked.",
        "seeds": 3,
        "budget": "10min",
        "datasets": {"blobs": "datasets/blobs"},
        "methods": {
            "gan": {"recipe": "gan"},
            "dcgan": {"recipe": "dcgan", "without": {"width": ["generator.channels=16"]}},
        },
        "measure": {"curve": 4},
        "claims": CLAIMS,
    }
    return Plan.from_values(values | changes)


def failed(key: Key, why: str = WHY) -> TrialResult:
    return TrialResult(key=key, status="failed", error=why, images=41_200, seconds=20.0)


def finished(key: Key, fd: float, curve: int = 4, *further: FeatureScores) -> TrialResult:
    scores = {
        "fd": score(fd, 3.0),
        "kid": score(fd / 2000, 0.00002),
        "precision": score(0.5, 0.86),
        "recall": score(40 / fd, 0.84),
        "density": score(0.4567, 1.0),
        "coverage": score(0.3456, 0.93),
    }
    first = space().model_copy(update={"scores": scores})
    return TrialResult(
        key=key,
        status="finished",
        images=60_000,
        seconds=600.0,
        wall_seconds=700.5 + key.seed,
        generator=3_456_789,
        discriminator=2_765_432,
        evaluation=evaluation(first, *further),
        curve=tuple(
            CurvePoint(
                images=15_000 * (i + 1),
                seconds=150.0 * (i + 1),
                fd=fd * (5 - i),
                low=fd * (5 - i) - 1,
                high=fd * (5 - i) + 1,
            )
            for i in range(curve)
        ),
    )


def results(plan: Plan, *trials: TrialResult, without: int = 0) -> StudyResults:
    """All trials finished, but for those given otherwise, and the last ones, which are waiting."""
    keys = trial_keys(plan)
    given = {trial.key: trial for trial in trials}
    found = [
        given.get(key)
        or finished(key, FDS.get(key.method, FDS["gan"])[key.seed % 3], plan.measure.curve)
        for key in keys[: len(keys) - without]
    ]
    speed = Speed(img_per_s=123.4, batch=64, precision="fp32", threads=1, device="a processor")
    speeds = {f"{key.dataset}/{key.method}": speed for key in keys}
    return StudyResults(plan=plan, keys=keys, results=tuple(found), speeds=speeds)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[StudyResults], Path]:
    """`write(results)`: a study's folder with a grid of noise for each trial that finished."""

    def make(found: StudyResults, side: int = 10) -> Path:
        folder = StudyFolder(tmp_path / "a study")
        folder.path.mkdir()
        random = np.random.default_rng(0)
        for trial in found.results:
            if trial.status == "finished":
                samples = folder.trial(trial.key).run / "samples"
                samples.mkdir(parents=True)
                shape = (8 * side - 2, 8 * side - 2, 3)
                grid = random.integers(0, 256, shape, dtype=np.uint8)
                Image.fromarray(grid).save(samples / "000060.000k.png")
        identity = {"name": "blobs", "fingerprint": "cd" * 32}
        folder.settle({"facegan": "1.2.3", "threads": 1, "datasets": {"datasets/blobs": identity}})
        return folder.path

    return make


def page_of(folder: Path, found: StudyResults) -> Page:
    return Page(study_page(folder, found, judge(found)))


def test_the_page_has_all_that_was_found(write: Callable[..., Path]) -> None:
    found = results(plan())
    page = page_of(write(found), found)
    for expected in (
        "Convolution against full connection",
        "What is asked.",
        "All 9 trials have ended, none failed.",
        "Convolution helps. report, 2.2.2. better(dcgan, gan)",
        *(f"{one.verdict} {one.why}" for one in judge(found)),
        "✓ holds",
        "? not enough evidence",
        "FD seed dcgan gan 0 60.0 100 1 66.0 110 2 61.0 104",
        "kimg to FD 150",
        "Probability of improvement 1.00. Uncorrected: p = 0.0001 for it and p = 1.00 against.",
        "0 51.7 never",
        "real pictures (floor) 3.00 0.0200 0.860 0.840 1.00 0.930",
        "60.0 66.0 61.0 61 52 – 71 20.3 ×",
        "500 generated pictures of each trial beside 1,000 real ones",
        "FD against images",
        "FD against machine time",
        "what each method makes of the same 24 image seeds",
        "FD 60.0, seed 0",
        "No trial failed.",
        "dcgan 3 60 10 min 0 s 11 min 42 s 3,456,789 2,765,432 123 fp32, 1 thread, a processor",
        "All 9 trials that ended, failed ones included: 1 h 30 min of machine time",
        "facegan study 'a study/study.toml' --out 'a study-again'",
        "facegan report 'a study/trials/blobs/gan/seed-0/run'",
        "threads 1",
        "cd" * 32,
        'budget = "10min"',
        "one false verdict or more of a kind has a probability of 5 % at most",
        "with 3 seeds only large and steady ones",
    ):
        assert expected in page.text, expected
    assert page.pictures == 3
    assert page.text.index("Verdicts") < page.text.index("Scores") < page.text.index("Curves")


def test_it_is_the_same_again_and_loads_nothing(write: Callable[..., Path]) -> None:
    found = results(plan(datasets={"blobs": "a", "others": "b"}))
    folder = write(found)
    page = page_of(folder, found)
    assert study_page(folder, found, judge(found)) == page.source
    for tag, name, value in page.attributes:
        assert tag not in ("link", "iframe", "object", "embed", "base", "a")
        if name in ("src", "href"):
            assert value.startswith(("data:image/", "#")), value[:80]
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids)) > 10
    assert str(folder.parent) not in page.source
    # Each verdict says on which dataset.
    assert page.text.count(" on others ") == 3


def test_failures_are_told_everywhere_and_reasons_once(write: Callable[..., Path]) -> None:
    asked = plan()
    gone = [Key(dataset="blobs", method="gan", seed=seed) for seed in (0, 1, 2)]
    one = Key(dataset="blobs", method="dcgan", seed=1)
    found = results(asked, *map(failed, gone), failed(one, ""))
    page = page_of(write(found), found)
    for expected in (
        "All 9 trials have ended, 4 of them failed.",
        "FD seed dcgan gan 0 60.0 failed 1 failed failed 2 61.0 failed",
        "60.0 failed 61.0",
        "failed failed failed – – – – – – 0 of 3 3 failed",
        "2 of 3 1 failed",
        f"blobs/gan/seed-0 after 41.2 kimg blobs/gan/seed-1 after 41.2 kimg "
        f"blobs/gan/seed-2 after 41.2 kimg {' '.join(WHY.split())}",
        "blobs/dcgan/seed-1 after 41.2 kimg No reason was kept.",
        "gan 3 (3 failed) 41.2",
        "No trial has finished.",
        "What failed trials would have scored.",
    ):
        assert expected in page.text, expected
    assert "No trial failed" not in page.text


@pytest.mark.parametrize(
    ("changes", "without", "expected"),
    [
        ({}, 4, ("5 of 9 trials ended, none failed, 4 are waiting.", "66.0 waiting", "So far")),
        ({}, 9, ("0 of 9 trials ended, 9 are waiting.", "No trial has left pictures yet.")),
        ({"seeds": 1}, 0, ("All 3 trials have ended", "there is one seed", "One seed of each")),
        ({"claims": []}, 0, ("The plan makes no claim",)),
        (
            {"claims": CLAIMS[:1], "measure": {"curve": 0}},
            0,
            ("The plan measures at the end alone.", "✓ holds"),
        ),
        ({"seeds": [4, 7]}, 5, ("1 of 6 trials ended", "Seeds 2 4, 7")),
    ],
)
def test_studies_of_all_kinds(
    write: Callable[..., Path], changes: dict[str, Any], without: int, expected: tuple[str, ...]
) -> None:
    found = results(plan(**changes), without=without)
    folder = write(found)
    page = page_of(folder, found)
    for words in expected:
        assert words in page.text, words
    assert ("Improvement" in page.text) == bool(found.plan.claims)
    assert all(path.exists() for path in write_tables(folder, found, judge(found)))


def test_methods_are_sorted_and_the_best_and_its_equals_marked() -> None:
    found = results(plan())
    (table,) = score_tables(found, summarise(found), shown_methods(found.plan))
    assert [row.method.name for row in table.rows] == ["dcgan", "dcgan-without-width", "gan"]
    marked = [[cell.leads for cell in row.cells if cell] for row in table.rows]
    assert [row[0] for row in marked] == [True, True, False]
    strip = table.rows[0].strip
    assert strip is not None
    assert len(strip.dots) == 3
    assert strip.floor is not None
    assert strip.floor < min(strip.dots)
    assert not table.warning


def test_other_conditions_are_told() -> None:
    found = results(plan())
    first = found.results[0]
    other = first.model_copy(update={"evaluation": evaluation(n_fake=900)})
    found = found.model_copy(update={"results": (other, *found.results[1:])})
    (table,) = score_tables(found, summarise(found), shown_methods(found.plan))
    assert table.warning == "Not measured alike: numbers of generated pictures differ."


def test_further_spaces_have_their_own_table(write: Callable[..., Path]) -> None:
    asked = plan(measure={"extractors": ["efflite0", "inception"], "curve": 0}, claims=[])
    further = space("inception").model_copy(update={"scores": {"fd": score(12.5, 2.5)}})
    found = results(asked, *(finished(key, 50.0, 0, further) for key in trial_keys(asked)))
    page = page_of(write(found), found)
    assert "Medians in the space of inception method FID real pictures (floor) 2.50" in page.text
    assert "inception may see it otherwise" in page.text


def test_an_improvement_is_drawn_to_scale() -> None:
    found = results(plan())
    better, ablation, _ = (one.lines[0] for one in sentences(found, judge(found)))
    assert better.forest is not None
    assert ablation.forest is not None
    # One scale for both, from below zero to above the largest.
    assert better.forest.zero == ablation.forest.zero > 0
    assert better.forest.low > better.forest.margin > better.forest.zero
    assert ablation.forest.low < ablation.forest.zero
    assert better.improvement.startswith("+40\N{NO-BREAK SPACE}% (+38")


def test_curves_have_a_line_for_each_seed_and_a_legend_for_each_method() -> None:
    asked = plan()
    lost = [Key(dataset="blobs", method="gan", seed=seed) for seed in range(3)]
    ended = [finished(key, 90.0, 2).model_copy(update={"status": "failed"}) for key in lost]
    found = results(asked, *ended)
    images, time = curve_charts(found, "blobs", shown_methods(asked), "x-")
    assert [label for label, _ in images.legend] == [
        "gan (none finished)",
        "dcgan",
        "dcgan-without-width",
        "150, to reach",
    ]
    assert images.svg.count("stroke-opacity") == 9
    assert "dcgan from 305 to 122" in images.svg
    assert ">minutes<" in time.svg


def test_hostile_words_stay_words(write: Callable[..., Path]) -> None:
    evil = "<script>alert('\"&1')</script> \\input{x} 100 % _a_"
    asked = plan(
        title=evil,
        about=evil,
        claims=[{"says": evil, "source": evil, "test": "better(dcgan, gan)"}],
    )
    bad = Key(dataset="blobs", method="gan", seed=0)
    found = results(asked, failed(bad, evil))
    folder = write(found)
    (folder / "study.json").write_text(
        json.dumps({"<b>": evil, "datasets": {"blobs": {"x": evil}}})
    )
    page = page_of(folder, found)
    assert "<script>alert" not in page.source
    assert page.text.count(evil) >= 7
    write_tables(folder, found, judge(found))
    assert "\\input{x}" not in (folder / "tables.tex").read_text("utf-8")
    with (folder / "claims.csv").open(newline="", encoding="utf-8") as file:
        assert next(csv.DictReader(file))["claim"] == evil


def read_csv(path: Path) -> list[dict[str, str]]:
    assert b"\r" not in path.read_bytes()
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_csv_gives_back_every_number(tmp_path: Path) -> None:
    bad = Key(dataset="blobs", method="gan", seed=0)
    found = results(plan(), failed(bad), without=1)
    judged = judge(found)
    files = write_tables(tmp_path, found, judged)
    names = ["results.csv", "summary.csv", "claims.csv", "curves.csv", "tables.tex"]
    assert [file.name for file in files] == names
    first = [file.read_bytes() for file in files]
    assert [file.read_bytes() for file in write_tables(tmp_path, found, judged)] == first

    trials = read_csv(files[0])
    assert [(t["dataset"], t["method"], int(t["seed"])) for t in trials] == [
        (key.dataset, key.method, key.seed) for key in found.keys
    ]
    assert [t["status"] for t in trials] == ["failed", *["finished"] * 7, "waiting"]
    assert trials[0]["error"] == WHY
    assert trials[0]["efflite0_fd"] == trials[-1]["efflite0_fd"] == trials[-1]["kimg"] == ""
    second = found.results[1]
    assert float(trials[1]["efflite0_fd"]) == second.score("fd")
    assert float(trials[1]["efflite0_kid_real"]) == second.floor("kid")
    assert float(trials[1]["efflite0_recall_low"]) == estimate(40 / 60).low
    assert float(trials[1]["wall_seconds"]) == second.wall_seconds

    (gan, *_) = read_csv(files[1])
    assert (gan["method"], gan["finished"], gan["failed"], gan["waiting"]) == ("gan", "2", "1", "0")
    summary = summarise(found)[0]
    assert float(gan["fd_median"]) == summary.median == 107.0
    assert summary.interval is not None
    assert (float(gan["fd_low"]), float(gan["fd_high"])) == summary.interval
    assert gan["fd_n"] == "2"

    claims = read_csv(files[2])
    assert [c["verdict"] for c in claims] == [one.verdict for one in judged]
    assert claims[0]["method_values"] == "60.0 66.0 61.0"
    assert claims[0]["other_values"] == "none 110.0 104.0"
    assert judged[0].improvement is not None
    assert float(claims[0]["improvement_low"]) == judged[0].improvement[1]

    points = read_csv(files[3])
    assert len(points) == sum(len(trial.curve) for trial in found.results)
    assert float(points[0]["fd"]) == second.curve[0].fd


def test_latex_is_balanced_and_has_every_method(tmp_path: Path) -> None:
    found = results(plan(name="a_b", datasets={"x_1": "a", "y": "b"}))
    text = write_tables(tmp_path, found, judge(found))[-1].read_text("utf-8")
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") == 3
    assert text.count("{") == text.count("}")
    assert "\n  dcgan & 61 [52--71] & " in text
    assert r"on x\_1, 10min" in text
    assert text.count("helps. & x\\_1 & dcgan / ") == 2
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len(rows) == 2 * (1 + 3) + 1 + 6
    assert {row.count("&") for row in rows} == {4, 7}


def test_latex_escapes() -> None:
    assert escape(r"a_b & 5% #1 $x$ {y} ~ ^ \cmd") == (
        r"a\_b \& 5\% \#1 \$x\$ \{y\} \textasciitilde{} \textasciicircum{} \textbackslash{}cmd"
    )
    assert escape("[0] −1 × 10³ “é”") == "{[}0{]} $-$1 $\\times$ 10$^3$ “é”"


def test_numbers() -> None:
    formatted = [brief(x) for x in (0, 0.0123, 61.26, 1234.5, -2.0, float("inf"))]
    assert formatted == ["0", "0.0123", "61.3", "1,234", "−2.00", "∞"]
    shares = [signed(x, True).replace("\N{NO-BREAK SPACE}", " ") for x in (0.2, -0.034, -50.0)]
    assert shares == ["+20 %", "−3.4 %", "below −1,000 %"]
    assert signed(-0.0123, False) == "−0.012"


def test_many_methods_stay_small(write: Callable[..., Path]) -> None:
    methods = {f"method-{i}": {"recipe": "gan"} for i in range(16)}
    found = results(plan(methods=methods, claims=[], seeds=1))
    page = page_of(write(found, side=66), found)
    assert page.pictures == 16
    assert len(page.source) < 4_000_000
    keys = [v for t, n, v in page.attributes if (t, n) == ("span", "class") and v.startswith("key")]
    assert len(set(keys)) >= 16


_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_CHROMIUM = os.environ.get("FACEGAN_CHROMIUM") or next(
    filter(None, map(shutil.which, _NAMES)), None
)


@pytest.fixture
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as play:
        try:
            started = play.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox"])
        except playwright.Error as error:
            pytest.skip(f"no chromium can be started: {str(error).splitlines()[0]}")
        yield started
        started.close()


def test_in_a_browser(browser: Any, write: Callable[..., Path]) -> None:
    found = results(plan(seeds=8), failed(Key(dataset="blobs", method="gan", seed=0), "x" * 300))
    folder = write(found)
    file = folder / "report.html"
    file.write_text(study_page(folder, found, judge(found)), "utf-8")
    said: list[str] = []
    page = browser.new_page()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(file.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    for width in (320, 400, 610, 700, 1001, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    # A4, less its margins.
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 688, "height": 1000})
    assert page.evaluate("document.documentElement.scrollWidth") <= 688
    assert said == []
