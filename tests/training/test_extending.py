"""A run with a larger budget goes on beyond its end, and what that promises.

With schedules kept, the longer run equals bit for bit one that had the larger budget at once and
whose schedules, in images, are the same: constant ones, or such as end where the first budget did.
Ticks and snapshots lie as far apart as before, so that the journal is the same too.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from facegan.apps import beginning
from facegan.apps.train import train
from facegan.errors import RunError
from facegan.report.pages import report
from facegan.runs.directory import RunDirectory
from facegan.runs.extension import Extension, Length, extensions
from facegan.training.plan import Plan

Make = Callable[..., Any]

TWICE = ("training.budget=384img", "training.ticks=12", "training.snapshots=6")
RATE = "{{kind='linear', start=1e-3, end=1e-4, finish={finish}}}"
# Settings of the short run, and what the run of twice the length at once has in their place.
CASES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "gan": ((), ()),
    "dcgan": ((), ()),
    "wgan-gp": ((), ()),
    "dcgan-schedules": (
        (
            "training.ema_half_life={kind='cosine', start=0, end=0.1}",
            "method.penalty={kind='r1', gamma={kind='linear', start=2, end=0.2}}",
            f"stages.*.*.lr={RATE.format(finish=1.0)}",
        ),
        (
            "training.ema_half_life={kind='cosine', start=0, end=0.1, finish=0.5}",
            "method.penalty={kind='r1', gamma={kind='linear', start=2, end=0.2, finish=0.5}}",
            f"stages.*.*.lr={RATE.format(finish=0.5)}",
        ),
    ),
    "gan-stages": (
        ("stages=[{generator={kind='sgd', lr=0.01}}, {generator={kind='adam', lr=1e-3}}]",),
        (
            "stages=[{generator={kind='sgd', lr=0.01}}, {share=3.0, "
            "generator={kind='adam', lr=1e-3}}]",
        ),
    ),
    "dcgan-adaptive": (
        ("augment={probability={kind='adaptive', ramp=0.16}, flip=true, shift=0.2}",),
        ("augment={probability={kind='adaptive', ramp=0.16}, flip=true, shift=0.2}",),
    ),
}


def content(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path): path.read_bytes() for path in files}


def but_recipe(files: dict[str, bytes]) -> dict[str, bytes]:
    """All but what says from which recipe it comes; its weights are in the state too."""
    return {name: content for name, content in files.items() if name != "generator.safetensors"}


@pytest.mark.parametrize("case", CASES)
def test_a_longer_run_equals_one_that_had_the_budget_at_once(
    tiny: Make, watcher: Any, bytes_of: Make, dataset_path: Path, tmp_path: Path, case: str
) -> None:
    name = case.partition("-")[0] if case != "wgan-gp" else case
    short, whole = CASES[case]
    train(tiny(name, *whole, *TWICE), dataset_path, tmp_path / "whole", reporter=watcher())
    recipe, run = tiny(name, *short), tmp_path / "run"
    assert train(recipe, dataset_path, run, reporter=watcher()).total == 192
    watch = watcher()
    outcome = train(recipe, dataset_path, run, budget="384img", reporter=watch)
    assert (outcome.finished, outcome.images_seen, outcome.total) == (True, 384, 384)
    assert any("0.192 → 0.384 kimg" in message for message in watch.said)
    found, expected = (but_recipe(bytes_of(each)) for each in (run, tmp_path / "whole"))
    assert found["metrics.jsonl"].decode() == expected["metrics.jsonl"].decode()
    assert found == expected


@pytest.mark.parametrize("extend", ["keep", "stretch"])
def test_an_extension_that_is_stopped_goes_on_exactly(
    tiny: Make, watcher: Any, bytes_of: Make, dataset_path: Path, tmp_path: Path, extend: str
) -> None:
    recipe = tiny("gan", f"stages.*.*.lr={RATE.format(finish=1.0)}", "training.snapshots=6")
    for name, stops in {"whole": [None], "parts": [200, 232, 300, None]}.items():
        run = tmp_path / name
        train(recipe, dataset_path, run, reporter=watcher())
        for stop in stops:
            outcome = train(
                *(recipe, dataset_path, run),
                budget="384img",
                extend=extend,
                reporter=watcher(stop),
            )
            assert outcome.finished == (stop is None)
            assert outcome.total == 384
    found, expected = bytes_of(tmp_path / "parts"), bytes_of(tmp_path / "whole")
    assert found["metrics.jsonl"].decode() == expected["metrics.jsonl"].decode()
    assert found == expected
    provenance = RunDirectory(tmp_path / "parts").provenance()
    assert provenance["plan"]["images"] == 384
    assert extensions(provenance) == [
        Extension(192, "384img", 384, "192img", 192, extend)  # type: ignore[arg-type]
    ]


def rates(run: Path) -> dict[int, float]:
    lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    return {line["images_seen"]: line["generator/lr"] for line in lines if "generator/lr" in line}


def test_schedules_are_kept_or_stretched(
    tiny: Make, watcher: Any, dataset_path: Path, tmp_path: Path
) -> None:
    recipe = tiny("gan", "stages.*.*.lr={kind='linear', start=1e-3, end=0}")
    found = {}
    for extend in ("keep", "stretch"):
        run = tmp_path / extend
        train(recipe, dataset_path, run, reporter=watcher())
        train(recipe, dataset_path, run, budget="384img", extend=extend, reporter=watcher())
        found[extend] = rates(run)
    # The last step of a tick begins 8 images before it.
    assert found["keep"] == pytest.approx(
        {seen: 1e-3 * max(1 - (seen - 8) / 192, 0.0) for seen in range(32, 385, 32)}
    )
    assert found["stretch"] == pytest.approx(
        {
            seen: 1e-3 * (1 - (seen - 8) / (192 if seen <= 192 else 384))
            for seen in range(32, 385, 32)
        }
    )


def test_a_run_that_did_not_finish_can_be_extended_and_more_than_once(
    tiny: Make, watcher: Any, bytes_of: Make, dataset_path: Path, tmp_path: Path
) -> None:
    recipe, run = tiny("gan"), tmp_path / "run"
    train(recipe, dataset_path, run, reporter=watcher(80))
    train(recipe, dataset_path, run, budget="0.256kimg", reporter=watcher(120))
    assert train(recipe, dataset_path, run, budget="384img", reporter=watcher()).finished
    assert [
        (each.images_seen, each.images_before, each.images)
        for each in extensions(RunDirectory(run).provenance())
    ] == [(80, 192, 256), (120, 256, 384)]
    train(tiny("gan", *TWICE), dataset_path, tmp_path / "whole", reporter=watcher())
    assert but_recipe(bytes_of(run)) == but_recipe(bytes_of(tmp_path / "whole"))
    assert RunDirectory(run).recipe().training.budget == "384img"


def test_a_budget_written_otherwise_is_the_same_budget(
    tiny: Make, watcher: Any, dataset_path: Path, tmp_path: Path
) -> None:
    recipe, run = tiny("gan"), tmp_path / "run"
    train(recipe, dataset_path, run, reporter=watcher())
    before = (run / "provenance.json").read_bytes()
    for same in ("0.192kimg", "185img"):  # 185 images take as many whole steps
        outcome = train(recipe, dataset_path, run, budget=same, reporter=watcher())
        assert (outcome.finished, outcome.total) == (True, 192)
    assert (run / "provenance.json").read_bytes() == before


def test_a_smaller_budget_is_refused(
    tiny: Make, watcher: Any, dataset_path: Path, tmp_path: Path
) -> None:
    recipe, run = tiny("gan"), tmp_path / "run"
    train(recipe, dataset_path, run, reporter=watcher(96))
    before = content(run)
    with pytest.raises(RunError, match="100img is less") as caught:
        train(recipe, dataset_path, run, budget="100img", reporter=watcher())
    assert "192img" in caught.value.hint
    assert content(run) == before
    train(recipe, dataset_path, run, budget="384img", reporter=watcher())
    with pytest.raises(RunError, match="budget of 384img"):
        train(recipe, dataset_path, run, reporter=watcher())  # as it was begun


def test_another_recipe_is_refused_whatever_the_budget(
    tiny: Make, watcher: Any, dataset_path: Path, tmp_path: Path
) -> None:
    recipe, run = tiny("gan"), tmp_path / "run"
    train(recipe, dataset_path, run, reporter=watcher(96))
    with pytest.raises(RunError, match=r"training.seed: 0 → 1"):
        train(
            tiny("gan", "training.seed=1"), dataset_path, run, budget="384img", reporter=watcher()
        )
    with pytest.raises(RunError, match="extend is 'streched'") as caught:
        train(recipe, dataset_path, run, extend="streched", reporter=watcher())  # type: ignore[arg-type]
    assert "stretch" in caught.value.hint


def test_more_time_is_turned_into_images_anew(
    tiny: Make,
    watcher: Any,
    dataset_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of the added part alone: what another moment or machine makes of the first is no matter."""
    asked = []
    speed = 8.0

    def plan(recipe: Any, *about: Any) -> Plan:
        from facegan.budget import parse_budget

        budget = parse_budget(recipe.training.budget)
        asked.append((budget.seconds, len(recipe.stages)))
        assert budget.seconds is not None
        return Plan(round(budget.seconds * speed), speed)

    monkeypatch.setattr(beginning, "make_plan", plan)
    recipe = tiny("gan", "stages=[{}, {}]", "training.budget=24s")
    run = tmp_path / "run"
    assert train(recipe, dataset_path, run, reporter=watcher()).total == 192
    speed = 16.0
    assert train(recipe, dataset_path, run, budget="28s", reporter=watcher()).total == 192 + 64
    longer = recipe.with_budget("28s")
    assert train(longer, dataset_path, run, reporter=watcher()).total == 256
    with pytest.raises(RunError, match="27s is less"):
        train(recipe, dataset_path, run, budget="27s", reporter=watcher())
    assert asked == [(24.0, 2), (4.0, 1)]
    (done,) = extensions(RunDirectory(run).provenance())
    assert done.measured_img_per_s == 16.0


