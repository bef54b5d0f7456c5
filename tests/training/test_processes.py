"""Two gloo processes with half of each batch compute what one computes with the whole."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import process_cases as cases
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from facegan.data.dataset import Dataset
from facegan.device import Execution, processes
from facegan.errors import DeviceError
from facegan.training import exchange, running_means
from facegan.training.plan import check_batch

NAMES = [name for name, _ in cases.cases()]
Results = tuple[dict[str, Tensor], dict[str, Tensor]]


@pytest.fixture(scope="module")
def two(labelled_dataset_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Everything computed by two real processes, started as torchrun would."""
    target = tmp_path_factory.mktemp("processes")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    running = [
        subprocess.Popen(
            [sys.executable, cases.__file__, str(labelled_dataset_path), str(target)],
            env={**os.environ, **common, "RANK": rank, "LOCAL_RANK": rank},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in ("0", "1")
    ]
    try:
        errors = [process.communicate(timeout=600)[1] for process in running]
    finally:
        for process in running:
            process.kill()
    assert [process.returncode for process in running] == [0, 0], "\n".join(errors)
    return load_file(target / "0.safetensors"), load_file(target / "1.safetensors")


@pytest.fixture(scope="module")
def one(labelled_dataset_path: Path) -> dict[str, dict[str, Tensor]]:
    dataset, execution = Dataset.open(labelled_dataset_path), Execution(torch.device("cpu"))
    return {name: cases.trained(recipe, dataset, execution) for name, recipe in cases.cases()}


def of(results: dict[str, Tensor], case: str) -> dict[str, Tensor]:
    return {k.removeprefix(f"{case}/"): v for k, v in results.items() if k.startswith(f"{case}/")}


@pytest.mark.parametrize("name", NAMES)
def test_gradients_values_and_weights(
    two: Results, one: dict[str, dict[str, Tensor]], name: str
) -> None:
    """In float64, where the order of sums explains 1e-13 and any mistake more than 1e-4."""
    expected = one[name]
    for results in two:
        found = of(results, name)
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            if key.endswith("label_rows"):  # NaN where a label is missing
                assert same_bits(found[key], value)
            elif value.is_floating_point():
                scale = max(value.abs().max().item(), 0.1)
                torch.testing.assert_close(
                    found[key], value, rtol=1e-9, atol=1e-10 * scale, msg=lambda m, k=key: k + m
                )
            else:
                assert torch.equal(found[key], value), key
    weights = [key for key in expected if key.startswith("weight.")]
    assert any("running_var" in key for key in weights) == name.startswith("dcgan")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("player", ["discriminator", "generator"])
def test_gradients_of_runs_are_as_good_in_two_processes(
    two: Results, one: dict[str, dict[str, Tensor]], name: str, player: str
) -> None:
    """In float32, of the first step: later ones magnify rounding, by as much as the loss likes.

    Measured over all cases, held to AVX2 and with AVX512-BF16: at most 5e-6 of their length.
    """
    exact = gradient(one[name], player)
    for results in two:
        error = gradient(of(results, f"usual-{name}"), player) - exact
        assert error.norm() <= 1e-4 * exact.norm()


def gradient(found: dict[str, Tensor], player: str) -> Tensor:
    """All of a player's gradients of the first step as one vector."""
    keys = sorted(key for key in found if key.startswith(f"gradient.{player}."))
    return torch.cat([found[key].double().flatten() for key in keys])


@pytest.mark.parametrize("name", NAMES)
def test_the_processes_agree_to_the_bit(two: Results, name: str) -> None:
    """They apply the same gradient, and never exchange weights: so they must not drift."""
    for case in (name, f"usual-{name}"):
        first, second = (of(results, case) for results in two)
        assert first
        assert all(same_bits(first[key], second[key]) for key in first)


def same_bits(first: Tensor, second: Tensor) -> bool:
    return first.numpy().tobytes() == second.numpy().tobytes()


def close(found: Tensor, expected: Tensor, name: str) -> None:
    torch.testing.assert_close(
        found, expected, rtol=1e-4, atol=1e-4, msg=lambda message: f"{name}: {message}"
    )


def test_batch_norm(two: Results) -> None:
    expected = cases.normalised(Execution(torch.device("cpu")))
    parts = [of(results, "norm") for results in two]
    for key, value in expected.items():
        if key.startswith("shared."):
            for part in parts:
                close(part[key], value, key)
        else:
            close(torch.cat([part[key] for part in parts]), value, key)


def test_processes_that_train_apart_hold_the_mean_after_each_exchange(
    two: Results, labelled_dataset_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Computed here by two trainers in turn, whose states are averaged by hand."""
    first, second = (of(results, "apart") for results in two)
    assert all(same_bits(first[key], second[key]) for key in first)
    for module in (exchange, running_means):
        monkeypatch.setattr(module, "average_", lambda tensors, world: None)
    dataset, cpu = Dataset.open(labelled_dataset_path), torch.device("cpu")
    trainers = [cases.apart(dataset, Execution(cpu, rank=rank, world=2)) for rank in (0, 1)]
    for number in range(cases.STEPS):
        for trainer in trainers:
            trainer.step()
        own = [trainer.state.tensors() for trainer in trainers]
        if number == 0:
            assert not any(trainer.exchange.together for trainer in trainers)
            weights = "discriminator.layers.0.weight"
            differ = [key for key in own[0] if not torch.equal(own[0][key], own[1][key])]
            assert weights in differ
        if (number + 1) % cases.EXCHANGE == 0:
            assert all(trainer.exchange.together for trainer in trainers)
            mean = {
                key: (value + own[1][key]) / 2 if value.is_floating_point() else value
                for key, value in own[0].items()
            }
            for trainer in trainers:
                trainer.state.load(mean, trainer.state.images_seen, trainer.state.extra())
    assert mean.keys() == first.keys()
    for key, value in mean.items():
        close(first[key], value, key)


def test_a_time_budget_means_the_same_images_everywhere(two: Results) -> None:
    """Each process measures its own speed, but they must end together."""
    assert two[0]["plan"] == two[1]["plan"]


def test_a_batch_that_cannot_be_shared_is_refused(tiny: object) -> None:
    with pytest.raises(DeviceError, match="8 cannot be shared by 3") as caught:
        check_batch(tiny("gan"), 3)  # type: ignore[operator]
    assert "training.batch=48" in caught.value.hint


@pytest.mark.parametrize(
    "given", [{}, {"RANK": "0"}, {"RANK": "0", "FACEGAN_MEETING": "nowhere://x"}]
)
def test_processes_that_cannot_meet(given: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"WORLD_SIZE": "2", **given}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(DeviceError, match="cannot meet") as caught, processes("cpu"):
        pass
    assert "MASTER_ADDR" in caught.value.hint
