"""The page of a study and its tables: all that was found, nothing dropped, nothing invented."""

from __future__ import annotations

import csv
import json
import math
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from run_pages import Page, estimate, evaluation, score, space

from facegan.errors import RunError
from facegan.evaluation.results import FeatureScores
from facegan.evaluation.wording import brief, duration
from facegan.report.study_claims import sentences
from facegan.report.study_curves import curve_charts
from facegan.report.study_page import study_page
from facegan.report.study_scores import score_tables, shown_methods
from facegan.report.study_tables import write_tables
from facegan.study.claims import parse_test
from facegan.study.folder import StudyFolder, trial_keys
from facegan.study.outcomes import Scale
from facegan.study.plan import Plan
from facegan.study.results import CurvePoint, Key, Speed, StudyResults, TrialFinding, TrialResult
from facegan.study.summaries import summarise
from facegan.study.tuning import SearchTrial, Tuned
from facegan.study.verdicts import judge
from facegan.study.words import between, change

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
    judged = judge(found)
    page = page_of(write(found), found)
    count = [page.codes(name) for name in ("ended", "failed", "waiting")]
    assert count == [["9"], ["0"], ["0"]]
    assert page.codes("claim") == [claim["says"] for claim in CLAIMS]
    assert page.codes("verdict") == ["holds", "not-enough-evidence", "holds"]
    assert page.codes("test") == [claim["test"] for claim in CLAIMS]
    for one in judged:
        assert one.why in page.text
    assert page.said("pair")[:3] == ["0 60.0 100", "1 66.0 110", "2 61.0 104"]
    assert page.said("pair")[6].startswith("0 51.7 ")
    rows = page.tables["scores blobs"]
    assert list(rows) == ["floor", "dcgan", "dcgan-without-width", "gan"]
    assert rows["floor"] == {
        **{"seeds": "", "fd": "3.00", "kid": "0.0200", "precision": "0.860", "recall": "0.840"},
        **{"density": "1.00", "coverage": "0.930", "finished": ""},
    }
    assert rows["dcgan"]["seeds"] == "60.0 66.0 61.0"
    assert rows["dcgan"]["fd"] == "61 52 – 71 20.3 ×"
    assert rows["dcgan"]["kid"] == "30 26 – 35"
    assert numbers(rows["gan"]["finished"]) == ["3", "3"]
    costs = page.tables["costs blobs"]["dcgan"]
    assert re.match(r"123 fp32, 1 .*, a processor$", costs.pop("speed"))
    assert costs == {
        **{"ended": "3", "kimg": "60", "seconds": duration(600.0), "wall": duration(701.5)},
        **{"generator": "3,456,789", "discriminator": "2,765,432"},
    }
    assert page.codes("chart") == ["fd kimg", "fd seconds", "budgets"]
    assert list(page.tables["budgets blobs"]) == [
        "2 min 30 s",
        "5 min 0 s",
        "7 min 30 s",
        "10 min 0 s",
    ]
    assert page.tables["budgets blobs"]["10 min 0 s"]["leader"] == "dcgan"
    assert page.tables["verdicts blobs"]["better(dcgan, gan)"]["at3"].startswith("✓ holds")
    assert page.codes("method") == ["dcgan", "dcgan-without-width", "gan"]
    assert numbers(page.said("method")[0]) == ["60.0", "0"]
    assert page.pictures == 3
    assert page.codes("failure") == []
    lines = page.said("command")
    assert "facegan study 'a study/study.toml' --out 'a study-again'" in lines
    assert any("facegan report 'a study/trials/blobs/gan/seed-0/run'" in line for line in lines)
    assert page.said("fact", "threads") == ["threads 1"]
    assert page.said("fact", "fingerprint") == [f"fingerprint {'cd' * 32}"]
    assert page.codes("level") == ["0.05"]
    assert "few-seeds" in page.codes("limit")
    for quoted in ("Convolution against full connection", "What is asked.", 'budget = "10min"'):
        assert quoted in page.text
    assert page.codes("section")[:3] == ["verdicts", "scores", "curves"]


def numbers(text: str) -> list[str]:
    """Every number of a text."""
    return re.findall(r"[0-9](?:[0-9.,]*[0-9])?", text)


def test_probabilities_are_told_beside_the_verdict() -> None:
    found = results(plan())
    better, _, faster = (one.lines[0] for one in sentences(found, judge(found)))
    # Probability of improvement; for it, for less than the margin, for worse; degrees of freedom.
    assert numbers(better.evidence) == ["1.00", "0.0001", "1.00", "1.00", "4.0"]
    assert better.compared == "FD"
    assert numbers(faster.compared) == ["150"]
    assert better.paired[0] == (0, "60.0", "100")


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
    assert page.codes("dataset") == ["blobs", "others"] * 3
    kinds = ("scores", "costs", "budgets", "verdicts")
    assert set(page.tables) == {f"{kind} {name}" for kind in kinds for name in ("blobs", "others")}