def test_killed_while_it_is_written_down(
    tiny: Make, watcher: Any, dataset_path: Path, tmp_path: Path
) -> None:
    """The provenance is written first and decides: the recipe's file follows it."""
    recipe, run = tiny("gan"), tmp_path / "run"
    train(recipe, dataset_path, run, reporter=watcher())
    begun = (run / "recipe.toml").read_bytes()
    train(recipe, dataset_path, run, budget="384img", extend="stretch", reporter=watcher(232))
    (run / "recipe.toml").write_bytes(begun)
    assert train(recipe, dataset_path, run, budget="384img", reporter=watcher()).total == 384
    assert RunDirectory(run).recipe().training.budget == "384img"
    (done,) = extensions(RunDirectory(run).provenance())
    assert done.schedules == "stretch"


def test_going_back_before_the_extension_moves_it(
    tiny: Make, watcher: Any, dataset_path: Path, tmp_path: Path
) -> None:
    """The newest checkpoint is lost: what follows the older one has the new length."""
    recipe, run = tiny("gan"), tmp_path / "run"
    train(recipe, dataset_path, run, reporter=watcher(136))
    train(recipe, dataset_path, run, budget="384img", extend="stretch", reporter=watcher(144))
    assert extensions(RunDirectory(run).provenance())[0].images_seen == 136
    kept = sorted((run / "checkpoints").iterdir())
    for checkpoint in kept[1:]:
        (checkpoint / "state.safetensors").write_bytes(b"")
    older = round(float(kept[0].name[:-1]) * 1000)
    train(recipe, dataset_path, run, budget="384img", reporter=watcher())
    assert extensions(RunDirectory(run).provenance())[0].images_seen == min(older, 136)


