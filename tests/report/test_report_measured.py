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
from facegan.report.limits import not_told
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
    for expected in (
        "In the space of efflite0 , at 0.192 kimg",
        "FD less is better 61 58 – 64 3.00 2.85 – 3.15 20.3 ×",
        "500 generated pictures beside 1,000 real ones of blobs (the training split, "
        "32 × 32 pixels), seed 0. Extractor: efflite0 (fingerprint abababababab…); antialiased to "
        "224 × 224.",
        "Fréchet distance between the two clouds",
        "real pictures 3.00 (efflite0, n 500)",
    ):
        assert expected in page.text
    # A floor that cannot be told from zero gives no ratio.
    assert re.search(r"KID less is better 0\.\d+ \S+ – \S+ −0\.000020 \S+ – \S+ –", page.text)


def test_what_was_measured_while_training_is_a_curve(page: Page) -> None:
    assert "In the space of efflite0@64 , while training" in page.text
    titles = [v for v in page.values("svg", "aria-label") if v.startswith("FD: generated from")]
    assert titles == [
        "FD: generated from 244 at 0.064 kimg to 73.2 at 0.192 kimg; real pictures from 3 at "
        "0.064 kimg to 3 at 0.192 kimg."
    ]


def test_evaluations_do_not_break_the_curves_of_training(run: Path) -> None:
    plain = page_of(run).values("svg", "aria-label")
    measure(run)
    assert [v for v in page_of(run).values("svg", "aria-label") if v in plain] == plain


def test_probes_have_curves(page: Page) -> None:
    said = " ".join(page.values("svg", "aria-label"))
    for expected in (
        "Logits of fixed pictures: training",
        "held out from",
        "Told apart",
        "Diversity",
    ):
        assert expected in said


def test_faces_and_modes(page: Page) -> None:
    assert "finds a face in 86.1 % of the generated pictures (85.1 – 87.1)" in page.text
    assert "and in 99.30 % of real ones (99.10 – 99.50)" in page.text
    assert "makes 41 of 48 combinations of known attributes" in page.text
    assert "reads 96.2 % of new portraits entirely right" in page.text
    assert "long 12 % of 25 %" in page.text
    widths = [v for v in page.values("i", "style") if v.startswith("width:")]
    assert widths == ["width:12.50%", "width:37.50%", "width:20.00%", "width:30.00%"]


def test_agreement_with_labels(run: Path) -> None:
    add_evaluation(run, 64, evaluation(agreement=agreement()))
    add_evaluation(run, 192, evaluation())  # a later one that asked nobody
    text = page_of(run).text
    for expected in (
        "Whether it shows what is asked for",
        "Labels that 500 pictures at 0.064 kimg were asked for",
        "same of 40 real pictures",
        "Smiling AUC 0.840 0.820 – 0.860 0.970 0.960 – 0.980",
        "Eyeglasses AUC 0.71 0.68 – 0.74 –",
        "Age off by 8.2 on average; real pictures by 4.0 correlation 0.50",
        "hardly left out: Wearing_Hat.",
    ):
        assert expected in text


def test_without_labels_nothing_is_said_of_them(page: Page) -> None:
    assert "asked for" not in page.text


def test_copying(page: Page) -> None:
    for expected in (
        "63 of 500 generated faces lie closer",
        "0.512 z = 2.1 by chance: 0.489 – 0.511",
        "61.0 % 60.0 – 62.0 held out: 63.0 % (62.0 – 64.0)",
        "the same, towards the holdout 0.507 by chance: 0.5",
        "63 4 of them mirrored by chance: 50",
        "as many, towards the holdout 55 by chance: 50",
        "Seed 100 in efflite0: no held-out picture comes as close to the training set.",
        "Seed 101 in efflite0, mirrored: 2.0 % of held-out pictures",
        f"Training: {REAL_NAME}, at 0.31",
        f"Held out: {HELD_OUT_NAME}, at 0.42",
    ):
        assert expected in page.text


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
    assert "they were left out of this page" in public.text
    assert "Seed 100 in efflite0" in public.text


