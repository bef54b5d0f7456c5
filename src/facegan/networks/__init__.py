"""The networks. To add one: a file here or of your own that registers its sections."""

from facegan.networks import dcgan, features, ignm, mlp, r3gan, resnet
from facegan.networks.interfaces import (
    DISCRIMINATORS,
    GENERATORS,
    DiscriminatorConfig,
    GeneratorConfig,
)

__all__ = [
    "DISCRIMINATORS",
    "GENERATORS",
    "DiscriminatorConfig",
    "GeneratorConfig",
    "dcgan",
    "features",
    "ignm",
    "mlp",
    "r3gan",
    "resnet",
]