def test_the_page_tells_of_it(tiny: Make, watcher: Any, dataset_path: Path, tmp_path: Path) -> None:
    recipe, run = tiny("gan"), tmp_path / "run"
    train(recipe, dataset_path, run, reporter=watcher())
    train(recipe, dataset_path, run, budget="384img", extend="stretch", reporter=watcher())
    page = report(run).read_text("utf-8")
    assert "0.192 → 0.384 kimg" in page
    assert "--budget 0.192kimg" in page
    assert "--budget 0.384kimg --extend stretch" in page


def test_lengths() -> None:
    def after(*extended: tuple[int, str]) -> Length:
        total, done = 100, []
        for images, how in extended:
            done.append(
                {
                    **{"images_seen": total, "budget": "x", "images": images, "before": "y"},
                    **{"images_before": total, "schedules": how},
                }
            )
            total = images
        return Length.of({"plan": {"images": total}, "extensions": done})

    assert after() == Length(100, 100, 100)
    assert after((200, "keep")) == Length(200, 100, 100)
    assert after((200, "stretch")) == Length(200, 200, 100)
    assert after((200, "stretch"), (300, "keep")) == Length(300, 200, 100)
    assert after((200, "keep"), (300, "stretch")) == Length(300, 300, 100)


@pytest.mark.parametrize("damaged", [3, [3], [{}], [{"images": "many"}]])
def test_damaged_extensions_are_refused(damaged: Any) -> None:
    with pytest.raises(RunError, match="cannot be read"):
        extensions({"extensions": damaged})
