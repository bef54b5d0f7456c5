"""The page of a run that was measured: scores with floors, copying, diagnosis, best snapshot."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from run_pages import (
    HELD_OUT_NAME,
    REAL_NAME,
    Page,
    add_best,
    add_evaluation,
    add_line,
    add_pairs,
    add_probe,
    agreement,
    copying,
    evaluation,
    faces,
    measure,
    score,
    space,
)

from facegan.evaluation.results import FeatureScores
from facegan.report.limits import limits_of
from facegan.report.measures import tracks
from facegan.report.pages import report
from facegan.runs.reading import Measured, read


@pytest.fixture(scope="module")
def measured(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with everything that can be measured. Do not write into it."""
    run = Path(shutil.copytree(finished, tmp_path_factory.mktemp("measured") / "measured"))
    measure(run)
    return run


@pytest.fixture(scope="module")
def page(measured: Path, tmp_path_factory: pytest.TempPathFactory) -> Page:
    out = tmp_path_factory.mktemp("pages") / "page.html"
    return Page(report(measured, out).read_text("utf-8"))


@pytest.fixture(scope="module")
def public(measured: Path, tmp_path_factory: pytest.TempPathFactory) -> Page:
    out = tmp_path_factory.mktemp("pages") / "public.html"
    return Page(report(measured, out, real=False).read_text("utf-8"))


def page_of(run: Path) -> Page:
    return Page(report(run).read_text("utf-8"))


def test_every_score_stands_beside_its_floor(page: Page) -> None:
    scores = page.tables["scores efflite0"]
    assert scores["fd"] == {
        **{"generated": "61 58 – 64", "real": "3.00 2.85 – 3.15"},
        **{"ratio": "20.3 × n 500", "bar": ""},
    }
    # KID is shown in thousandths; a floor that cannot be told from zero gives no ratio.
    assert scores["kid"] == {
        **{"generated": "30.5 29.0 – 32.0", "real": "−0.0200 −0.0210 – −0.0190"},
        **{"ratio": "–", "bar": ""},
    }
    said = " ".join(text for mark, _, text in page.marks if mark == "conditions")
    assert re.search(r"\b500\b.*\b1,000\b.*blobs.* 32 × 32 .*\b0\b.*efflite0.*abababababab…", said)
    assert "antialiased to 224 × 224" in said
    assert re.search(r"3\.00 .*efflite0.* 500", page.said("fact", "FD")[0])


def test_what_was_measured_while_training_is_a_curve(page: Page) -> None:
    assert "fd" in page.tables["scores efflite0@64"]
    labels = page.values("svg", "aria-label")
    names = page.codes("chart")
    said = labels[names.index("fd")]
    assert re.findall(r"[0-9.]*[0-9]", said) == [
        *("244", "0.064", "73.2", "0.192"),
        *("3", "0.064", "3", "0.192"),
    ]


def test_evaluations_do_not_break_the_curves_of_training(run: Path) -> None:
    plain = page_of(run).values("svg", "aria-label")
    measure(run)
    assert [v for v in page_of(run).values("svg", "aria-label") if v in plain] == plain


def test_probes_have_curves(page: Page) -> None:
    assert {"probed_logits", "told_apart", "diversity"} <= set(page.codes("chart"))


def test_faces_and_modes(page: Page) -> None:
    found = re.findall(r"[0-9.]+ %|\([^)]*\)", page.said("faces")[0])
    assert found == ["86.1 %", "(85.1 – 87.1)", "99.30 %", "(99.10 – 99.50)"]
    assert re.search(r"\b41\b.*\b48\b.*\b47\b.*0\.182.*0\.041", page.said("modes")[0])
    assert "96.2 %" in page.text
    assert re.findall(r"[0-9]+ %", page.said("share-of", "hair long")[0]) == ["12 %", "25 %"]
    widths = [v for v in page.values("i", "style") if v.startswith("width:")]
    assert widths == ["width:12.50%", "width:37.50%", "width:20.00%", "width:30.00%"]


def test_agreement_with_labels(run: Path) -> None:
    add_evaluation(run, 64, evaluation(agreement=agreement()))
    add_evaluation(run, 192, evaluation())  # a later one that asked nobody
    page = page_of(run)
    rows = page.tables["agreement"]
    assert rows["Smiling"] == {
        **{"measure": "AUC", "generated": "0.840 0.820 – 0.860", "real": "0.970 0.960 – 0.980"}
    }
    assert rows["Eyeglasses"] == {"measure": "AUC", "generated": "0.71 0.68 – 0.74", "real": "–"}
    assert rows["Age"]["measure"] == "correlation"
    assert rows["Age"]["generated"].startswith("0.50 ")
    assert re.search(r"Age .*8\.2 .*4\.0", page.text)  # years off
    assert page.codes("left-out") == ["Wearing_Hat"]


