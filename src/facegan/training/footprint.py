"""How much memory training a recipe takes at least, counted without taking any."""

from __future__ import annotations

import contextlib

import torch
from torch import Tensor, nn

from facegan.data.spec import ImageSpec
from facegan.device import Execution
from facegan.errors import DeviceError
from facegan.memory import require_memory
from facegan.networks.interfaces import Discriminator, Generator, parameter_count
from facegan.networks.layers.processes import apart
from facegan.networks.meta_device import on_meta_device
from facegan.recipe import Recipe
from facegan.seeding import Random, random

# Bytes for each number to learn: the weight, its gradient and two moments; the generator has
# its average besides.
_GENERATOR, _DISCRIMINATOR = 20, 16
# Pictures that the networks compute to find what layers keep; batch norm needs more than one.
_SOME = 2


def require_fits(recipe: Recipe, spec: ImageSpec, execution: Execution) -> None:
    """Refuse a recipe whose networks, or whose batch, cannot fit where it would be trained.

    Raises:
        DeviceError: naming what is asked for and what is there.
    """
    try:
        with on_meta_device():
            generator = recipe.generator.build(spec, recipe.data.range)
            discriminator = recipe.discriminator.build(spec, recipe.data.range)
    except RuntimeError as error:  # a size beyond any number
        raise DeviceError(
            "The networks of this recipe have more numbers to learn than can be counted.",
            "Make them narrower.",
        ) from error
    numbers = parameter_count(generator), parameter_count(discriminator)
    learning = numbers[0] * _GENERATOR + numbers[1] * _DISCRIMINATOR
    require_memory(
        learning,
        execution.device,
        f"Training the {sum(numbers):,} numbers of this recipe's networks",
        "Make them narrower, or train where there is more memory.",
    )
    batch = recipe.training.batch // execution.world
    require_memory(
        learning + _activations(generator, discriminator, batch, recipe.training.precision),
        execution.device,
        f"Training the networks of this recipe on batches of {batch:,} pictures",
        "Make training.batch smaller or the networks narrower, or train where there is more "
        "memory.",
    )


def _activations(
    generator: Generator, discriminator: Discriminator, batch: int, precision: str
) -> int:
    """Bytes of what layers keep for the backward pass of one update of D, at least.

    The generated pictures' graph is kept for the generator's update, and D has passed the real
    and the generated pictures. Augmentation and penalties come on top.

    Some pictures tell what all need. Networks of zeros compute them: on the `meta` device,
    PyTorch would import its compiler, which takes longer.
    """
    size = 4 if precision == "fp32" else 2
    spec, some = generator.spec, min(batch, _SOME)
    for network in (generator, discriminator):
        _fill_with_zeros(network)
    labels = torch.zeros(some, len(spec.labels)) if spec.labels else None
    images = torch.zeros(some, spec.channels, spec.resolution, spec.resolution)
    z = generator.draw(Random(random(0, 0, 0)), some)
    made = _kept_by(generator, z, labels)
    looked_at = _kept_by(discriminator, images, labels)
    return (made + 2 * looked_at) * batch // some * size


def _fill_with_zeros(network: nn.Module) -> None:
    """Zeros in the place of all that is on the `meta` device."""
    for module in network.modules():
        for name, weight in module.named_parameters(recurse=False):
            setattr(module, name, nn.Parameter(torch.zeros(weight.shape)))
        for name, buffer in module.named_buffers(recurse=False):
            setattr(module, name, torch.zeros(buffer.shape, dtype=buffer.dtype))


def _kept_by(network: nn.Module, *inputs: Tensor | None) -> int:
    """Numbers in the outputs of all layers. What is changed in place is counted once."""
    seen: dict[int, Tensor] = {}

    def note(module: nn.Module, arguments: object, output: object) -> None:
        if isinstance(output, Tensor):
            seen[output.untyped_storage()._cdata] = output  # held, so that its storage stays

    leaves = [module for module in network.modules() if not any(module.children())]
    for module in leaves:
        module.register_forward_hook(note)
    # A network of a plug-in may not be able to compute with zeros: then nothing is known.
    with apart(), torch.no_grad(), contextlib.suppress(RuntimeError):
        network(*inputs)
    return sum(output.numel() for output in seen.values())
