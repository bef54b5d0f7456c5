"""`facegan.evaluate` of a conditional generator: are the labels that were asked for to be seen?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import facegan
from facegan.cli.terminal.scores import print_evaluation
from facegan.runs.reading import read


def test_a_conditional_generator_is_asked_and_read(
    tmp_path: Path, tiny: Callable[..., Any], capsys: Any
) -> None:
    """Hardly trained, it shows nothing of what it was asked for; real portraits do."""
    recipe = tiny("dcgan", "data.labels=['Eyeglasses', 'Smiling', 'hair_hue']")
    facegan.train(recipe, data="portraits:700@32", run=tmp_path / "run", budget="16img")
    found = facegan.evaluate(
        tmp_path / "run",
        data="portraits:700@32",
        n=60,
        extractors=["efflite0@64"],
        copying=False,
        faces=False,
    )
    assert found.agreement is not None
    seen = {label.name: label for label in found.agreement.labels}
    assert set(seen) | set(found.agreement.left_out) == {"Eyeglasses", "Smiling"}
    glasses = seen["Eyeglasses"]
    assert glasses.measure == "AUC"
    assert 0 <= glasses.generated.low <= glasses.generated.value <= glasses.generated.high <= 1
    assert glasses.real is not None
    assert glasses.real.value > 0.6
    # It is in the journal, from which the page and a model's card are made.
    assert read(tmp_path / "run").evaluations[-1].evaluation.agreement == found.agreement
    print_evaluation(found)
    assert "Eyeglasses" in capsys.readouterr().out
