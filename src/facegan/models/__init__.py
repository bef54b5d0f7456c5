"""The networks. To add one: a file here, one line in `MODELS`, one recipe."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from facegan.models.dcgan import DcganDiscriminatorConfig, DcganGeneratorConfig
from facegan.models.mlp import MlpDiscriminatorConfig, MlpGeneratorConfig
from facegan.models.r3gan import R3ganDiscriminatorConfig, R3ganGeneratorConfig
from facegan.models.resnet import ResnetDiscriminatorConfig, ResnetGeneratorConfig

# kind → (generator's options, discriminator's options)
MODELS = {
    "mlp": (MlpGeneratorConfig, MlpDiscriminatorConfig),
    "dcgan": (DcganGeneratorConfig, DcganDiscriminatorConfig),
    "resnet": (ResnetGeneratorConfig, ResnetDiscriminatorConfig),
    "r3gan": (R3ganGeneratorConfig, R3ganDiscriminatorConfig),
}

GeneratorConfig = Annotated[
    MlpGeneratorConfig | DcganGeneratorConfig | ResnetGeneratorConfig | R3ganGeneratorConfig,
    Field(discriminator="kind"),
]
DiscriminatorConfig = Annotated[
    MlpDiscriminatorConfig
    | DcganDiscriminatorConfig
    | ResnetDiscriminatorConfig
    | R3ganDiscriminatorConfig,
    Field(discriminator="kind"),
]
