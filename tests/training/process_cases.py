"""What tests/training/test_processes.py computes, in one process and in two.

As a script, started by the test once for each process, it takes a dataset and a file to write.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from torch import Tensor

from facegan.data.dataset import Dataset
from facegan.device import Execution, average_, processes
from facegan.networks.layers.norm import BatchNorm2d
from facegan.networks.layers.spectral import spectral_norm
from facegan.recipe import Recipe
from facegan.seeding import INITIAL_WEIGHTS, Random, torch_seed
from facegan.startup import leave
from facegan.training import plan
from facegan.training.batch_source import BatchSource, Real
from facegan.training.state import TrainingState
from facegan.training.step import Trainer

STEPS = 4
# So large that the difference's last digits do not matter.
DIFFERENCE = "estimate={kind='finite_difference', sigma=1.0}"
PENALTIES = {
    "r1": "{kind='r1'}",
    "gradient_penalty": "{kind='gradient_penalty', weight=1.0}",
    "r1r2-lazy-difference": f"{{kind='r1r2', gamma=0.05, every=3, {DIFFERENCE}}}",
    # At a weight of 10, one direction a sample is too noisy for SGD.
    "gradient_penalty-difference": f"{{kind='gradient_penalty', weight=0.002, {DIFFERENCE}}}",
}
# SGD turns the gradients into weights as they are: Adam would magnify a last digit in a
# gradient near zero into a whole step.
COMMON = (
    "training.batch=8",
    "training.precision=fp32",
    "stages=[{generator={kind='sgd', lr=0.01}, discriminator={kind='sgd', lr=0.01}}]",
)
TINY = {
    "gan": ("generator.hidden=[12]", "generator.latent.size=6", "discriminator.hidden=[12]"),
    "dcgan": ("generator.channels=4", "generator.latent.size=6", "discriminator.channels=4"),
}


HEADS = "discriminator.heads={projection=5, auxiliary=true, hidden=7}"
CONDITIONAL = ("data.labels=all", HEADS, "method.auxiliary={}", "method.loss=relativistic")
TRANSFORMS = (
    "flip=true, shift=0.2, rotation=20, brightness=0.2, contrast=0.5, cutout=0.3, noise=0.1, "
    "transforms=[{kind='light'}, {kind='pose'}, {kind='hue'}, {kind='scene'}]"
)
HELD_OUT = "{kind='adaptive', heuristic='held_out', reserve=0.2, target=0.01, ramp=0.16}"
AUGMENTED = {
    "augmented": f"augment={{probability=0.8, {TRANSFORMS}}}",
    "adaptive": f"augment={{probability={HELD_OUT}, {TRANSFORMS}}}",
    "paired": f"augment={{probability=0.8, paired=true, {TRANSFORMS}}}",
}


def cases() -> Iterator[tuple[str, Recipe]]:
    for name, settings in TINY.items():
        recipe = Recipe.load(name).override(*COMMON, *settings)
        yield f"{name}-None", recipe
        for penalty, setting in PENALTIES.items():
            yield f"{name}-{penalty}", recipe.override(f"method.penalty={setting}")
        critic = recipe.override("method.n_critic=2", "method.loss=relativistic")
        yield f"{name}-critic", critic
        if name == "gan":
            share = f"method.penalty={{kind='r1', share=0.5, {DIFFERENCE}}}"
            yield f"{name}-share", recipe.override(share, "data.mirror=true")
            directed = ("discriminator.heads.direction=true", "method.loss=non_saturating")
            yield f"{name}-directed", recipe.override(*directed)
        average = critic.override("method.loss=relativistic_average", "method.penalty.kind=r2")
        yield f"{name}-average", average
        for case, setting in AUGMENTED.items():
            yield f"{name}-conditional-{case}", recipe.override(*CONDITIONAL, setting)
        # At the papers' weight of 10, SGD with batch statistics magnifies last digits.
        consistency = "{kind='consistency', weight=0.5}"
        listed = f"[{{kind='lecam'}}, {consistency}, {{kind='path_length', every=2}}]"
        yield f"{name}-regularised", recipe.override(f"method.regularisers={listed}")
        yield f"{name}-features", recipe.override("method.kind=feature_matching")
        code = ("discriminator.heads={code=6}", "data.labels=all")
        yield f"{name}-{RECONSTRUCTION}", recipe.override(*code, f"stages=[{SGD_CODE}]")
        yield f"{name}-{SPECTRAL}", recipe.override(f"name={SPECTRAL}", "method.loss=hinge")

    # Patch logits of one network against means over all processes, one for each place.
    patches = ("generator.channels=4", "discriminator={kind='features', channels=4, pixels=2}")
    recipe = Recipe.load("projected").override(*COMMON, *patches, "generator.latent.size=6")
    yield "dcgan-against-patch-logits", recipe.override("method.loss=relativistic_average")


# This method needs no logit, whose weight then gets no gradient.
RECONSTRUCTION = "reconstruction"
SGD_CODE = (
    "{method={kind='reconstruction'}, generator={kind='sgd', lr=0.01},"
    " discriminator={kind='sgd', lr=0.01}}"
)
# A recipe of this name has its discriminator normalised.
SPECTRAL = "spectral"


class DoubleBatchSource(BatchSource):
    """Gives images and labels in float64."""

    def batch(self, position: int, size: int, shares: Sequence[float] = ()) -> Real:
        images, labels = super().batch(position, size, shares)
        return images.double(), None if labels is None else labels.double()

    def held_out(self, position: int, size: int) -> Real | None:
        found = super().held_out(position, size)
        if found is None:
            return None
        return found[0].double(), None if found[1] is None else found[1].double()


@contextmanager
def in_double() -> Iterator[None]:
    """What is drawn, read and computed within has float64, so that rounding explains nothing.

    One process sums a batch in one order, two in another, and each processor in its own: in
    float32 that alone moves a gradient penalty by up to 1e-3 after a few steps. In float64 it is
    far below any mistake that could be made.
    """

    def widened(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        return lambda *args, **options: function(*args, **options).double()

    with pytest.MonkeyPatch.context() as patch:
        for name in ("normal", "uniform"):
            patch.setattr(Random, name, widened(getattr(Random, name)))
        # Losses ask for float32 where a network computed in less, and must not get less here.
        narrow = Tensor.float
        patch.setattr(Tensor, "float", lambda x: x if x.dtype == torch.float64 else narrow(x))
        yield


def trained(recipe: Recipe, dataset: Dataset, execution: Execution) -> dict[str, Tensor]:
    """Values and gradients of the first step, and the weights after STEPS steps; in float64."""
    with in_double():
        return _trained(recipe, dataset, execution, torch.float64)


def trained_as_usual(recipe: Recipe, dataset: Dataset, execution: Execution) -> dict[str, Tensor]:
    """The same in float32, as runs compute."""
    return _trained(recipe, dataset, execution, torch.float32)


def _trained(
    recipe: Recipe, dataset: Dataset, execution: Execution, dtype: torch.dtype
) -> dict[str, Tensor]:
    batch_source = (DoubleBatchSource if dtype == torch.float64 else BatchSource).of(
        recipe, dataset, execution
    )
    execution = plan.choose_precision(recipe, batch_source.spec, batch_source, execution)
    state = TrainingState(recipe, batch_source.spec, execution, batch_source.label_rows())
    if recipe.name == SPECTRAL:
        with torch_seed(0, INITIAL_WEIGHTS):
            spectral_norm(state.networks.discriminator)
    for network in (state.networks.generator, state.networks.discriminator, state.average):
        network.to(dtype)
    trainer = Trainer(recipe, state, batch_source, execution, total=10**6)
    found: dict[str, Tensor] = {}
    for step in range(STEPS):
        values = trainer.step()
        found |= {
            f"value.{step}.{k}": torch.tensor(v, dtype=torch.float64) for k, v in values.items()
        }
        if step == 0:
            for player in ("discriminator", "generator"):
                for name, p in state.network(player).named_parameters():
                    if p.grad is None:
                        assert state.stage.method is not None
                        assert state.stage.method.kind == RECONSTRUCTION
                        assert name.startswith(("heads.logit", "heads.project", "heads.embed"))
                        continue
                    found[f"gradient.{player}.{name}"] = p.grad.clone()
    found |= {f"weight.{k}": v for k, v in state.tensors().items()}
    line = state.sums.take()
    return found | {
        f"mean.{name}": torch.tensor(value, dtype=torch.float64) for name, value in line.items()
    }


EXCHANGE = 2


def apart(dataset: Dataset, execution: Execution) -> Trainer:
    """A trainer whose process learns alone between exchanges: batch statistics, Adam, memory."""
    recipe = Recipe.load("dcgan").override(
        *COMMON[:2],
        *TINY["dcgan"],
        f"training.exchange={EXCHANGE}",
        "method.regularisers=[{kind='lecam'}]",
    )
    batch_source = BatchSource.of(recipe, dataset, execution)
    state = TrainingState(recipe, dataset.spec, execution)
    return Trainer(recipe, state, batch_source, execution, total=10**6)


def normalised(execution: Execution) -> dict[str, Tensor]:
    """Batch norm alone: outputs, statistics, first and second derivatives.

    Per-sample tensors are of this process's part only.
    """
    x, weights = torch.randn(2, 8, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    n = 8 // execution.world
    mine = slice(execution.rank * n, (execution.rank + 1) * n)
    # An offset is where a careless variance loses its digits.
    part = (x * 2 + 10)[mine].requires_grad_()
    layer = BatchNorm2d(3)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([0.5, 1.0, 2.0]))
        layer.bias.copy_(torch.tensor([0.1, 0.2, 0.3]))
    output = layer(part)
    loss = (output.tanh() * weights[mine]).sum()
    (first,) = torch.autograd.grad(loss, part, create_graph=True)
    penalty = first.square().sum()
    penalty.backward()
    assert part.grad is not None
    shared = [layer.weight.grad, layer.bias.grad]
    assert shared[0] is not None
    assert shared[1] is not None
    gradients = [g * execution.world for g in shared if g is not None]
    average_(gradients, execution.world)  # times the number of processes: their sum
    return {
        "output": output.detach(),
        "first": first.detach(),
        "second": part.grad,
        "shared.weight": gradients[0],
        "shared.bias": gradients[1],
        "shared.mean": layer.running_mean.clone(),  # type: ignore[union-attr]
        "shared.var": layer.running_var.clone(),  # type: ignore[union-attr]
        "shared.count": layer.num_batches_tracked.clone(),  # type: ignore[union-attr]
    }


def planned(dataset: Dataset, execution: Execution) -> Tensor:
    """The images that a budget of time was turned into."""
    recipe = next(iter(cases()))[1].with_budget("10h")
    batch_source = BatchSource.of(recipe, dataset, execution)
    plan.measure_speed = functools.partial(plan.measure_speed, seconds=0.05)
    return torch.tensor(plan.make_plan(recipe, dataset.spec, batch_source, execution).images)


def main(dataset_path: str, target: str) -> None:
    from safetensors.torch import save_file

    dataset = Dataset.open(dataset_path)
    found: dict[str, Tensor] = {}
    with processes("cpu") as execution:
        for name, recipe in cases():
            found |= {f"{name}/{k}": v for k, v in trained(recipe, dataset, execution).items()}
            usual = trained_as_usual(recipe, dataset, execution)
            found |= {f"usual-{name}/{k}": v for k, v in usual.items()}
        found |= {f"norm/{k}": v for k, v in normalised(execution).items()}
        trainer = apart(dataset, execution)
        for _ in range(STEPS):
            trainer.step()
        assert trainer.exchange.together
        found |= {f"apart/{k}": v for k, v in trainer.state.tensors().items()}
        found["plan"] = planned(dataset, execution)
    whole = {name: value.contiguous() for name, value in found.items()}
    save_file(whole, Path(target) / f"{execution.rank}.safetensors")


if __name__ == "__main__":
    main(*sys.argv[1:])
    leave(0)  # as facegan's own processes do
