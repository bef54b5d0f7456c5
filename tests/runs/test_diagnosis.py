"""Each kind of trouble is said once, of runs that have it, and not of runs that do not."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facegan.data.dataset import Dataset
from facegan.evaluation.results import Estimate, Evaluation, FeatureScores, Score
from facegan.generation.samples import pictures
from facegan.recipe import Recipe
from facegan.runs.diagnosis import Diagnosis, Finding, Standing, diagnose, standing
from facegan.training.loop import Boundaries
from facegan.training.probe import Probe
from facegan.training.state import PLAYERS, TrainingState

Make = Callable[..., Any]
Line = dict[str, Any]
TOTAL = 200_000


# --- journals as they might be -------------------------------------------------------------


def tick(at: float, **changed: float) -> Line:
    noise = random.Random(at).uniform(0.7, 1.4)
    line: Line = {
        "images_seen": at,
        "stage": 0,
        "discriminator/lr": 2e-4,
        "generator/lr": 2e-4,
        "discriminator/adversarial": 0.6 * noise,
        "generator/adversarial": 4.0 * noise,
        "discriminator/gradient_norm": 40.0 * noise**3,
        "generator/gradient_norm": 25.0 * noise,
    }
    return line | {name.replace("__", "/"): value for name, value in changed.items()}


def probe(at: float, **changed: float) -> Line:
    values = {
        "logits_train": 2.5,
        "logits_holdout": 2.3,
        "logits_fake": -2.5,
        "told_apart": 0.98,
        "separation": 3.5,
        "remembered": 0.55,
        "overfitting": 0.05,
        "diversity": 0.9,
    } | changed
    return {"images_seen": at} | {f"probe/{name}": value for name, value in values.items()}


def evaluation(at: float, fd: float, width: float = 4.0, **changed: Any) -> Line:
    """A line as the app writes it."""

    def estimate(value: float) -> Estimate:
        return Estimate(value=value, low=value - width / 2, high=value + width / 2)

    score = Score(generated=estimate(fd), real=estimate(12.0), ratio=fd / 12)
    space = FeatureScores(
        extractor="efflite0@64", resizer="area", fingerprint="ab", scores={"fd": score}
    )
    about: dict[str, Any] = {
        "source": f"run at {at / 1000:g} kimg",
        "dataset": "blobs",
        "dataset_fingerprint": "cd",
        "reference": "train",
        "n_real": 5000,
        "n_fake": 1000,
        "seed": 0,
        "resolution": 64,
        "training": True,
    }
    found = Evaluation(**(about | changed), features=(space,))
    return {"images_seen": at, "evaluation": found.model_dump(mode="json", exclude_none=True)}


def run_of(
    tick_at: Callable[[float], Line] = tick,
    probe_at: Callable[[float], Line] = probe,
    fd_at: Callable[[float], float] = lambda at: 100 - 60 * at / TOTAL,
    total: int = TOTAL,
) -> list[Line]:
    """200 ticks, 20 probes and as many evaluations; healthy where nothing else is said."""
    lines = []
    for i in range(1, 201):
        at = i * total // 200
        lines.append(tick_at(at))
        if i % 10 == 0:
            lines += [probe_at(at), evaluation(at, fd_at(at))]
    return lines


def kinds(findings: list[Finding]) -> list[str]:
    return [finding.kind for finding in findings]


def from_(start: float, changed: Callable[[float], Line], usual: Callable[[float], Line]) -> Any:
    """Another line from a share of the run on."""
    return lambda at: changed(at) if at > start * TOTAL else usual(at)


def jump(start: float, **changed: float) -> Callable[[float], Line]:
    return from_(start, lambda at: probe(at, **changed), probe)


# Kind of trouble → a journal that has it.
SICK: dict[str, tuple[str, list[Line]]] = {
    "saturation": (
        "saturation",
        run_of(
            probe_at=lambda at: probe(
                at, told_apart=0.9999, separation=12.0 if at > 60_000 else 5.0, diversity=0.3
            )
        ),
    ),
    "saturation of a critic with large logits": (
        "saturation",
        run_of(
            probe_at=lambda at: probe(
                at, logits_train=5e3, told_apart=1.0, separation=30.0, diversity=0.1
            )
        ),
    ),
    "imbalance": ("imbalance", run_of(probe_at=jump(0.5, told_apart=0.1, separation=-2.0))),
    "overfitting": ("overfitting", run_of(probe_at=jump(0.4, remembered=0.9, overfitting=0.6))),
    "collapse": ("collapse", run_of(probe_at=jump(0.6, diversity=0.15))),
    "always alike": ("collapse", run_of(probe_at=lambda at: probe(at, diversity=0.03))),
    "divergence of a loss": (
        "divergence",
        run_of(from_(0.5, lambda at: tick(at, generator__adversarial=400.0), tick)),
    ),
    "divergence of a critic, downwards": (
        "divergence",
        run_of(from_(0.5, lambda at: tick(at, discriminator__adversarial=-90.0), tick)),
    ),
    "divergence of a gradient": (
        "divergence",
        run_of(from_(0.5, lambda at: tick(at, discriminator__gradient_norm=9e3), tick)),
    ),
    "divergence, step by step": (
        "divergence",
        run_of(lambda at: tick(at, generator__adversarial=4 * 1.2 ** max(0, at / 1000 - 100))),
    ),
    "divergence from the start": (
        "divergence",
        run_of(lambda at: tick(at, generator__adversarial=3e6)),
    ),
    "divergence of FD": (
        "divergence",
        run_of(fd_at=lambda at: 100 - at / 2000 if at < 0.5 * TOTAL else 140.0),
    ),
    "idle": ("idle", run_of(lambda at: tick(at, generator__lr=0.0))),
    "checkers": ("artefacts", run_of(probe_at=lambda at: probe(at, checkered=300.0))),
    "noise from the middle on": ("artefacts", run_of(probe_at=jump(0.5, checkered=60.0))),
    "no face": (
        "no face",
        run_of(
            probe_at=lambda at: probe(at, faces=0.0, faces_real=0.97, diversity=0.6),
            fd_at=lambda at: 300.0 - at / 20_000,
        ),
    ),
    "all alike, from nothing to next to nothing": (
        "collapse",
        run_of(probe_at=lambda at: probe(at, diversity=0.001 + 0.006 * at / TOTAL)),
    ),
    "plateau": ("plateau", run_of(fd_at=lambda at: max(100 - at / 1000, 60) + at % 3000 / 1000)),
}


@pytest.mark.parametrize("case", SICK)
def test_each_kind_is_said_once_with_its_evidence(case: str) -> None:
    kind, lines = SICK[case]
    (finding,) = diagnose(lines, TOTAL)
    assert finding.kind == kind
    assert 0 < finding.images_seen <= TOTAL
    assert finding.images_seen in {line["images_seen"] for line in lines}
    assert finding.said.endswith(".")
    assert re.search(r"\d", finding.said), "no evidence"
    assert "nan" not in finding.said
    assert len(finding.helps) > 40


@pytest.mark.parametrize("case", SICK)
def test_line_by_line_is_the_same_as_all_at_once(case: str) -> None:
    _, lines = SICK[case]
    lines = json.loads(json.dumps(lines))
    whole = diagnose(lines, TOTAL)
    diagnosis = Diagnosis(TOTAL)
    found = [finding for line in lines for finding in diagnosis.add(line)]
    assert found == diagnosis.findings == whole
    for cut in (len(lines) // 3, len(lines) - 1):
        resumed = Diagnosis(TOTAL, lines[:cut])
        rest = [finding for line in lines[cut:] for finding in resumed.add(line)]
        assert resumed.findings == whole
        assert rest == [f for f in whole if f not in diagnose(lines[:cut], TOTAL)]


HEALTHY: dict[str, list[Line]] = {
    "health": run_of(),
    "no probes, no evaluations": [tick(at) for at in range(1000, TOTAL, 1000)],
    "nothing": [],
    "a discriminator far ahead while variety grows": run_of(
        probe_at=lambda at: probe(at, told_apart=1.0, separation=14.0, diversity=at / TOTAL)
    ),
    "far ahead for a moment": run_of(
        probe_at=lambda at: probe(at, told_apart=1.0, separation=12.0 if at < 35_000 else 5.0)
    ),
    "told apart without fail, by little": run_of(
        probe_at=lambda at: probe(at, told_apart=1.0, separation=7.0)
    ),
    "fooled at times": run_of(
        probe_at=lambda at: probe(at, told_apart=0.2 if at % 40_000 else 0.8)
    ),
    "nearly remembered": run_of(probe_at=lambda at: probe(at, remembered=0.65, overfitting=0.45)),
    "a large ratio because little is told apart": run_of(
        probe_at=lambda at: probe(at, told_apart=0.6, remembered=0.55, overfitting=1.2)
    ),
    "less varied than once, still varied": run_of(
        probe_at=lambda at: probe(at, diversity=1.6 if at < 60_000 else 0.7)
    ),
    "less varied in one probe": run_of(
        probe_at=lambda at: probe(at, diversity=0.2 if at == 120_000 else 0.9)
    ),
    "late to vary": run_of(probe_at=lambda at: probe(at, diversity=0.2 * (at / TOTAL) ** 3)),
    "checkered while it begins": run_of(
        probe_at=lambda at: probe(at, checkered=200.0 if at < 40_000 else 3.0)
    ),
    "faces that come late, while FD falls": run_of(
        probe_at=lambda at: probe(at, faces=0.0 if at < 0.8 * TOTAL else 0.3, faces_real=0.97)
    ),
    "no faces where real pictures show none": run_of(
        probe_at=lambda at: probe(at, faces=0.0, faces_real=0.2)
    ),
    "variety that comes as fast as it must": run_of(
        probe_at=lambda at: probe(at, diversity=0.02 + 0.2 * at / TOTAL)
    ),
    "hinge on its way": run_of(
        probe_at=lambda at: probe(at, diversity=0.03 + 0.06 * (at / TOTAL) ** 2)
    ),
    "spikes": run_of(
        lambda at: tick(at, discriminator__gradient_norm=4e3 if at % 7000 < 2000 else 30.0)
    ),
    "one line that is far off": run_of(
        lambda at: tick(at, generator__adversarial=1e6 if at == 150_000 else 4.0)
    ),
    "a critic whose scores drift": run_of(lambda at: tick(at, generator__adversarial=at / 1000)),
    "a loss that was nearly zero": run_of(
        lambda at: tick(at, discriminator__adversarial=1e-9 if at < 150_000 else 2.0)
    ),
    "FD that swings early, and recovers": run_of(
        fd_at=lambda at: 140 if 40_000 < at < 70_000 else 100 - 60 * at / TOTAL
    ),
    "FD that loses half of what it gained": run_of(
        fd_at=lambda at: 100 - 60 * at / TOTAL if at < 120_000 else 78.0
    ),
    "FD that only noise moves, at the end": run_of(
        fd_at=lambda at: 100 - 60 * min(at / TOTAL, 0.75)
    ),
}


@pytest.mark.parametrize("case", HEALTHY)
def test_of_healthy_runs_nothing_is_said(case: str) -> None:
    assert diagnose(HEALTHY[case], TOTAL) == []


def test_evaluations_under_other_conditions_are_not_compared() -> None:
    def mixed(**changed: Any) -> list[Line]:
        """A good FD once, then twice as much: of a different kind where something differs."""
        first = [evaluation(at, 50.0, **changed) for at in range(10_000, 60_000, 10_000)]
        then = [evaluation(at, 200.0 - at / 2000) for at in range(60_000, TOTAL, 10_000)]
        return [*first, *then]

    assert kinds(diagnose(mixed(), TOTAL)) == ["divergence"]
    for changed in ({"n_fake": 500}, {"seed": 1}, {"dataset_fingerprint": "x"}):
        assert diagnose(mixed(**changed), TOTAL) == []
    assert diagnose(mixed(training=False), TOTAL) == []
    other = mixed()
    for line in other[:5]:
        line["evaluation"]["features"][0]["extractor"] = "inception"
    assert diagnose(other, TOTAL) == []


def test_networks_that_are_held_still_are_not_blamed() -> None:
    """In a stage where one learns alone, that it gets ahead is what was asked for."""
    for case, held in {"saturation": "generator", "imbalance": "discriminator"}.items():
        _, lines = SICK[case]
        without = [{k: v for k, v in line.items() if k != f"{held}/lr"} for line in lines]
        assert diagnose(without, TOTAL) == []


def test_plateau_needs_budget_that_is_left() -> None:
    def flat_after(share: float) -> list[Line]:
        return run_of(fd_at=lambda at: 100 - 60 * min(at / TOTAL, share))

    (found,) = diagnose(flat_after(0.4), TOTAL)
    assert found.kind == "plateau"
    assert found.images_seen < 0.8 * TOTAL
    assert diagnose(flat_after(0.7), TOTAL) == []
    late = [evaluation(at, 76.0) for at in (100_000, 190_000, 199_000)]
    assert diagnose(late, TOTAL) == []


@pytest.mark.parametrize("case", ["saturation", "imbalance", "overfitting", "divergence of FD"])
def test_what_lasts_for_a_moment_of_a_long_run_is_not_believed(case: str) -> None:
    """However often it was looked at in that moment."""
    kind, lines = SICK[case]
    assert kind in kinds(diagnose(lines, TOTAL))
    assert kind not in kinds(diagnose(lines, 100 * TOTAL))


def test_settings_that_help_exist() -> None:
    """Every setting with a value is accepted, and every other one is a recipe's."""
    journals = [lines for _, lines in SICK.values()]
    for lines in list(journals):
        for changed in ({"generator/lr": 0.0}, {"discriminator/penalty": 0.1}):
            journals.append([line | changed if "stage" in line else line for line in lines])
    recipes = [Recipe.load("dcgan"), Recipe.load("gan")]
    recipes += [
        r.override(f"method.penalty.kind={k}") for r in recipes for k in ("r1", "gradient_penalty")
    ]
    known = {path for recipe in recipes for path in paths(recipe.values())}
    texts = {finding.helps for lines in journals for finding in diagnose(lines, TOTAL)}
    assert len(texts) > len(SICK) // 2
    used = set()
    sections = "method|training|stages|generator|discriminator"
    for text in texts:
        for setting in re.findall(r"`([^`]+=[^`]+)`", text):
            recipes[0].override(setting)
            used.add(setting.split("=")[0])
        for name in re.findall(rf"\b(?:{sections})\.[\w.*]+", text):
            assert name.rstrip(".").replace("stages.*", "stages.0") in known
    assert {"stages.*.generator.lr", "stages.*.discriminator.lr", "training.budget"} <= used