def test_failures_are_told_everywhere_and_reasons_once(write: Callable[..., Path]) -> None:
    asked = plan()
    gone = [Key(dataset="blobs", method="gan", seed=seed) for seed in (0, 1, 2)]
    one = Key(dataset="blobs", method="dcgan", seed=1)
    found = results(asked, *map(failed, gone), failed(one, ""))
    page = page_of(write(found), found)
    assert (page.codes("ended"), page.codes("failed")) == (["9"], ["4"])
    pairs = [numbers(text) for text in page.said("pair")[:3]]
    assert pairs == [["0", "60.0"], ["1"], ["2", "61.0"]]
    rows = page.tables["scores blobs"]
    assert numbers(rows["dcgan"]["seeds"]) == ["60.0", "61.0"]
    assert numbers(rows["gan"]["seeds"]) == []
    assert {rows["gan"][name] for name in ("fd", "kid", "precision", "recall")} == {"–"}
    # How many ended well, of how many, and how many failed.
    assert numbers(rows["gan"]["finished"]) == ["0", "3", "3"]
    assert numbers(rows["dcgan"]["finished"]) == ["2", "3", "1"]
    assert numbers(rows["dcgan-without-width"]["finished"]) == ["3", "3"]
    alone, together = sorted(page.said("failure"), key=len)
    assert set(page.codes("trial")) == {f"blobs/gan/seed-{seed}" for seed in range(3)} | {
        "blobs/dcgan/seed-1"
    }
    assert " ".join(WHY.split()) in together
    assert together.count("41.2") == 3
    assert WHY.split(".")[0] not in alone
    costs = page.tables["costs blobs"]["gan"]
    assert (numbers(costs["ended"]), costs["kimg"]) == (["3", "3"], "41.2")
    assert page.codes("no-grid") == [""]
    assert "failed" in page.codes("limit")


@pytest.mark.parametrize(
    ("changes", "without", "ended", "codes"),
    [
        ({}, 4, 5, {"limit": "waiting"}),
        ({}, 9, 0, {"no-grids": "", "no-curve": ""}),
        ({"seeds": 1}, 0, 3, {"limit": "one-seed"}),
        ({"claims": []}, 0, 9, {"no-claim": ""}),
        (
            {"claims": CLAIMS[:1], "measure": {"curve": 0}},
            0,
            9,
            {"no-curve": "", "verdict": "holds"},
        ),
        ({"seeds": [4, 7]}, 5, 1, {"limit": "few-seeds"}),
    ],
)
def test_studies_of_all_kinds(
    write: Callable[..., Path],
    changes: dict[str, Any],
    without: int,
    ended: int,
    codes: dict[str, str],
) -> None:
    found = results(plan(**changes), without=without)
    folder = write(found)
    page = page_of(folder, found)
    assert (page.codes("ended"), page.codes("waiting")) == ([str(ended)], [str(without)])
    for name, value in codes.items():
        assert value in page.codes(name), name
    assert bool(page.codes("verdict")) == bool(found.plan.claims)
    assert all(path.exists() for path in write_tables(folder, found, judge(found)))


def test_methods_are_sorted_and_the_best_and_its_equals_marked() -> None:
    found = results(plan())
    (scores,) = score_tables(found, summarise(found), shown_methods(found.plan))
    floor, *rows = scores.table.rows
    assert floor.floor
    assert [row.name for row in rows] == ["dcgan", "dcgan-without-width", "gan"]
    assert [shown.name for shown in scores.methods] == [row.name for row in rows]
    assert [row.cells[1].leads for row in rows if row.cells[1]] == [True, True, False]
    seeds = rows[0].cells[0]
    assert seeds is not None
    assert seeds.bar is not None
    assert len(seeds.bar.dots) == 3
    lines = dict(seeds.bar.lines)
    assert lines["floor"] < min(seeds.bar.dots) <= lines["median"]
    assert not scores.unequal


def test_other_conditions_are_told() -> None:
    found = results(plan())
    first = found.results[0]
    other = first.model_copy(update={"evaluation": evaluation(n_fake=900)})
    found = found.model_copy(update={"results": (other, *found.results[1:])})
    (scores,) = score_tables(found, summarise(found), shown_methods(found.plan))
    assert len(scores.unequal) == 1


def test_further_spaces_have_their_own_table(write: Callable[..., Path]) -> None:
    asked = plan(measure={"extractors": ["efflite0", "inception"], "curve": 0}, claims=[])
    further = space("inception").model_copy(update={"scores": {"fd": score(12.5, 2.5)}})
    found = results(asked, *(finished(key, 50.0, 0, further) for key in trial_keys(asked)))
    page = page_of(write(found), found)
    assert page.tables["scores blobs inception"]["floor"] == {"fd": "2.50"}
    assert page.tables["scores blobs inception"]["gan"] == {"fd": "12.5"}


