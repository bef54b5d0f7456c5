"""The charts of a page: colours, fonts and determinism."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from facegan.apps.curves import curves


def test_charts_take_their_colours_and_fonts_from_the_page() -> None:
    metrics = [
        {"images_seen": 1000 * i, "stage": i // 3, "generator/lr": 1e-4, "logits_real": 0.1 * i}
        | {"discriminator/gradient_norm": 3.0 * i, "discriminator/lr": 2e-4}
        for i in range(1, 7)
    ]
    drawn = curves(metrics, [], total=8000, stage_starts=[3000])
    assert [c.title for c in drawn] == ["Logits", "Gradient norms", "Learning rates"]
    for curve in drawn:
        ElementTree.fromstring(curve.svg)
        assert not re.search(r"(?<!url\()(?<!href=\")#[0-9a-fA-F]{3,8}\b|rgb", curve.svg)
        assert "font" not in curve.svg
        assert "currentColor" in curve.svg
        assert "<text" in curve.svg
        assert "http" not in curve.svg
    assert "var(--second)" not in drawn[0].svg
    assert drawn[1].legend == (("discriminator", "first"),)
    assert "discriminator from 3 at 1 kimg to 18 at 6 kimg" in drawn[1].svg
    assert curves(metrics, [], total=8000, stage_starts=[3000]) == drawn


def test_charts_ignore_the_users_matplotlib_settings() -> None:
    import matplotlib as mpl

    metrics = [{"images_seen": 1000 * i, "logits_real": 0.1 * i} for i in range(1, 5)]
    plain = curves(metrics, [], total=4000)
    with mpl.rc_context({"svg.fonttype": "path", "lines.linewidth": 9, "axes.grid": True}):
        assert curves(metrics, [], total=4000) == plain