def recipe_of(*changes: str, name: str = "dcgan") -> Recipe:
    return Recipe.load(name).override(*changes)


def test_minimax_is_named_apart_from_the_loss_that_helps() -> None:
    """It saturates where other losses do not yet, and the way out is the other loss."""
    won = run_of(probe_at=lambda at: probe(at, told_apart=0.995, separation=6.5, diversity=0.07))
    (found,) = diagnose(won, TOTAL, recipe_of("method.loss=minimax"))
    assert found.kind == "saturation"
    assert "minimax" in found.said
    assert "method.loss=non_saturating" in found.helps
    others = diagnose(won, TOTAL, recipe_of())
    assert "saturation" not in kinds(others)
    _, sure = SICK["saturation"]
    (found,) = diagnose(sure, TOTAL, recipe_of())
    assert "minimax" not in found.said
    assert "non_saturating" not in found.helps


def test_nobody_is_advised_to_do_what_he_does() -> None:
    mlp, dcgan = recipe_of(name="gan"), recipe_of("method.loss=relativistic")
    _, alike = SICK["always alike"]
    (by_mlp,), (by_dcgan,) = (diagnose(alike, TOTAL, recipe) for recipe in (mlp, dcgan))
    assert "recipe dcgan" in by_mlp.helps
    assert "relativistic" in by_mlp.helps
    assert "recipe dcgan" not in by_dcgan.helps
    assert "relativistic" not in by_dcgan.helps
    penalised = recipe_of("method.penalty.kind=r1")
    for _, lines in SICK.values():
        for finding in diagnose(lines, TOTAL, penalised):
            assert "method.penalty.kind=r1" not in finding.helps


