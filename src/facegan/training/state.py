"""Everything that changes while training, and its way to and from tensors by name."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from facegan.budget import MOST_IMAGES
from facegan.data.spec import ImageSpec
from facegan.device import Execution
from facegan.errors import RunError, one_line
from facegan.methods.terms import Memory, Networks
from facegan.networks.blocks import first_blocks
from facegan.networks.interfaces import Generator
from facegan.optimizers import PLAYERS, Optimizer, Player
from facegan.recipe import Recipe, Stage
from facegan.seeding import INITIAL_WEIGHTS, torch_seed
from facegan.training.running_means import RunningMeans

# Of a parameter that shows what an optimizer keeps: no counter has it.
_EXAMPLE = (2, 3)


class TrainingState:
    """Networks, their averages, optimizers and position in the run.

    Initial weights depend on the recipe's seed alone.

    Attributes:
        networks: the two players.
        average: the averaged generator, in evaluation mode.
        optimizers: one for each player, for the stage that the run is in.
        learning: the parameters of each player that learn in this stage: all but frozen ones.
        images_seen: images shown to the discriminator so far.
        sums: what the journal's next line will average.
        augmenting: the probability of augmentation, where it adapts itself.
        memory: what methods remember from step to step.
    """

    def __init__(
        self,
        recipe: Recipe,
        spec: ImageSpec,
        execution: Execution,
        label_rows: Tensor | None = None,
    ) -> None:
        """`label_rows`: of training images, for a generator with labels: float [R, L]."""
        with torch_seed(recipe.training.seed, INITIAL_WEIGHTS):
            generator = recipe.generator.build(spec, recipe.data.range)
            discriminator = recipe.discriminator.build(spec, recipe.data.range)
        if spec.labels and label_rows is not None:
            generator.label_rows.copy_(label_rows)
        execution.place(generator)
        execution.place(discriminator)
        self.networks = Networks(generator, discriminator)
        self.average: Generator = copy.deepcopy(generator).eval().requires_grad_(False)
        self.images_seen = 0
        self.sums = RunningMeans()
        self.augmenting = 0.0
        self.memory: Memory = {}
        self._device = execution.device
        self._stages = recipe.stages
        for stage in recipe.stages:  # at once, and not when the run comes to it
            self._frozen_in(stage)
        self._stage = 0
        self.optimizers: dict[Player, torch.optim.Optimizer] = {
            player: getattr(self.stage, player).build(list(self.network(player).parameters()))
            for player in PLAYERS
        }
        self._freeze()

    @property
    def stage(self) -> Stage:
        """The stage whose optimizers are in place."""
        return self._stages[self._stage]

    @property
    def stage_index(self) -> int:
        """Its number, from 0."""
        return self._stage

    def network(self, player: Player) -> nn.Module:
        """A player's network."""
        return getattr(self.networks, player)

    def enter(self, stage: int) -> None:
        """Change to a stage's optimizers.

        An optimizer that stays of the same kind keeps its moments and takes the new values;
        another kind starts afresh.
        """
        for player in PLAYERS:
            before, after = getattr(self.stage, player), getattr(self._stages[stage], player)
            optimizer = after.build(list(self.network(player).parameters()))
            if before.kind == after.kind:
                optimizer.state = self.optimizers[player].state
            self.optimizers[player] = optimizer
        self._stage = stage
        self._freeze()

    def _freeze(self) -> None:
        frozen = self._frozen_in(self.stage)
        self.learning: dict[Player, list[nn.Parameter]] = {}
        for player in PLAYERS:
            network = self.network(player).requires_grad_(True)
            for parameter in frozen[player]:
                parameter.requires_grad_(False)
            # Kept as a list: several times a step, walking through the modules takes long.
            self.learning[player] = [p for p in network.parameters() if p.requires_grad]

    def _frozen_in(self, stage: Stage) -> dict[Player, list[nn.Parameter]]:
        networks = self.networks
        return {
            "discriminator": first_blocks(networks.discriminator, stage.freeze_discriminator),
            "generator": first_blocks(networks.generator, stage.freeze_generator),
        }

    def learn(self, player: Player, on: bool) -> None:
        """Whether gradients flow into a network's weights; never into frozen ones."""
        for parameter in self.learning[player]:
            parameter.requires_grad_(on)

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor of the state by name, contiguous on the CPU."""
        named = {
            f"{part}.{key}": value
            for part, module in self._modules().items()
            for key, value in module.state_dict().items()
        }
        for player, name, parameter in self._parameters():
            for key, value in self.optimizers[player].state.get(parameter, {}).items():
                if isinstance(value, Tensor):
                    named[f"optimizer.{player}.{name}.{key}"] = value
        for owner, remembered in self.memory.items():
            for key, value in remembered.items():
                named[f"memory.{owner}.{key}"] = value
        return {name: value.detach().cpu().contiguous() for name, value in named.items()}

    def extra(self) -> dict[str, Any]:
        """The rest of the state, as JSON."""
        return {
            "stage": self._stage,
            "sums": self.sums.as_json(),
            "augmenting": self.augmenting,
        }

    def load(self, tensors: dict[str, Tensor], images_seen: int, extra: dict[str, Any]) -> None:
        """Take over what `tensors` and `extra` returned at `images_seen`."""
        self.images_seen = images_seen
        try:
            self.sums = RunningMeans.from_json(extra["sums"])
            self.augmenting = float(extra["augmenting"])
            if not 0.0 <= self.augmenting <= 1.0:
                raise ValueError("no probability")
            stage = range(len(self._stages)).index(extra["stage"])
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise _changed("what stands beside its tensors makes no sense") from error
        if stage != self._stage:
            self.enter(stage)
        self.memory = {}
        for name, value in tensors.items():
            if name.startswith("memory."):
                owner, _, key = name.removeprefix("memory.").partition(".")
                # Not a view into the checkpoint's file, which will be removed.
                self.memory.setdefault(owner, {})[key] = value.clone().to(self._device)
        for part, module in self._modules().items():
            prefix = f"{part}."
            own = {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}
            try:
                module.load_state_dict(own)
            except RuntimeError as error:
                raise _changed(f"its {part}: {one_line(error)}") from error
        required, allowed = self._moments()
        for player, name, parameter in self._parameters():
            prefix = f"optimizer.{player}.{name}."
            own = {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}
            # A parameter that was never updated has none.
            if own and not required[player] <= own.keys() <= allowed[player].keys():
                raise _changed(f"the {player}'s optimizer remembers {one_line(sorted(own))}")
            for key, value in own.items():
                self._load_moment(player, parameter, key, value, allowed[player][key])

    def _moments(self) -> tuple[dict[Player, set[str]], dict[Player, dict[str, Tensor]]]:
        """What an optimizer keeps for each parameter: what it needs, and all that there may be.

        Of each tensor an example, for a parameter of the shape `_EXAMPLE`. Earlier stages may have
        left more than this one needs.
        """
        required: dict[Player, set[str]] = {}
        allowed: dict[Player, dict[str, Tensor]] = {}
        for player in PLAYERS:
            now = getattr(self.stage, player)
            same = [each for s in self._stages if (each := getattr(s, player)).kind == now.kind]
            required[player] = set(_after_an_update(now))
            allowed[player] = {k: v for each in same for k, v in _after_an_update(each).items()}
        return required, allowed

    def _load_moment(
        self, player: Player, parameter: nn.Parameter, key: str, value: Tensor, example: Tensor
    ) -> None:
        """Counters stay as they are; moments take their parameter's device and layout.

        The optimizers' kernels believe shapes and types: what does not fit must not reach them.
        """
        moment = example.shape == _EXAMPLE
        if value.shape != (parameter.shape if moment else example.shape):
            raise _changed(f"what the {player}'s optimizer remembers has another shape")
        if value.dtype != example.dtype:
            raise _changed(f"what the {player}'s optimizer remembers is {value.dtype}")
        value = value.clone()  # not a view into the checkpoint's file, which will be removed
        if moment:
            value = torch.empty_like(parameter).copy_(value)
        elif not 0 <= value.item() <= MOST_IMAGES:
            raise _changed(f"the {player}'s optimizer counts {value.item():g} updates")
        elif parameter.device.type != "cpu":
            value = value.to(parameter.device)
        self.optimizers[player].state[parameter][key] = value

    def _modules(self) -> dict[str, nn.Module]:
        return {
            "generator": self.networks.generator,
            "discriminator": self.networks.discriminator,
            "average": self.average,
        }

    def _parameters(self) -> Iterator[tuple[Player, str, nn.Parameter]]:
        for player in PLAYERS:
            for name, parameter in self.network(player).named_parameters():
                yield player, name, parameter


def _after_an_update(optimizer: Optimizer) -> dict[str, Tensor]:
    """What an optimizer keeps of a parameter once it has updated it, by name."""
    parameter = nn.Parameter(torch.zeros(_EXAMPLE))
    parameter.grad = torch.zeros(_EXAMPLE)
    built = optimizer.build([parameter])
    built.step()
    return {k: v for k, v in built.state[parameter].items() if isinstance(v, Tensor)}


def _changed(what: str) -> RunError:
    return RunError(
        f"The checkpoint does not fit the recipe: {what}.",
        "The run's folder was changed by hand; begin again in another one.",
    )
