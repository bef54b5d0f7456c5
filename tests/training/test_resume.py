"""Train 2N steps ≡ train N, stop or die, go on: the same bytes in weights and journal."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from facegan.apps.train import train
from facegan.errors import RunError
from facegan.recipe import recipe_names
from facegan.runs.checkpoint import latest

Make = Callable[..., Any]
STAGES = """stages=[
  { share=1.0, discriminator={kind='rmsprop', lr=1e-3}, generator={kind='adam', lr=1e-3} },
  { share=1.0, discriminator={kind='adam', lr=1e-3}, generator={kind='adam', lr=5e-4} },
  { share=1.0, train=['generator'],
    generator={kind='adam', lr={kind='cosine', start=1e-3, end=0.0}} },
]""".replace("\n", "")

DIFFERENCE = "estimate={kind='finite_difference'}"

# Name → recipe and settings. All are stopped in the middle of a tick and of a stage.
CASES: dict[str, tuple[str, ...]] = {name: (name,) for name in recipe_names()}
CASES |= {
    "mlp-sgd": ("gan", "stages.*.*={kind='sgd', lr=0.05, momentum=0.9}"),
    "mlp-rmsprop": ("gan", "stages.*.*={kind='rmsprop', lr=1e-3}"),
    "mlp-critic": ("gan", "method.n_critic=2", "method.penalty.kind=gradient_penalty"),
    "mlp-standard": ("gan", "data.range=standard", "method.loss=relativistic"),
    "dcgan-sgd": ("dcgan", "stages.*.*={kind='sgd', lr=0.01, momentum=0.9}"),
    "dcgan-r1": ("dcgan", "method.penalty.kind=r1"),
    "dcgan-gp": ("dcgan", "method.penalty.kind=gradient_penalty", "method.loss=hinge"),
    "dcgan-lazy": ("dcgan", f"method.penalty={{kind='r1', every=3, {DIFFERENCE}}}"),
    "mlp-lazy-critic": (
        "gan",
        "method.n_critic=2",
        "method.loss=relativistic_average",
        f"method.penalty={{kind='gradient_penalty', every=5, {DIFFERENCE}}}",
    ),
    "mlp-burn-in": (
        "gan",
        "method.loss=relativistic",
        "method.penalty={kind='r1r2', gamma={kind='cosine', start=2, end=0.2, finish=0.6}}",
        "stages.*.*.betas=[0, {kind='cosine', start=0.9, end=0.99, finish=0.6}]",
        "training.ema_half_life={kind='cosine', start=0, end=0.1, finish=0.6}",
        "training.ema_rampup=1",
    ),
    "mlp-remembers": (
        "gan",
        "method.n_critic=2",
        "method.regularisers=[{kind='lecam'}, {kind='consistency'}, {kind='path_length', every=3}]",
    ),
    "dcgan-critic": ("dcgan", "method.n_critic=2"),
    "dcgan-bf16": ("dcgan", "training.precision=bf16"),
    "dcgan-stages": ("dcgan", STAGES),
    "mlp-stages": ("gan", STAGES),
    "ignm-levers": (
        "ignm-cpu",
        "generator.modulate=all",
        "generator.mapping=2",
        "generator.noise=true",
        "discriminator.refine=4",
        "discriminator.highpass=4",
        "discriminator.heads.direction=true",
        "method.loss=hinge",
        "data.mirror=true",
        "augment.paired=true",
    ),
    "ignm-weight": (
        "ignm-cpu",
        "discriminator.norm=weight",
        f"method.penalty={{kind='r1', at='plain', share=0.25, {DIFFERENCE}}}",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_stopping_changes_nothing(
    tiny: Make, watcher: Any, bytes_of: Make, dataset_path: Path, tmp_path: Path, case: str
) -> None:
    name, *settings = CASES[case]
    recipe = tiny(name, *settings)
    whole = train(recipe, dataset_path, tmp_path / "whole", reporter=watcher())
    assert (whole.finished, whole.images_seen, whole.stopped_by) == (True, 192, None)
    for stop_at in (48, 80, 136):
        part = train(recipe, dataset_path, tmp_path / "parts", reporter=watcher(stop_at))
        assert not part.finished
        assert part.images_seen in (stop_at, stop_at + 8)  # two iterations where n_critic is 2
        assert part.stopped_by == "SIGTERM"
    last = watcher()
    assert train(recipe, dataset_path, tmp_path / "parts", reporter=last).finished
    assert last.said == [f"Going on from {part.images_seen / 1000:g} kimg."]
    compare(bytes_of(tmp_path / "parts"), bytes_of(tmp_path / "whole"))


def compare(found: dict[str, bytes], expected: dict[str, bytes]) -> None:
    assert found["metrics.jsonl"].decode() == expected["metrics.jsonl"].decode()
    assert found.keys() == expected.keys()
    assert [name for name in expected if found[name] != expected[name]] == []


def test_each_run_of_the_same_recipe_is_the_same(
    tiny: Make, watcher: Any, bytes_of: Make, dataset_path: Path, tmp_path: Path
) -> None:
    """And another seed is another run."""
    runs = {"a": 0, "b": 0, "c": 1}
    for folder, seed in runs.items():
        recipe = tiny("dcgan", f"training.seed={seed}")
        train(recipe, dataset_path, tmp_path / folder, reporter=watcher())
    a, b, c = (bytes_of(tmp_path / folder) for folder in runs)
    compare(a, b)
    assert a["state.safetensors"] != c["state.safetensors"]
    assert a["metrics.jsonl"] != c["metrics.jsonl"]


def test_ticks_and_snapshots_change_nothing_that_is_computed(
    tiny: Make, watcher: Any, bytes_of: Make, dataset_path: Path, tmp_path: Path
) -> None:
    states = []
    for i, (ticks, snapshots) in enumerate([(1, 1), (24, 12)]):
        recipe = tiny("dcgan", f"training.ticks={ticks}", f"training.snapshots={snapshots}")
        train(recipe, dataset_path, tmp_path / str(i), reporter=watcher())
        states.append(bytes_of(tmp_path / str(i))["state.safetensors"])
    assert states[0] == states[1]


def test_a_finished_run_is_left_as_it_is(
    tiny: Make, watcher: Any, bytes_of: Make, dataset_path: Path, tmp_path: Path
) -> None:
    recipe = tiny("gan")
    train(recipe, dataset_path, tmp_path / "run", reporter=watcher())
    before = bytes_of(tmp_path / "run")
    watch = watcher()
    outcome = train(recipe, dataset_path, tmp_path / "run", reporter=watch)
    assert outcome.finished
    assert watch.steps == []
    compare(bytes_of(tmp_path / "run"), before)


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


DAMAGE: dict[str, Callable[[Path], None]] = {
    "a flipped bit in the state": lambda c: flip(c / "state.safetensors"),
    "a flipped bit in the generator": lambda c: flip(c / "generator.safetensors"),
    "a truncated state": lambda c: cut(c / "state.safetensors"),
    "no state": lambda c: (c / "state.safetensors").unlink(),
    "no generator": lambda c: (c / "generator.safetensors").unlink(),
    "no manifest": lambda c: (c / "manifest.json").unlink(),
    "half a manifest": lambda c: cut(c / "manifest.json"),
    "an empty manifest": lambda c: (c / "manifest.json").write_text("{}"),
    "a manifest that is a list": lambda c: (c / "manifest.json").write_text("[]"),
}


@pytest.fixture(scope="module")
def stopped(
    tiny: Make,
    watcher: Any,
    bytes_of: Make,
    dataset_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Any, Path, dict[str, bytes]]:
    """A recipe, a run of it with two checkpoints stopped at 144, and how it should end."""
    folder = tmp_path_factory.mktemp("stopped")
    recipe = tiny("gan")
    train(recipe, dataset_path, folder / "whole", reporter=watcher())
    train(recipe, dataset_path, folder / "run", reporter=watcher(144))
    return recipe, folder / "run", bytes_of(folder / "whole")


@pytest.mark.parametrize("damage", DAMAGE)
def test_of_a_damaged_checkpoint_the_one_before_is_used_and_said(
    stopped: tuple[Any, Path, dict[str, bytes]],
    watcher: Any,
    bytes_of: Make,
    dataset_path: Path,
    tmp_path: Path,
    damage: str,
) -> None:
    recipe, original, expected = stopped
    run = tmp_path / "run"
    shutil.copytree(original, run)
    before, newest = sorted((run / "checkpoints").iterdir())
    assert (before.name, newest.name) == ("000000.128k", "000000.144k")
    DAMAGE[damage](newest)
    watch = watcher()
    assert train(recipe, dataset_path, run, reporter=watch).finished
    assert "000000.144k is damaged" in watch.said[0]
    assert watch.said[1] == "Going on from 0.128 kimg."
    assert watch.steps[0][0] == 136
    compare(bytes_of(run), expected)


def test_without_any_whole_checkpoint_nothing_is_thrown_away(
    stopped: tuple[Any, Path, dict[str, bytes]], watcher: Any, dataset_path: Path, tmp_path: Path
) -> None:
    """Beginning again by itself would overwrite the journal and the samples of the lost run."""
    recipe, original, _ = stopped
    run = tmp_path / "run"
    shutil.copytree(original, run)
    for checkpoint in (run / "checkpoints").iterdir():
        flip(checkpoint / "state.safetensors")
    before = (run / "metrics.jsonl").read_bytes()
    with pytest.raises(RunError, match="Every checkpoint"):
        train(recipe, dataset_path, run, reporter=watcher())
    assert (run / "metrics.jsonl").read_bytes() == before


def test_a_damaged_checkpoint_does_not_push_out_a_good_one(
    stopped: tuple[Any, Path, dict[str, bytes]], watcher: Any, dataset_path: Path, tmp_path: Path
) -> None:
    """Two good ones are kept, as a second chance; a damaged newer one is not one of them."""
    recipe, original, _ = stopped
    run = tmp_path / "run"
    shutil.copytree(original, run)
    newest = run / "checkpoints" / "000000.144k"
    flip(newest / "state.safetensors")
    train(recipe, dataset_path, run, reporter=watcher(stop_at=136))
    found = sorted(p.name for p in (run / "checkpoints").iterdir())
    assert found == ["000000.128k", "000000.136k"]


KILLER = Path(__file__).with_name("kill_and_go_on.py")


@pytest.mark.parametrize("name", ["gan", "dcgan"])
def test_killed_at_random_moments(
    tiny: Make, bytes_of: Make, dataset_path: Path, tmp_path: Path, name: str
) -> None:
    recipe = tmp_path / "recipe.toml"
    many = ("training.budget=400img", "training.ticks=25", "training.snapshots=10")
    recipe.write_text(tiny(name, *many).to_toml(), "utf-8")
    done = subprocess.run(
        [sys.executable, str(KILLER), str(recipe), str(dataset_path), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    kills = json.loads(done.stdout)
    assert len(kills) >= 2, "the runs were over before they were killed"
    compare(bytes_of(tmp_path / "killed"), bytes_of(tmp_path / "whole"))
    assert not list(tmp_path.rglob("*.part"))
    assert latest(tmp_path / "killed" / "checkpoints").images_seen == 400


def test_journals_of_a_resumed_run_can_be_joined(
    stopped: tuple[Any, Path, dict[str, bytes]], watcher: Any, dataset_path: Path, tmp_path: Path
) -> None:
    """timing.jsonl has the same keys as the ticks in metrics.jsonl; its seconds never go back."""
    recipe, original, _ = stopped
    run = tmp_path / "run"
    shutil.copytree(original, run)
    train(recipe, dataset_path, run, reporter=watcher())
    metrics, timing = (
        [json.loads(line) for line in (run / f"{name}.jsonl").read_text().splitlines()]
        for name in ("metrics", "timing")
    )
    ticks = [line["images_seen"] for line in metrics if "stage" in line]
    assert ticks == [t["images_seen"] for t in timing]
    seconds = [t["seconds"] for t in timing]
    assert all(a < b for a, b in itertools.pairwise([0.0, *seconds]))