def test_calm_words_are_for_what_was_measured() -> None:
    well = standing(run_of())
    assert well.doubts == ()
    assert any("no collapse (variety 90 %" in word for word in well.calm)
    assert any("no divergence" in word for word in well.calm)
    assert standing([tick(1000)]) == Standing((), ())
    alike = standing(run_of(probe_at=lambda at: probe(at, diversity=0.01)))
    assert not any("no collapse" in word for word in alike.calm)
    assert "1 %" in alike.doubts[0]
    rising = standing([evaluation(1000, 50.0), evaluation(2000, 60.0), probe(2000)])
    assert not any("divergence" in word for word in rising.calm)
    assert any("FD was 50" in doubt for doubt in rising.doubts)
    faceless = standing([probe(2000, faces=0.1, faces_real=0.9)])
    assert any("10 %" in doubt and "90 %" in doubt for doubt in faceless.doubts)
    # Only equal conditions are compared.
    assert standing([evaluation(1000, 50.0), evaluation(2000, 60.0, n_fake=500)]).doubts == ()


def paths(values: Any, path: str = "") -> set[str]:
    inside = values.items() if isinstance(values, dict) else ()
    if isinstance(values, list | tuple):
        inside = ((str(i), value) for i, value in enumerate(values))
    found = {path}
    for key, value in inside:
        found |= paths(value, f"{path}.{key}" if path else key)
    return found


