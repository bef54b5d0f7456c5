"""What to do when a number stops being one: stop, and say where it began."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from facegan.errors import TrainingError
from facegan.optimizers import PLAYERS, Player
from facegan.training.state import TrainingState


def require_finite(
    values: dict[str, float], state: TrainingState, before: int, at_once: bool = True
) -> None:
    """Raise a TrainingError naming network, layer and step if a value is not finite.

    Args:
        values: the step's losses, logits and gradient norms.
        state: after the step.
        before: images seen before it.
        at_once: whether the state is the one that this step left; else others have followed.
    """
    wrong = {name: value for name, value in values.items() if not math.isfinite(value)}
    if not wrong:
        return
    listed = ", ".join(f"{name} = {value}" for name, value in wrong.items())
    where = _where(state) if at_once else "Resume from a checkpoint with `device` cpu to see where."
    raise TrainingError(
        f"Training diverged at {before / 1000:.3f} kimg: {listed}. {where}",
        "The last good checkpoint stays as it is. What usually helps, in a new run: a "
        "lower learning rate (`stages.*.*.lr=1e-4`), a penalty on the discriminator "
        "(`method.penalty.kind=r1`), or `training.precision=fp32`.",
    )


def require_finite_weights(state: TrainingState) -> None:
    """Raise before a broken state replaces a good checkpoint."""
    for name, value in state.tensors().items():
        if name.endswith(".label_rows"):
            continue  # not learned, and NaN where a label is missing
        if value.is_floating_point() and not _finite(value):
            raise TrainingError(
                f"Training diverged at {state.images_seen / 1000:.3f} kimg: {name} is not finite.",
                "The last good checkpoint stays as it is.",
            )


def _where(state: TrainingState) -> str:
    """The first broken weight on the way from latents to logits, or else a gradient.

    A gradient turns non-finite at one layer and spreads towards the input, so the broken one
    nearest the output is where it began.
    """
    for player in reversed(PLAYERS):
        for name, parameter in state.network(player).named_parameters():
            if not _finite(parameter):
                return _named(state, player, "weight", name)
    for player in PLAYERS:
        for name, parameter in reversed(list(state.network(player).named_parameters())):
            if parameter.grad is not None and not _finite(torch.linalg.vector_norm(parameter.grad)):
                return _named(state, player, "gradient", name)
    return "All weights and gradients are still finite, so it began in the loss."


def _named(state: TrainingState, player: Player, kind: str, name: str) -> str:
    layer = _layer(state.network(player), name)
    return f"It began in the {player}, in the {kind} of {name} ({layer})."


def _layer(network: nn.Module, parameter: str) -> str:
    module = network.get_submodule(parameter.rpartition(".")[0])
    return type(module).__name__


@torch.no_grad()
def _finite(tensor: Tensor) -> bool:
    return bool(torch.isfinite(tensor).all())
