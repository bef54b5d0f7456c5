"""Beginning from a trained model: what is taken over, what is written down, and going on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from facegan.apps.train import train
from facegan.errors import RunError
from facegan.files import sha256
from facegan.runs.checkpoint import latest
from facegan.runs.directory import RunDirectory

Make = Callable[..., Any]

NETWORKS = ("generator", "discriminator", "average")
WIDER = "discriminator.hidden=[12, 9]"
# Nothing learns, so that what a run began with is what it ends with.
STILL = "stages.*.*.lr=0.0"


@pytest.fixture(scope="module")
def source(
    tiny: Make, watcher: Any, other_dataset_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A trained run."""
    run = tmp_path_factory.mktemp("source") / "run"
    recipe = tiny("gan", "training.seed=9", "training.snapshots=1")
    train(recipe, other_dataset_path, run, reporter=watcher())
    return run


def state_of(run: Path) -> dict[str, Tensor]:
    found = latest(run / "checkpoints")
    assert found is not None
    return found.tensors()


def networks_of(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key: value for key, value in tensors.items() if key.split(".")[0] in NETWORKS}


def warm_of(run: Path) -> dict[str, Any]:
    return RunDirectory(run).provenance()["warm_start"]


def test_a_run_gives_all_three_networks(
    tiny: Make, watcher: Any, dataset_path: Path, tmp_path: Path, source: Path
) -> None:
    recipe, watch = tiny("gan", STILL, "training.ema_rampup=1e-9"), watcher()
    train(recipe, dataset_path, tmp_path / "run", start_from=source, reporter=watch)
    given, found = networks_of(state_of(source)), networks_of(state_of(tmp_path / "run"))
    assert given.keys() == found.keys()
    of_players = [key for key in given if not key.startswith("average.")]
    assert all(torch.equal(given[key], found[key]) for key in of_players)
    said = [f"From {source}: {name}: 6 of 6 tensors." for name in NETWORKS]
    assert [line for line in watch.said if line.startswith("From")] == said
    about = warm_of(tmp_path / "run")
    assert about["source"] == str(source)
    last = latest(source / "checkpoints")
    assert last is not None
    assert about["sha256"] == sha256(last.path / "state.safetensors")
    assert about["taken"] == dict.fromkeys(NETWORKS, 6)
    assert about["left"] == {name: [] for name in NETWORKS}


def test_what_the_run_begins_with_is_kept_before_its_first_step(
    tiny: Make, watcher: Any, dataset_path: Path, tmp_path: Path, source: Path
) -> None:
    """The averaged generator too, which the first step would replace."""
    stopped = watcher(stop_at=8)
    train(tiny("gan"), dataset_path, tmp_path / "run", start_from=source, reporter=stopped)
    first = tmp_path / "run" / "checkpoints" / "000000.000k"
    found, given = load_file(first / "state.safetensors"), networks_of(state_of(source))
    assert networks_of(found).keys() == given.keys()
    assert all(torch.equal(given[key], found[key]) for key in given)
    average = load_file(first / "generator.safetensors")
    assert all(torch.equal(given[f"average.{key}"], average[key]) for key in average)


def test_a_generator_file_gives_the_generator_and_its_average(
    tiny: Make, watcher: Any, dataset_path: Path, tmp_path: Path, source: Path
) -> None:
    file = next((source / "checkpoints").glob("*/generator.safetensors"))
    cold = watcher(stop_at=8)
    train(tiny("gan", STILL), dataset_path, tmp_path / "cold", reporter=cold)
    warm = watcher(stop_at=8)
    train(tiny("gan", STILL), dataset_path, tmp_path / "warm", start_from=file, reporter=warm)
    given, begun = load_file(file), state_of(tmp_path / "warm")
    untouched = state_of(tmp_path / "cold")
    for key, value in given.items():
        assert torch.equal(begun[f"generator.{key}"], value)
        torch.testing.assert_close(begun[f"average.{key}"], value)
    own = [key for key in begun if key.startswith("discriminator.")]
    assert own
    assert all(torch.equal(begun[key], untouched[key]) for key in own)
    about = warm_of(tmp_path / "warm")
    assert about["taken"] == {"generator": 6, "average": 6}
    assert about["sha256"] == sha256(file)
    assert not any(": discriminator: " in line for line in warm.said)
    # A generator alone is a poorer start, and that is said.
    assert any("no discriminator beside it" in line for line in warm.said)


