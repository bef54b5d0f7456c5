"""Optimizers as recipe sections."""

from __future__ import annotations

import inspect
from typing import Annotated, Any, Literal, TypeVar

import torch
from pydantic import AfterValidator, Field

from facegan.config import Config
from facegan.schedule import Cosine, Linear, Schedule, bounds, constant, resolve

Positive = Annotated[float, Field(gt=0)]
Beta = Annotated[float, Field(ge=0, lt=1)]


def _rate(rate: float | Linear | Cosine) -> float | Linear | Cosine:
    """Refuse what would climb instead of descend, or not fit into a float32."""
    low, high = bounds(rate)
    if low < 0 or high > 3.4e38:
        raise ValueError(
            f"a rate stays between 0 and 3.4e38 (float32); this goes {low:g} to {high:g}"
        )
    return rate


def _decay(beta: float | Linear | Cosine) -> float | Linear | Cosine:
    low, high = bounds(beta)
    if low < 0 or high >= 1:
        raise ValueError("It should be at least 0 and less than 1")
    return beta


Rate = Annotated[Schedule, AfterValidator(_rate)]
Decay = Annotated[Schedule, AfterValidator(_decay)]
Player = Literal["discriminator", "generator"]
PLAYERS: tuple[Player, Player] = ("discriminator", "generator")


Kind = TypeVar("Kind", bound=torch.optim.Optimizer)

# Methods of PyTorch's optimizers that import its compiler, to keep it out of themselves.
_GUARDED = ("add_param_group", "state_dict", "load_state_dict", "zero_grad")


def _uncompiled(kind: type[Kind]) -> type[Kind]:
    """An optimizer of PyTorch that does not import PyTorch's compiler.

    Nothing here is compiled, and that import takes as long as PyTorch's own, in every process
    that trains.
    """
    methods = {name: inspect.unwrap(getattr(kind, name)) for name in _GUARDED}
    step = torch.no_grad()(inspect.unwrap(kind.step))
    made: type[Kind] = type(kind.__name__, (kind,), {**methods, "step": step})
    return made


_ADAM = _uncompiled(torch.optim.Adam)
_SGD = _uncompiled(torch.optim.SGD)
_RMSPROP = _uncompiled(torch.optim.RMSprop)


class Adam(Config):
    """Adam (Kingma & Ba 2015).

    Attributes:
        lr: learning rate, or a schedule of it over the stage.
        betas: decay of the two moments; each may be a schedule over the stage.
        eps: added to the denominator.
    """

    kind: Literal["adam"]
    lr: Rate = 2e-4
    betas: tuple[Decay, Decay] = (0.5, 0.999)
    eps: Positive = 1e-8

    def build(self, parameters: list[torch.nn.Parameter]) -> torch.optim.Optimizer:
        """The optimizer of these parameters."""
        fused = parameters[0].device.type in ("cpu", "cuda", "mps")
        return _ADAM(parameters, **_first(self), eps=self.eps, fused=fused)

    def options(self) -> dict[str, Any]:
        """What schedules may change, as its parameter groups name it. Of a resolved section."""
        return {"lr": constant(self.lr), "betas": tuple(map(constant, self.betas))}


class Sgd(Config):
    """Stochastic gradient descent.

    Attributes:
        lr: learning rate, or a schedule of it over the stage.
        momentum: 0 for none.
    """

    kind: Literal["sgd"]
    lr: Rate = 1e-2
    momentum: Beta = 0.0

    def build(self, parameters: list[torch.nn.Parameter]) -> torch.optim.Optimizer:
        """The optimizer of these parameters."""
        return _SGD(parameters, **_first(self), momentum=self.momentum, foreach=True)

    def options(self) -> dict[str, Any]:
        """See `Adam.options`."""
        return {"lr": constant(self.lr)}


class RmsProp(Config):
    """RMSProp (Tieleman & Hinton 2012).

    Attributes:
        lr: learning rate, or a schedule of it over the stage.
        alpha: decay of the squared gradient's average.
    """

    kind: Literal["rmsprop"]
    lr: Rate = 5e-5
    alpha: Beta = 0.99

    def build(self, parameters: list[torch.nn.Parameter]) -> torch.optim.Optimizer:
        """The optimizer of these parameters."""
        return _RMSPROP(parameters, **_first(self), alpha=self.alpha, foreach=True)

    def options(self) -> dict[str, Any]:
        """See `Adam.options`."""
        return {"lr": constant(self.lr)}


def _first(optimizer: Adam | Sgd | RmsProp) -> dict[str, Any]:
    """The options at the beginning of a stage."""
    return resolve(optimizer, 0.0)[0].options()


Optimizer = Annotated[Adam | Sgd | RmsProp, Field(discriminator="kind")]
