"""The card of a model: what it was made from and how good it is, beside its weights."""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import Field, ValidationError

from facegan.budget import MOST_IMAGES
from facegan.config import Config
from facegan.errors import RunError, one_line
from facegan.models.store import is_name

Line = Annotated[str, Field(max_length=500)]
Paragraph = Annotated[str, Field(max_length=4_000)]
Paragraphs = Annotated[tuple[Paragraph, ...], Field(max_length=40)]
Count = Annotated[int, Field(ge=0, le=MOST_IMAGES)]
Share = Annotated[float, Field(ge=0, le=1)]


class TrainingData(Config):
    """A dataset that a model learned from. What is not known is None.

    Attributes:
        name: of the dataset.
        source: where it came from.
        licence: of its pictures.
        fingerprint: SHA-256 (hex) of its dataset.
        crop: what was cut out of each picture, in words.
        train: pictures to train on.
        holdout: pictures kept from training.
        identities: how many people they show.
    """

    name: Line
    source: Line | None = None
    licence: Line | None = None
    fingerprint: Line | None = None
    crop: Line | None = None
    train: Count | None = None
    holdout: Count | None = None
    identities: Count | None = None


class Training(Config):
    """How a model was trained, beside what its recipe says.

    Attributes:
        facegan: the version that trained it.
        commit: of facegan's source, where it ran from a checkout.
        command: that trains the same again.
        device: kind of device, and what it calls itself.
        precision: `fp32` or `bf16`.
        seconds: that training took.
    """

    facegan: Line
    commit: Line | None = None
    command: Paragraph
    device: Line
    precision: Line
    seconds: Annotated[float, Field(ge=0)] | None = None


class Rounding(Config):
    """What half precision changes: the same seeds with the weights as trained and as stored.

    Attributes:
        pictures: compared.
        same: share of their values that are equal, in [0, 1].
        within_one: share that differ by at most 1 of 255.
        most: the largest difference, of 255.
    """

    pictures: Count
    same: Share
    within_one: Share
    most: Annotated[int, Field(ge=0, le=255)]


class Card(Config):
    """What a model says of itself beside its recipe.

    Attributes:
        name: by which it is asked for.
        title: one line.
        licence: of the weights.
        data: what it learned from, the main dataset first.
        training: how, where that is known.
        evaluation: what was measured, as `facegan.evaluation.results.Evaluation` writes it.
        rounding: what half precision changes; None where the weights are as trained.
        use: what it is for, and what not: paragraphs of plain text.
        limits: what to know of it: paragraphs of plain text.
    """

    name: Line
    title: Line
    licence: Line
    data: Annotated[tuple[TrainingData, ...], Field(min_length=1, max_length=20)]
    training: Training | None = None
    evaluation: dict[str, Any]
    rounding: Rounding | None = None
    use: Paragraphs = ()
    limits: Paragraphs = ()


def read_card(said: dict[str, Any] | None, where: object) -> Card:
    """The card inside a file, checked.

    Args:
        said: `About.card`.
        where: the file, for errors.

    Raises:
        RunError: there is none, or it makes no sense.
    """
    if said is None:
        raise RunError(
            f"{where} is a generator without a card.",
            f"Make a model of it: facegan models pack {where} --name NAME --out NAME.safetensors",
        )
    try:
        card = Card.model_validate_json(json.dumps(said))
        if not is_name(card.name):
            raise ValueError(f"{card.name[:80]!r} is not a name for a model")
    except (ValidationError, ValueError, RecursionError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else None
        reason = f"{'.'.join(map(str, first['loc']))}: {first['msg']}" if first else str(error)
        reason = one_line(reason)
        raise RunError(
            f"The card of {where} makes no sense: {reason}.",
            "The file is damaged or was changed; take the original.",
        ) from error
    return card