def test_without_labels_nothing_is_said_of_them(page: Page) -> None:
    assert "agreement" not in page.codes("section")
    assert "agreement" not in page.tables


def test_copying(page: Page) -> None:
    assert copying().said in page.text
    rows = {name: cells["efflite0"] for name, cells in page.tables["copying"].items()}
    assert {name: re.findall(r"[0-9.]*[0-9]", text) for name, text in rows.items()} == {
        "closer": ["0.512", "2.1", "0.489", "0.511"],
        "closer_holdout": ["0.507", "0.5"],
        "near": ["63", "4", "50"],
        "near_holdout": ["55", "50"],
        "authentic": ["61.0", "60.0", "62.0", "63.0", "62.0", "64.0"],
    }
    first, second, _ = page.said("pair")
    assert "100" in first
    assert "101" in second
    assert "2.0 %" in second
    assert re.search(rf"{REAL_NAME}.*0\.31.*{HELD_OUT_NAME}.*0\.42", first)


def gallery_colours(page: Page) -> list[list[int]]:
    """The mean colour of every picture that is not a snapshot."""
    colours = []
    snapshots = len(page.snapshots)
    for uri in page.values("img", "src")[snapshots:]:
        data = base64.b64decode(uri.partition("base64,")[2])
        with Image.open(io.BytesIO(data)) as image:
            colours.append(np.asarray(image.convert("RGB")).mean((0, 1)).round().tolist())
    return colours


def test_gallery_shows_the_pictures_of_each_pair(page: Page) -> None:
    colours = gallery_colours(page)
    assert len(colours) == 9
    strongest = [int(np.argmax(colour)) for colour in colours]
    assert strongest == [0, 1, 2] * 3


def test_without_real_nothing_of_real_people_is_in_the_page(public: Page) -> None:
    assert REAL_NAME not in public.source
    assert HELD_OUT_NAME not in public.source
    for generated, *others in zip(*[iter(gallery_colours(public))] * 3, strict=True):
        assert int(np.argmax(generated)) == 0
        for colour in others:
            assert max(colour) - min(colour) < 3
    assert "left-out" in public.codes("limit")
    assert "efflite0" in public.said("pair")[0]


def test_without_real_a_missing_placeholder_is_not_replaced_by_the_real_thing(run: Path) -> None:
    add_evaluation(run, 192, evaluation(copying=copying()))
    add_pairs(run, 192)
    (run / "evaluations/000000.192k/closest-generated.png").unlink()
    page = Page(report(run, real=False).read_text("utf-8"))
    assert page.pictures == 0
    assert len(page.codes("pair")) == 3


@pytest.mark.parametrize("spoil", ["missing", "damaged", "other shape"])
def test_pairs_without_their_pictures_are_words(run: Path, spoil: str) -> None:
    add_evaluation(run, 192, evaluation(copying=copying()))
    add_pairs(run, 192, count=2 if spoil == "other shape" else 3)
    picture = run / "evaluations/000000.192k/closest.png"
    if spoil == "missing":
        picture.unlink()
    elif spoil == "damaged":
        picture.write_bytes(picture.read_bytes()[:60])
    page = page_of(run)
    assert page.pictures == 0
    assert REAL_NAME in page.said("pair")[0]


def test_best_snapshot(page: Page) -> None:
    assert page.codes("best") == ["0.128"]
    said = page.said("best")[0]
    assert re.search(r"71\.0 \(68\.9 – 73\.1\).* 15\.00 .*4\.73 ×", said)
    assert "facegan generate measured --best -n 64 --seed 0 --grid" in page.text


@pytest.mark.parametrize("scores", ["{", "[]", '{"images_seen": 5}', '{"fd": "low"}'])
def test_a_damaged_best_snapshot_is_passed_over(run: Path, scores: str) -> None:
    add_best(run, 128)
    (run / "best/scores.json").write_text(scores)
    assert page_of(run).codes("best") == []


def test_a_best_snapshot_that_is_no_number_is_passed_over(run: Path) -> None:
    add_best(run, 128, fd="low")
    assert page_of(run).codes("best") == []


def test_how_to_measure_it_again(page: Page) -> None:
    line = "facegan evaluate measured --data DATASET -n 500 --n-real 1000 --extractor efflite0"
    assert line in " ".join(page.said("command"))


