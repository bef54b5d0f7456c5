"""The charts of a page: colours, fonts and determinism, and what they show."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import pytest
from run_pages import evaluation, space

from facegan.report.charts import journal_plots, score_plots
from facegan.report.measures import tracks
from facegan.report.plots import Line, Plot, drawn, thinned
from facegan.runs.reading import Measured

TICKS = [
    {"images_seen": 1000 * i, "stage": i // 3, "generator/lr": 1e-4, "logits_real": 0.1 * i}
    | {"discriminator/gradient_norm": 3.0 * i, "discriminator/lr": 2e-4}
    for i in range(1, 7)
]


def test_charts_take_their_colours_and_fonts_from_the_page() -> None:
    plots = journal_plots(TICKS, [], [], total=8000, stage_starts=[3000])
    assert [plot.name for plot in plots] == ["logits", "gradient_norms", "rates"]
    charts = drawn(plots, "x")
    for chart in charts:
        ElementTree.fromstring(chart.svg)
        assert not re.search(r"(?<!url\()(?<!href=\")#[0-9a-fA-F]{3,8}\b|rgb", chart.svg)
        assert "font" not in chart.svg
        assert "currentColor" in chart.svg
        assert "<text" in chart.svg
        assert "http" not in chart.svg
        assert all(name.startswith("x") for name in re.findall(r'\bid="([^"]*)"', chart.svg))
    assert "var(--line2)" not in charts[0].svg
    assert charts[1].legend == (("discriminator", "line1 solid"),)
    label = ElementTree.fromstring(charts[1].svg).attrib["aria-label"]
    assert re.findall(r"[0-9.]*[0-9]", label) == ["3", "1", "18", "6"]
    assert drawn(plots, "x") == charts


def test_charts_ignore_the_users_matplotlib_settings() -> None:
    import matplotlib as mpl

    plots = journal_plots(TICKS, [], [], total=4000)
    plain = drawn(plots, "x")
    with mpl.rc_context({"svg.fonttype": "path", "lines.linewidth": 9, "axes.grid": True}):
        assert drawn(plots, "x") == plain


def test_words_of_others_stay_words_in_a_chart() -> None:
    line = Line('a "b" <i> & c', [(0.0, 1.0), (1.0, 2.0)])
    (chart,) = drawn([Plot("t", '<script> "t"', "", [line])], "x")
    element = ElementTree.fromstring(chart.svg)
    label = element.attrib["aria-label"]
    assert label.startswith('<script> "t"')
    assert 'a "b" <i> & c' in label


def test_rates_end_with_their_stage() -> None:
    (rates,) = journal_plots(
        [{"images_seen": i, "stage": i // 3, "generator/lr": 1.0} for i in range(1, 7)], [], [], 7
    )
    assert [math.isnan(y) for _, y in rates.lines[0].points].count(True) == 3


def test_probes_are_drawn_beside_what_to_compare_them_with() -> None:
    probes = [{"images_seen": 1000, "probe/diversity": 0.4}, {"images_seen": 2000}]
    (plot,) = journal_plots([], probes, [], total=5000)
    assert plot.name == "diversity"
    generated, real = plot.lines
    assert generated.points[0] == (1.0, 0.4)
    assert math.isnan(generated.points[1][1])
    assert real.points == [(0.0, 1.0), (5.0, 1.0)]


@pytest.mark.parametrize(("extractor", "title"), [("efflite0", "FD"), ("inception", "FID")])
def test_scores_have_intervals_and_floors(extractor: str, title: str) -> None:
    found = [
        Measured(seen, evaluation(space(extractor, fd)))
        for seen, fd in ((1000, 80.0), (2000, 60.0))
    ]
    (track,) = tracks(found)
    plots = score_plots(track, total=4000)
    assert [plot.name for plot in plots] == ["fd", "kid", "precision recall"]
    fd, kid, shares = plots
    assert fd.title == title
    generated, floor = fd.lines
    assert generated.points == [(1.0, 80.0), (2.0, 60.0)]
    assert generated.band == [(1.0, 76.0, 84.0), (2.0, 57.0, 63.0)]
    assert floor.points == [(1.0, 3.0), (2.0, 3.0)]
    assert fd.log
    assert fd.end == 4.0
    # No ratio: the floor cannot be told from zero, and has no place on a logarithmic scale.
    assert len(kid.lines) == 1
    # In the unit that its title names.
    assert "10³" in kid.title
    assert kid.lines[0].points == [(1.0, 40.0), (2.0, 30.0)]
    assert len(shares.lines) == 4
    assert not shares.log
    svg = drawn(plots, "s")[0].svg
    assert "opacity: 0.2" in svg


def test_what_was_measured_once_has_no_curve() -> None:
    (track,) = tracks([Measured(1000, evaluation())])
    assert score_plots(track, total=2000) == []


@pytest.mark.parametrize("n", [1, 599, 600, 601, 5000])
def test_thinned_keeps_ends_peaks_and_breaks(n: int) -> None:
    points = [(float(i), math.sin(i)) for i in range(n)]
    points[n // 2] = (float(n // 2), 99.0)
    if n > 10:
        points[n // 3] = (float(n // 3), math.nan)
    kept = thinned(points)
    assert len(kept) <= 610
    assert kept[0] == points[0]
    assert kept[-1] == points[-1]
    assert (float(n // 2), 99.0) in kept
    assert n <= 10 or any(math.isnan(y) for _, y in kept)
    assert kept == sorted(kept, key=lambda point: point[0])