def test_without_real_a_missing_placeholder_is_not_replaced_by_the_real_thing(run: Path) -> None:
    add_evaluation(run, 192, evaluation(copying=copying()))
    add_pairs(run, 192)
    (run / "evaluations/000000.192k/closest-generated.png").unlink()
    page = Page(report(run, real=False).read_text("utf-8"))
    assert page.pictures == 0
    assert "Seed 100" in page.text


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
    assert f"Training: {REAL_NAME}" in page.text


def test_best_snapshot(page: Page) -> None:
    assert (
        "the one at 0.128 kimg has the lowest FD: 71.0 (68.9 – 73.1) , where real pictures have "
        "15.00 (ratio 4.73 ×)"
    ) in page.text
    assert "facegan generate measured --best -n 64 --seed 0 --grid" in page.text


@pytest.mark.parametrize("scores", ["{", "[]", '{"images_seen": 5}', '{"fd": "low"}'])
def test_a_damaged_best_snapshot_is_passed_over(run: Path, scores: str) -> None:
    add_best(run, 128)
    (run / "best/scores.json").write_text(scores)
    assert "Best snapshot" not in page_of(run).text


def test_a_best_snapshot_that_is_no_number_is_passed_over(run: Path) -> None:
    add_best(run, 128, fd="low")
    assert "Best snapshot" not in page_of(run).text


def test_how_to_measure_it_again(page: Page) -> None:
    line = "facegan evaluate measured --data DATASET -n 500 --n-real 1000 --extractor efflite0"
    assert line in page.text


def test_a_fid_is_called_so_in_one_space_only(run: Path) -> None:
    add_evaluation(run, 192, evaluation(space("inception"), space("mine")))
    text = page_of(run).text
    assert "FID less is better" in text
    assert "FD less is better" in text
    assert text.index("FID less is better") < text.index("In the space of mine")


def test_evaluations_that_cannot_be_read_are_counted(run: Path) -> None:
    add_line(run, {"images_seen": 192, "evaluation": {"source": "of a later version"}})
    add_line(run, {"images_seen": 192, "evaluation": None})
    page = page_of(run)
    assert "2 evaluations in the journal could not be read" in page.text
    assert "None was taken." in page.text
    assert "for 0.192 kimg" in page.text


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
    assert "How people would judge the pictures." in page.text
    assert "That nothing was copied. 500 generated pictures" in page.text
    assert "in which of" not in page.text
    nothing = " ".join(not_told([], drawn=False, real=True))
    assert "No score was taken" in nothing
    assert "No copies were looked for" in nothing
    assert "equally well" in nothing
    drawn = " ".join(not_told([], drawn=True, real=True))
    assert "photograph" not in drawn
    assert "equally well" not in drawn
    while_training = not_told([Measured(1, evaluation(training=True))], drawn=False, real=True)
    assert any("too few for a figure to quote" in line for line in while_training)
    assert any("In how many of the pictures there is a face" in line for line in while_training)


def test_what_the_diagnosis_finds_is_told_with_what_helps(run: Path) -> None:
    for seen in range(8, 193, 8):
        add_probe(run, seen, logits_train=9.0, logits_fake=-9.0, told_apart=1.0, diversity=0.01)
    findings = read(run).findings
    assert findings
    text = page_of(run).text
    for finding in findings:
        assert " ".join(finding.said.split()) in text
        assert " ".join(finding.helps.split()) in text


def test_a_healthy_run_is_told_to_be_one(run: Path) -> None:
    assert "Diagnosis" not in page_of(run).text
    add_probe(run, 192, told_apart=0.8, remembered=0.5, diversity=0.9)
    assert "Nothing stood out" in page_of(run).text


def test_a_long_journal_stays_a_small_page(run: Path) -> None:
    with (run / "metrics.jsonl").open("a") as file:
        for i in range(20_000):
            line = {"images_seen": 200 + i, "stage": 2, "logits_real": i % 17, "logits_fake": i % 5}
            file.write(json.dumps(line) + "\n")
    assert len(report(run).read_bytes()) < 600_000