NAMES = [
    *("images_seen", "stage", "evaluation", "training", "features", "scores", "fd"),
    *("generated", "value", "low", "high", "discriminator/penalty"),
    *(f"{player}/{what}" for player in PLAYERS for what in ("lr", "adversarial", "gradient_norm")),
    *(f"probe/{what}" for what in ("told_apart", "separation", "remembered", "overfitting")),
    "probe/diversity",
]
SCALARS = (
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers()
    | st.integers(0, 200)
    | st.floats(-2, 2)
    | st.sampled_from([10**400, -1e308, 1e308, 1e-320])
    | st.text(max_size=3)
)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=2), inner, max_size=4)
    ),
    max_leaves=8,
)
LINES = st.fixed_dictionaries(
    {"images_seen": st.integers(0, 200) | SCALARS},
    optional=dict.fromkeys(NAMES[1:], SCALARS | JSON),
)


@settings(max_examples=150, deadline=None)
@given(lines=st.lists(LINES, max_size=40), total=st.integers(0, 300))
def test_no_journal_breaks_it(lines: list[Line], total: int) -> None:
    found = diagnose(lines, total)
    assert len(set(kinds(found))) == len(found)
    diagnosis = Diagnosis(total, lines[:3])
    for line in lines[3:]:
        diagnosis.add(line)
    assert diagnosis.findings == found