def test_what_has_another_width_begins_as_the_seed_decides(
    tiny: Make, watcher: Any, dataset_path: Path, tmp_path: Path, source: Path
) -> None:
    recipe, watch = tiny("gan", WIDER, STILL), watcher(stop_at=8)
    train(recipe, dataset_path, tmp_path / "cold", reporter=watcher(stop_at=8))
    train(recipe, dataset_path, tmp_path / "warm", start_from=source, reporter=watch)
    given, begun = state_of(source), state_of(tmp_path / "warm")
    untouched = state_of(tmp_path / "cold")
    left = ["layers.2.weight", "layers.2.bias", "heads.logit.weight"]
    assert warm_of(tmp_path / "warm")["left"]["discriminator"] == left
    assert warm_of(tmp_path / "warm")["taken"]["discriminator"] == 3
    for key in begun:
        player, _, name = key.partition(".")
        if player == "discriminator":
            expected = untouched if name in left else given
            assert torch.equal(begun[key], expected[key]), key
    assert f"From {source}: discriminator: 3 of 6 tensors; not {', '.join(left)}." in watch.said


def test_labels_of_the_old_data_do_not_come_along(
    tiny: Make, watcher: Any, labelled_dataset_path: Path, tmp_path: Path
) -> None:
    """What a generator draws its labels from belongs to the new dataset; its network does not."""
    old, new = (tiny("gan", f"data.labels=['{name}']", STILL) for name in ("warm", "light"))
    train(old, labelled_dataset_path, tmp_path / "old", reporter=watcher())
    train(new, labelled_dataset_path, tmp_path / "cold", reporter=watcher(stop_at=8))
    watch = watcher(stop_at=8)
    train(new, labelled_dataset_path, tmp_path / "new", start_from=tmp_path / "old", reporter=watch)
    before, cold, found = (state_of(tmp_path / name) for name in ("old", "cold", "new"))
    for player in ("generator", "average"):
        key = f"{player}.label_rows"
        torch.testing.assert_close(found[key], cold[key], rtol=0, atol=0, equal_nan=True)
    key = "generator.labels.dense.weight"
    assert torch.equal(found[key], before[key])
    assert not any("label_rows" in str(part) for part in warm_of(tmp_path / "new").values())


def test_a_model_without_labels_helps_one_with_them(
    tiny: Make, watcher: Any, labelled_dataset_path: Path, tmp_path: Path, source: Path
) -> None:
    recipe = tiny("gan", "data.labels=all")
    run = tmp_path / "run"
    train(recipe, labelled_dataset_path, run, start_from=source, reporter=watcher(stop_at=8))
    about = warm_of(run)
    assert about["taken"] == {"generator": 5, "discriminator": 6, "average": 5}
    left = ["labels.dense.weight", "labels.dense.bias", "layers.0.weight"]
    assert about["left"]["generator"] == left


@pytest.mark.parametrize("name", ["dcgan", "sngan"])
def test_where_nothing_fits_it_is_said(
    tiny: Make, watcher: Any, dataset_path: Path, tmp_path: Path, source: Path, name: str
) -> None:
    """A bias of one number fits everywhere, and would make a warm start of nothing."""
    with pytest.raises(RunError, match=r"Nothing in .* fits") as caught:
        train(tiny(name), dataset_path, tmp_path / "run", start_from=source, reporter=watcher())
    assert "same kind of network" in caught.value.hint
    assert not (tmp_path / "run").exists()


def test_counters_alone_are_no_fit(
    tiny: Make, watcher: Any, dataset_path: Path, tmp_path: Path
) -> None:
    """Batch norm's counters, and the colours' biases, are of the same shape at any width."""
    train(tiny("dcgan"), dataset_path, tmp_path / "narrow", reporter=watcher(stop_at=8))
    channels = ("generator.channels=6", "discriminator.channels=6")
    wide = tiny("dcgan", *channels, "generator.latent.size=7")
    with pytest.raises(RunError, match="Nothing in"):
        train(
            wide,
            dataset_path,
            tmp_path / "wide",
            start_from=tmp_path / "narrow",
            reporter=watcher(),
        )