def test_an_improvement_is_drawn_to_scale() -> None:
    found = results(plan())
    better, ablation, _ = (one.lines[0] for one in sentences(found, judge(found)))
    assert better.drawing is not None
    assert ablation.drawing is not None
    # One scale for both, from below zero to above the largest.
    one, other = dict(better.drawing.lines), dict(ablation.drawing.lines)
    assert one["zero"] == other["zero"] > 0
    assert better.drawing.range is not None
    assert ablation.drawing.range is not None
    assert better.drawing.range[0] > one["margin"] > one["zero"]
    assert ablation.drawing.range[0] < other["zero"]
    assert one["worse"] < one["zero"]
    assert better.improvement == "105 → 62.3, 1.68 × better (1.50 to 1.88 × better)"


def test_curves_have_a_line_for_each_seed_and_a_legend_for_each_method() -> None:
    asked = plan()
    lost = [Key(dataset="blobs", method="gan", seed=seed) for seed in range(3)]
    ended = [finished(key, 90.0, 2).model_copy(update={"status": "failed"}) for key in lost]
    found = results(asked, *ended)
    images, time = curve_charts(found, "blobs", shown_methods(asked), "x-")
    gan, dcgan, ablated, goal = (label for label, _ in images.legend)
    assert (gan.split()[0], dcgan, ablated) == ("gan", "dcgan", "dcgan-without-width")
    assert numbers(goal) == ["150"]
    assert images.svg.count("stroke-opacity") == 9
    label = re.search(r'aria-label="([^"]*)"', images.svg)
    assert label is not None
    assert {"305", "122"} <= set(numbers(label[1]))
    assert ">minutes<" in time.svg


def test_a_collapsed_method_never_leads(write: Callable[..., Path]) -> None:
    """The least FD, and nothing but one picture: what its journal says stands beside it."""
    asked = plan()
    collapsed = [
        finished(Key(dataset="blobs", method="gan", seed=seed), 20.0 + seed).model_copy(
            update={"found": (TrialFinding(kind="collapse", images=30_000, said="All alike."),)}
        )
        for seed in range(3)
    ]
    # In one trial of three it may be chance.
    once = [
        finished(Key(dataset="blobs", method="dcgan", seed=seed), 60.0 + seed).model_copy(
            update={"found": (TrialFinding(kind="collapse", images=9),) if seed == 1 else ()}
        )
        for seed in range(3)
    ]
    none = {"recall": score(0.0, 0.84), "fd": score(20.0, 3.0)}
    spaces = (space().model_copy(update={"scores": none}),)
    collapsed[0] = collapsed[0].model_copy(update={"evaluation": evaluation(*spaces)})
    found = results(asked, *collapsed, *once)
    (scores,) = score_tables(found, summarise(found), shown_methods(asked))
    cells = {
        row.name: dict(zip((c.name for c in scores.table.columns), row.cells, strict=True))
        for row in scores.table.rows
    }
    assert cells["gan"]["fd"].formatted.value == "21.0"
    assert not cells["gan"]["fd"].leads
    assert cells["dcgan"]["fd"].leads
    assert cells["gan"]["finished"].beside == "collapse"
    assert cells["dcgan"]["finished"].beside == "collapse (1 of 3)"
    assert cells["dcgan-without-width"]["finished"].beside == ""
    assert cells["gan"]["fd"].beside.endswith("recall 0 in 1 of 3")
    assert "recall 0" in page_of(write(found), found).text