# --- runs as they are ----------------------------------------------------------------------


@pytest.fixture
def journal_of(tiny: Make, trainer_of: Make) -> Callable[..., tuple[list[Line], int]]:
    """`journal_of(dataset, name, steps, *settings)`: trains, with 60 ticks and 20 probes."""
    from facegan.training.batch_source import BatchSource, value_range_of
    from facegan.training.step import Trainer

    def make(path: Path, name: str, steps: int, *changed: str) -> tuple[list[Line], int]:
        recipe = tiny(name, *changed)
        dataset, pixels = Dataset.open(path), value_range_of(recipe, Dataset.open(path).card)
        execution = trainer_of(recipe).execution
        state = TrainingState(recipe, dataset.spec, execution)
        batch_source = BatchSource.of(recipe, dataset, execution)
        trainer = Trainer(recipe, state, batch_source, execution, steps * recipe.training.batch)
        look = Probe(dataset, dataset.spec, pixels, execution)
        ticks, probes = Boundaries(60, trainer.total), Boundaries(20, trainer.total)
        lines: list[Line] = []
        while state.images_seen < trainer.total:
            before = state.images_seen
            values = trainer.step()
            here = {"images_seen": state.images_seen}
            if ticks.crossed(before, state.images_seen):
                rates = {k: v for k, v in values.items() if k.endswith("/lr")}
                lines.append(here | rates | state.sums.take())
            if probes.crossed(before, state.images_seen):
                grid = np.concatenate(list(pictures(state.average, pixels, range(64))))
                lines.append(here | look.measure(state, grid))
        return lines, trainer.total

    return make