def test_sources_that_are_none(
    tiny: Make, watcher: Any, dataset_path: Path, tmp_path: Path, source: Path
) -> None:
    noise = tmp_path / "noise.safetensors"
    noise.write_bytes(b"not a model")
    (tmp_path / "empty").mkdir()
    unsaved = tmp_path / "unsaved"
    shutil.copytree(source, unsaved)
    shutil.rmtree(unsaved / "checkpoints")
    refused = {
        noise: "not a readable safetensors file",
        tmp_path / "missing": "not a readable safetensors file",
        tmp_path / "empty": "is not a run",
        unsaved: "no whole checkpoint",
    }
    for path, said in refused.items():
        with pytest.raises(RunError, match=said) as caught:
            train(tiny("gan"), dataset_path, tmp_path / "run", start_from=path, reporter=watcher())
        assert str(path) in caught.value.message
        assert caught.value.hint
        assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("again", [True, False], ids=["with --from", "without"])
def test_going_on_is_the_same_as_never_stopping(
    tiny: Make,
    watcher: Any,
    bytes_of: Make,
    dataset_path: Path,
    tmp_path: Path,
    source: Path,
    again: bool,
) -> None:
    """Whether --from is given again or not, and whether the source is still there or not."""
    recipe, copy = tiny("gan", WIDER, "training.snapshots=1"), tmp_path / "copy"
    train(recipe, dataset_path, tmp_path / "whole", start_from=source, reporter=watcher())
    shutil.copytree(source, copy)
    parts = tmp_path / "parts"
    train(recipe, dataset_path, parts, start_from=copy, reporter=watcher(stop_at=56))
    shutil.rmtree(copy)
    before = RunDirectory(parts).provenance()
    for stop_at in (104, None):
        start_from = copy if again else None
        train(recipe, dataset_path, parts, start_from=start_from, reporter=watcher(stop_at))
    assert RunDirectory(parts).provenance() == before
    assert bytes_of(parts) == bytes_of(tmp_path / "whole")


def test_a_run_that_began_cold_cannot_become_warm(
    tiny: Make, watcher: Any, dataset_path: Path, tmp_path: Path, source: Path
) -> None:
    run = tmp_path / "run"
    train(tiny("gan"), dataset_path, run, reporter=watcher(stop_at=8))
    assert "warm_start" not in RunDirectory(run).provenance()
    with pytest.raises(RunError, match="begun without `start_from`") as caught:
        train(tiny("gan"), dataset_path, run, start_from=source, reporter=watcher())
    assert "Leave `start_from` out" in caught.value.hint


class Killed(BaseException):
    """What kill -9 is to the code: nothing that comes after it happens."""


@pytest.fixture
def half_begun(
    tiny: Make,
    watcher: Any,
    dataset_path: Path,
    tmp_path: Path,
    source: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """A folder in which a warm-started run was killed after its first checkpoint, not begun."""

    def kill(*about: Any) -> None:
        raise Killed

    run = tmp_path / "half"
    with monkeypatch.context() as patch:
        patch.setattr(RunDirectory, "begin", kill)
        with pytest.raises(Killed):
            train(tiny("gan"), dataset_path, run, start_from=source, reporter=watcher())
    assert [path.name for path in (run / "checkpoints").iterdir()] == ["000000.000k"]
    assert not RunDirectory(run).started
    return run


def test_killed_before_it_began_it_begins_again(
    tiny: Make,
    watcher: Any,
    bytes_of: Make,
    dataset_path: Path,
    tmp_path: Path,
    source: Path,
    half_begun: Path,
) -> None:
    train(tiny("gan"), dataset_path, half_begun, start_from=source, reporter=watcher())
    train(tiny("gan"), dataset_path, tmp_path / "whole", start_from=source, reporter=watcher())
    assert bytes_of(half_begun) == bytes_of(tmp_path / "whole")


def test_a_cold_run_never_goes_on_from_the_warm_one_before_it(
    tiny: Make,
    watcher: Any,
    bytes_of: Make,
    dataset_path: Path,
    tmp_path: Path,
    half_begun: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Begun without --from in the same folder, and killed before its first own checkpoint."""

    def kill(*about: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("facegan.training.loop.Loop._save", kill)
        with pytest.raises(Killed):
            train(tiny("gan"), dataset_path, half_begun, reporter=watcher())
    assert RunDirectory(half_begun).started
    train(tiny("gan"), dataset_path, half_begun, reporter=watcher())
    train(tiny("gan"), dataset_path, tmp_path / "cold", reporter=watcher())
    assert bytes_of(half_begun) == bytes_of(tmp_path / "cold")