def test_what_was_changed_after_results_stands_at_the_verdict(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    asked = plan()
    first = plan(
        claims=[CLAIMS[0], {**CLAIMS[1], "test": CLAIMS[1]["test"][:-1] + ", margin=0.1)"}]
    )
    found = results(asked).model_copy(update={"first": first})
    judged = judge(found)
    page = page_of(write(found), found)
    assert page.said("marks") == [
        "After results: margin 0.1 → 0.05.",
        "After results: claim added.",
    ]
    files = {file.name: file for file in write_tables(tmp_path, found, judged)}
    marks = [row["marks"] for row in read_csv(files["claims.csv"])]
    assert marks == ["", "margin 0.1 → 0.05", "claim added"]
    assert "after results: claim added" in files["tables.tex"].read_text("utf-8")


def test_a_study_is_read_back_from_its_tables(write: Callable[..., Path], tmp_path: Path) -> None:
    """Without the folders of its trials, the same verdicts, tables and page but for pictures."""
    asked = plan(datasets={"blobs": "datasets/blobs", "others": "b"})
    lost, sick = (Key(dataset="blobs", method="gan", seed=seed) for seed in (0, 1))
    kinds = tuple(TrialFinding(kind=kind, images=0) for kind in ("no face", "collapse"))
    told = finished(sick, 110.0).model_copy(update={"found": kinds})
    found = results(asked, failed(lost), told, without=1)
    folder = StudyFolder(write(found))
    (folder.path / "study.toml").write_text(asked.to_toml(), "utf-8")
    before = {
        file.name: file.read_bytes() for file in write_tables(folder.path, found, judge(found))
    }
    shutil.rmtree(folder.trials)
    again = folder.results()
    assert [(t.key, t.status, t.images, t.curve, t.found) for t in again.results] == [
        (t.key, t.status, t.images, t.curve, t.found) for t in found.results
    ]
    written = {
        file.name: file.read_bytes() for file in write_tables(folder.path, again, judge(again))
    }
    # What they were read from is left alone.
    assert set(before) - set(written) == {"results.csv", "curves.csv"}
    for name in ("summary.csv", "claims.csv", "tables.tex"):
        assert written[name] == before[name]
    grid = folder.path / "grids" / "blobs"
    grid.mkdir(parents=True)
    Image.new("RGB", (80, 30), "red").save(grid / "dcgan.png")
    assert page_of(folder.path, again).pictures == 1
    (folder.path / "results.csv").write_text("dataset,method\nblobs,gan\n", "utf-8")
    with pytest.raises(RunError, match="cannot be read"):
        folder.results()


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
    names = ("results.csv", "summary.csv", "claims.csv", "curves.csv", "budgets.csv", "tables.tex")
    assert tuple(file.name for file in files) == names
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
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") == 2
    assert text.count(r"\begin{longtable}") == text.count(r"\end{longtable}") == 1
    assert text.count("{") == text.count("}")
    assert "\n  dcgan & 61 [52--71] & " in text
    assert text.count(r"x\_1") > 2
    assert text.count("helps. & x\\_1 & dcgan / ") == 2
    rows = [line for line in text.splitlines() if line.endswith(r"\\") and "&" in line]
    assert len(rows) == 2 * (1 + 3) + 1 + 6
    assert {row.count("&") for row in rows} == {4, 7}


def test_numbers() -> None:
    formatted = [brief(x) for x in (0, 0.0123, 61.26, 1234.5, -2.0, float("inf"))]
    assert formatted == ["0", "0.0123", "61.3", "1,234", "−2.00", "∞"]
    fd, recall = parse_test("better(a, b)"), parse_test("better(a, b, metric=recall)")
    log, plain, share = Scale("log"), Scale("plain"), Scale("share", 0.02)
    logs = [change(fd, log, x) for x in (math.log(1.8), -math.log(20), 0.01, -50.0)]
    assert logs == ["1.80 × better", "20.0 × worse", "1.010 × better", "over 1,000 × worse"]
    assert change(recall, plain, -0.0123) == "0.012 lower"
    assert change(parse_test("faster_to(a, b, fd=9)"), log, math.log(2)) == "2.00 × sooner"
    assert change(fd, share, 0.5) == "50 % better"
    assert between(fd, log, math.log(1.4), math.log(2.3)) == "1.40 to 2.30 × better"
    assert between(fd, log, -math.log(2.3), -math.log(1.4)) == "1.40 to 2.30 × worse"
    assert between(fd, log, -math.log(1.2), math.log(1.4)) == "1.20 × worse to 1.40 × better"


def test_many_methods_stay_small(write: Callable[..., Path]) -> None:
    methods = {f"method-{i}": {"recipe": "gan"} for i in range(16)}
    found = results(plan(methods=methods, claims=[], seeds=1))
    page = page_of(write(found, side=66), found)
    assert page.pictures == 16
    assert len(page.source) < 4_000_000
    keys = [v for t, n, v in page.attributes if (t, n) == ("span", "class") and v.startswith("key")]
    assert len(set(keys)) >= 16


def test_in_a_browser(browser: Any, write: Callable[..., Path]) -> None:
    ranges = {"stages.*.*.lr": {"low": 1e-4, "high": 1e-2}, "training.batch": {"among": [16, 64]}}
    tuning = {"trials": 3, "budget": "1min", "ranges": ranges}
    asked = plan(seeds=8, tuning=tuning)
    found = results(asked, failed(Key(dataset="blobs", method="gan", seed=0), "x" * 300))
    tuned = {
        f"blobs/{name}": Tuned(
            trials=tuple(
                SearchTrial(
                    seed=n, settings=settings, status="finished", fd=90.0 - n, images=10_000
                )
                for n, settings in enumerate(asked.candidates(name))
            )
        )
        for name in asked.all_methods()
    }
    first = plan(seeds=8, claims=CLAIMS[:1])
    found = found.model_copy(update={"tuned": tuned, "first": first})
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