@pytest.fixture(scope="module")
def blobs(make_dataset: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("diagnosis") / "blobs", n=240)


FAST = "stages.*.*.lr=2e-3"
CRITIC = (
    "discriminator.channels=8",
    "method.loss=wasserstein",
    "method.penalty.kind=gradient_penalty",
    "training.ema_rampup=0.01",
)
BROKEN_LATE = """stages=[
  { share=3.0, discriminator={kind='adam', lr=2e-3}, generator={kind='adam', lr=2e-3} },
  { share=2.0, discriminator={kind='adam', lr=2e-3}, generator={kind='sgd', lr=100.0} },
]""".replace("\n", "")

# What is broken → (kind of trouble, recipe, steps, settings).
BROKEN: dict[str, tuple[str, str, int, tuple[str, ...]]] = {
    "a generator that stands still": (
        "saturation",
        "dcgan",
        110,
        ("training.batch=64", "stages.*.generator.lr=0.0", "stages.*.discriminator.lr=2e-3"),
    ),
    "a discriminator that stands still": (
        "imbalance",
        "dcgan",
        60,
        ("stages.*.generator.lr=2e-3", "stages.*.discriminator.lr=0.0"),
    ),
    "absurd rates, fully connected": ("divergence", "tanh-gan", 60, ("stages.*.*.lr=10.0",)),
    "absurd rates, convolutional": ("divergence", "dcgan", 60, ("stages.*.*.lr=10.0",)),
    "a generator thrown far away": ("collapse", "dcgan", 150, (*CRITIC, BROKEN_LATE)),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_trainings(journal_of: Make, blobs: Path, case: str) -> None:
    kind, name, steps, changed = BROKEN[case]
    lines, total = journal_of(blobs, name, steps, *changed)
    found = diagnose(lines, total)
    assert kind in kinds(found)
    assert len(set(kinds(found))) == len(found)


def test_eight_pictures_are_learned_by_heart(
    journal_of: Make, make_dataset: Make, tmp_path: Path
) -> None:
    from facegan.data.writer import DatasetWriter

    source = Dataset.open(make_dataset(tmp_path / "source", n=48))
    names = [str(i) for i in range(48)]
    splits = ["train"] * 8 + ["holdout"] * 40
    with DatasetWriter(tmp_path / "few", resolution=32, channels=3) as writer:
        writer.add(np.array(source.images), names, names, splits, names)
        writer.finish({"name": "few", "source": "drawn by the tests", "licence": "CC0-1.0"})
    lines, total = journal_of(tmp_path / "few", "dcgan", 300, FAST, "discriminator.channels=8")
    assert "overfitting" in kinds(diagnose(lines, total))


@pytest.mark.parametrize("changed", [(FAST,), (FAST, *CRITIC)], ids=["dcgan", "critic"])
def test_trainings_that_work(journal_of: Make, blobs: Path, changed: tuple[str, ...]) -> None:
    lines, total = journal_of(blobs, "dcgan", 120, *changed)
    assert diagnose(lines, total) == []