def test_a_fid_is_called_so_in_one_space_only(run: Path) -> None:
    add_evaluation(run, 192, evaluation(space("inception"), space("mine")))
    found = tracks(measured for measured in read(run).evaluations)
    titles = {track.instrument.name: track.last.measures[0].title for track in found}
    assert titles == {"inception": "FID", "mine": "FD"}
    assert list(page_of(run).tables)[:2] == ["scores inception", "scores mine"]


def test_evaluations_that_cannot_be_read_are_counted(run: Path) -> None:
    add_line(run, {"images_seen": 192, "evaluation": {"source": "of a later version"}})
    add_line(run, {"images_seen": 192, "evaluation": None})
    page = page_of(run)
    assert page.codes("unread") == ["2"]
    assert page.codes("unmeasured") == [""]
    assert "0.192" in page.text


def test_hostile_words_in_an_evaluation_stay_words(run: Path) -> None:
    evil = "</script><script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7 * 7 }}"
    found = copying().model_dump()
    found["said"] = evil
    for pair in found["pairs"]:
        pair["train"]["name"] = evil
    for embedding in found["embeddings"]:
        embedding["embedding"] = evil
    spaces = tuple(
        FeatureScores(extractor=evil, resizer=evil, fingerprint=evil, scores={"fd": score(fd, 3.0)})
        for fd in (80.0, 60.0)
    )
    for seen, one in zip((64, 192), spaces, strict=True):
        values = evaluation(one, dataset=evil, faces=faces(), copying=copying())
        dumped = json.loads(values.model_dump_json(exclude_none=True))
        dumped["copying"] = json.loads(json.dumps(found))
        dumped["faces"]["detector"] = evil
        add_line(run, {"images_seen": seen, "evaluation": dumped})
    page = page_of(run)
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert page.text.count("{{ 7 * 7 }}") >= 10
    assert "<script>alert" not in page.source


def test_only_equal_conditions_share_a_track() -> None:
    def seen(images: int, **changes: Any) -> Measured:
        return Measured(images, evaluation(**changes))

    found = tracks(
        [
            seen(1),
            seen(2),
            seen(2, source="again, and so it replaces the one before"),
            seen(3, n_fake=600),
            seen(4, seed=1),
            Measured(5, evaluation(space(fingerprint="ef" * 32))),
        ]
    )
    assert [[p.images_seen for p in track.points] for track in found] == [[3], [1, 2], [4], [5]]
    while_training = tracks([seen(1, training=True, n_fake=900), seen(1, n_fake=600)])
    assert [track.last.evaluation.training for track in while_training] == [False, True]
    assert found[1].last.evaluation.source.startswith("again")
    assert len({track.key for track in found}) == 4


def test_evaluations_are_in_the_order_of_training(run: Path) -> None:
    for seen in (192, 64, 128):
        add_evaluation(run, seen, evaluation())
    assert [measured.images_seen for measured in read(run).evaluations] == [64, 128, 192]


def test_what_is_not_told_depends_on_what_was_measured(page: Page) -> None:
    assert {"people", "copying"} <= set(page.codes("limit"))
    assert "no-faces" not in page.codes("limit")

    def codes(found: list[Measured], drawn: bool = False) -> set[str]:
        return {code for code, _ in limits_of(found, drawn=drawn, real=True)}

    assert codes([]) == {"no-score", "no-copies", "fairness", "seeds"}
    assert codes([], drawn=True) == {"no-score", "no-copies-drawn", "seeds"}
    assert {"while-training", "no-faces"} <= codes([Measured(1, evaluation(training=True))])


def test_what_the_diagnosis_finds_is_told_with_what_helps(run: Path) -> None:
    for seen in range(8, 193, 8):
        add_probe(run, seen, logits_train=9.0, logits_fake=-9.0, told_apart=1.0, diversity=0.01)
    findings = read(run).findings
    assert findings
    page = page_of(run)
    assert page.codes("finding") == [finding.kind for finding in findings]

    def letters(text: str) -> str:  # a setting in code is set apart by spaces
        return "".join(text.replace("`", "").split())

    for finding in findings:
        assert letters(finding.said) in letters(page.text)
        assert letters(finding.helps) in letters(page.text)


def test_a_healthy_run_is_told_to_be_one(run: Path) -> None:
    assert "diagnosis" not in page_of(run).codes("section")
    add_probe(run, 192, told_apart=0.8, remembered=0.5, diversity=0.9)
    assert page_of(run).codes("healthy") == [""]


def test_a_long_journal_stays_a_small_page(run: Path) -> None:
    with (run / "metrics.jsonl").open("a") as file:
        for i in range(20_000):
            line = {"images_seen": 200 + i, "stage": 2, "logits_real": i % 17, "logits_fake": i % 5}
            file.write(json.dumps(line) + "\n")
    assert len(report(run).read_bytes()) < 600_000
