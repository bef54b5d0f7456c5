"""The networks. To add one: a file here, one line in `MODELS`, one recipe."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from facegan.models.dcgan import DcganDiscriminatorConfig, DcganGeneratorConfig
from facegan.models.mlp import MlpDiscriminatorConfig, MlpGeneratorConfig

# kind → (generator's options, discriminator's options)
MODELS = {
    "mlp": (MlpGeneratorConfig, MlpDiscriminatorConfig),
    "dcgan": (DcganGeneratorConfig, DcganDiscriminatorConfig),
}

GeneratorConfig = Annotated[MlpGeneratorConfig | DcganGeneratorConfig, Field(discriminator="kind")]
DiscriminatorConfig = Annotated[
    MlpDiscriminatorConfig | DcganDiscriminatorConfig, Field(discriminator="kind")
]
