"""A network's blocks in the order in which data pass through them, for freezing by depth."""

from __future__ import annotations

from torch import nn

from facegan.errors import RecipeError
from facegan.networks.interfaces import Discriminator, Generator

_NORMS = (nn.BatchNorm2d, nn.GroupNorm)


def blocks(network: Generator | Discriminator) -> list[list[nn.Parameter]]:
    """The parameters of each block: a layer with its normalisation, or a residual block.

    Of a discriminator from the image on, without its heads; of a generator from the latent
    on, without its label embedding.
    """
    found: list[list[nn.Parameter]] = []
    for name, child in network.named_children():
        if name in ("heads", "labels"):
            continue
        for layer in child.children() if isinstance(child, nn.Sequential) else [child]:
            parameters = list(layer.parameters())
            if parameters and found and _only_normalises(layer):
                found[-1] += parameters
            elif parameters:
                found.append(parameters)
    if isinstance(network, Generator) and found:
        # What the network holds itself (R3GAN's 4×4 patterns) stands before its first layer.
        found[0] = [*network.parameters(recurse=False), *found[0]]
    return found


def first_blocks(network: Generator | Discriminator, count: int) -> list[nn.Parameter]:
    """The parameters of the first `count` blocks.

    Raises:
        RecipeError: there are no more.
    """
    found = blocks(network)
    if count and count >= len(found):
        player = "generator" if isinstance(network, Generator) else "discriminator"
        raise RecipeError(
            f"freeze_{player} = {count}, but this {player} has {len(found)} blocks.",
            f"Give a number from 0 to {max(len(found) - 1, 0)}, so that one learns.",
        )
    return [parameter for block in found[:count] for parameter in block]


def _only_normalises(layer: nn.Module) -> bool:
    holders = [m for m in layer.modules() if next(m.parameters(recurse=False), None) is not None]
    return all(isinstance(module, _NORMS) for module in holders)
