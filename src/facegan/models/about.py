"""What a generator's file says of itself, read without its weights and without PyTorch.

Files come from anywhere. Nothing here believes more of one than its form, and no text leaves
with a character that a terminal would obey.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facegan.budget import MOST_IMAGES
from facegan.data.spec import ImageSpec, Label
from facegan.errors import FaceganError, RunError, one_line, printable
from facegan.files import read_header
from facegan.parsing import parse_json, parse_toml
from facegan.version import __version__

# The entry of a file's metadata, and the version of what is in it.
KEY, FORMAT = "facegan", 1
_LARGEST_RESOLUTION = 4096
_FAR = 1e12
# Characters of a name that are shown in a line.
_SHOWN = 80
# What wrong content gives while it is read.
WRONG = (ValueError, LookupError, TypeError, AttributeError, RuntimeError, ArithmeticError)


@dataclass(frozen=True)
class About:
    """A generator's file in words and numbers.

    Attributes:
        version: of facegan, which wrote it.
        recipe: as TOML.
        spec: the shape of its pictures, and its labels.
        pixels: arguments of `Pixels.of`.
        images_seen: how many images the discriminator had been shown.
        dataset: name, licence, source and fingerprint of the training data.
        card: of a model, what `facegan.models.card.Card` reads; None for other generators.
        plugins: names of the plug-ins that its recipe's kinds come from. Nobody loads them for
            this; it is said where a kind is missing.
    """

    version: str
    recipe: str
    spec: ImageSpec
    pixels: dict[str, Any]
    images_seen: int
    dataset: dict[str, Any]
    card: dict[str, Any] | None = None
    plugins: tuple[str, ...] = ()

    @property
    def recipe_name(self) -> str:
        """The name that the recipe gives itself."""
        return one_line(parse_toml(self.recipe)["name"], _SHOWN)


def read_about(path: Path) -> About:
    """What a file says of its generator.

    Raises:
        RunError: it is no safetensors file, not facegan's, newer than this facegan, or makes no
            sense.
    """
    metadata = read_header(path).get("__metadata__")
    if not isinstance(metadata, dict) or KEY not in metadata:
        raise RunError(
            f"{path} is a safetensors file, but holds no generator that facegan wrote.",
            "Its metadata must hold the recipe; give a generator.safetensors of a run.",
        )
    try:
        said = _cleaned(parse_json(metadata[KEY]))
        if said["format"] > FORMAT:
            raise RunError(
                f"{path} was written by facegan {one_line(said['version'])}, in a newer format.",
                f"This is facegan {__version__}: upgrade it.",
            )
        return _about(said)
    except WRONG as error:
        raise changed(path, error) from error


def changed(path: Path, error: Exception) -> RunError:
    """What to say of a file whose content and description do not agree."""
    text = error.message if isinstance(error, FaceganError) else str(error)
    first = one_line((text.splitlines() or [""])[0] or type(error).__name__)
    return RunError(
        f"{path} does not hold the generator that its metadata describes: {first}",
        "The file is damaged or was changed; take the original.",
    )


def _about(said: dict[str, Any]) -> About:
    spec = dict(said["spec"])
    labels = tuple(Label(**label) for label in spec.pop("labels"))
    about = About(
        version=str(said["version"]),
        recipe=said["recipe"],
        spec=ImageSpec(**spec, labels=labels),
        pixels=dict(said["pixels"]),
        images_seen=said["images_seen"],
        dataset=dict(said["dataset"]),
        card=said.get("card"),
        plugins=tuple(one_line(each, _SHOWN) for each in said.get("plugins", ())),
    )
    recipe = parse_toml(about.recipe)
    # TOML has ways of its own to write what a terminal obeys.
    if _cleaned(recipe) != recipe or not isinstance(recipe["generator"], dict):
        raise ValueError("its recipe is not one that facegan wrote")
    recipe["name"], recipe["generator"]["kind"]
    for value, lowest, highest in (
        (about.images_seen, 0, MOST_IMAGES),
        (about.spec.resolution, 1, _LARGEST_RESOLUTION),
        (about.spec.channels, 1, 3),
    ):
        if type(value) is not int or not lowest <= value <= highest:
            raise ValueError(f"{value!r:.40} is not a whole number from {lowest} to {highest:,}")
    for label in labels:
        sound = type(label.name) is str and type(label.binary) is bool
        if not sound or not (abs(label.mean) < _FAR and 0 < label.std < _FAR):
            raise ValueError(f"{label!r:.80} is not a label")
    if not isinstance(about.card, dict | None):
        raise ValueError("its card is no table")
    return about


def _cleaned(value: Any) -> Any:
    """JSON with every text printable."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, list):
        return [_cleaned(each) for each in value]
    if isinstance(value, dict):
        return {printable(key): _cleaned(each) for key, each in value.items()}
    return value
