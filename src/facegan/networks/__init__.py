"""The networks. To add one: a file here, a line for each player below, one recipe."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from facegan.networks.dcgan import DcganDiscriminatorConfig, DcganGeneratorConfig
from facegan.networks.features import FeaturesDiscriminatorConfig
from facegan.networks.ignm import IgnmDiscriminatorConfig, IgnmGeneratorConfig
from facegan.networks.mlp import MlpDiscriminatorConfig, MlpGeneratorConfig
from facegan.networks.r3gan import R3ganDiscriminatorConfig, R3ganGeneratorConfig
from facegan.networks.resnet import ResnetDiscriminatorConfig, ResnetGeneratorConfig

# kind → the options of its generator
GENERATORS = {
    "mlp": MlpGeneratorConfig,
    "dcgan": DcganGeneratorConfig,
    "resnet": ResnetGeneratorConfig,
    "r3gan": R3ganGeneratorConfig,
    "ignm": IgnmGeneratorConfig,
}
# kind → the options of its discriminator; any of them meets any generator
DISCRIMINATORS = {
    "mlp": MlpDiscriminatorConfig,
    "dcgan": DcganDiscriminatorConfig,
    "resnet": ResnetDiscriminatorConfig,
    "r3gan": R3ganDiscriminatorConfig,
    "ignm": IgnmDiscriminatorConfig,
    "features": FeaturesDiscriminatorConfig,
}

GeneratorConfig = Annotated[
    MlpGeneratorConfig
    | DcganGeneratorConfig
    | ResnetGeneratorConfig
    | R3ganGeneratorConfig
    | IgnmGeneratorConfig,
    Field(discriminator="kind"),
]
DiscriminatorConfig = Annotated[
    MlpDiscriminatorConfig
    | DcganDiscriminatorConfig
    | ResnetDiscriminatorConfig
    | R3ganDiscriminatorConfig
    | IgnmDiscriminatorConfig
    | FeaturesDiscriminatorConfig,
    Field(discriminator="kind"),
]
