"""A model's card as the README.md that model hubs show: front matter, then plain sections.

All that a file says of itself comes from whoever made it: `documents.render` escapes every text, so
that none can be taken for markup, a link or another field.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from facegan.data.spec import Label, class_groups
from facegan.documents import render
from facegan.evaluation.results import Evaluation, FeatureScores, ScoreName
from facegan.evaluation.wording import (
    COMPARABLE,
    OTHERS,
    arrow,
    at_n,
    compared,
    conditions,
    duration,
    faces_sentence,
    floor_title,
    formatted,
    in_unit,
    kinds_sentence,
    percent,
    ratio,
    score_title,
    spectrum_sentence,
)
from facegan.models.about import About
from facegan.models.card import Card, TrainingData
from facegan.models.store import BUNDLED, SUFFIX

# Licences that hubs know by these names; any other is "other", and told in words.
_KNOWN_LICENCES = frozenset(
    ("apache-2.0", "mit", "bsd-3-clause", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0")
)
_SHOWN: tuple[ScoreName, ...] = (
    *("fd_infinity", "fd", "kid"),
    *("precision", "recall", "coverage"),
)


def readme(about: About, card: Card, evaluation: Evaluation) -> str:
    """The whole README.md. `samples.png` and `model.safetensors` are expected beside it."""
    licence = card.licence.lower()
    agreement = evaluation.agreement
    found = [f for f in (evaluation.clear_faces, evaluation.faces) if f is not None]
    return render(
        "facegan.models",
        "readme.md",
        about=about,
        card=card,
        evaluation=evaluation,
        licence=licence if licence in _KNOWN_LICENCES else "",
        metrics=list(_metrics(evaluation)),
        commands=_commands(card.name),
        # Whoever wrote the card wrote this: what is no call of facegan alone is shown as text.
        trained_by="sh" if card.training and _only_facegan(card.training.command) else "text",
        options=options_of(about.spec.labels),
        conditions=conditions(evaluation),
        comparable=COMPARABLE,
        scores=[
            {"extractor": space.extractor, "rows": list(_rows(space, evaluation.n_fake))}
            for space in evaluation.features
        ],
        floor=floor_title(evaluation.floors),
        others=OTHERS,
        kinds="" if evaluation.kinds is None else kinds_sentence(evaluation.kinds),
        left_out=[] if evaluation.kinds is None else evaluation.kinds.left_out,
        percent=percent,
        spectrum="" if evaluation.spectrum is None else spectrum_sentence(evaluation.spectrum),
        faces=" ".join(faces_sentence(each) for each in found)
        or "In how many pictures a face is found was not measured.",
        agreement=compared(agreement) if agreement else "",
        labels=[
            (label.name, label.measure, formatted(label.generated), formatted(label.real))
            for label in (agreement.labels if agreement else ())
        ],
        data=[_facts(_of_data(each, mixed=number > 0)) for number, each in enumerate(card.data)],
        training=_facts(_of_training(about, card)),
    )


def option(label: Label) -> str:
    """`--wearing-hat`: how a label is asked for."""
    return option_name(label.name)


def option_name(name: str) -> str:
    """The option for a label, or for a column of classes."""
    return "--" + re.sub(r"[_\s]+", "-", name).lower()


def taken(label: Label) -> str:
    """What values a label takes."""
    if label.binary:
        return "0 (no) to 1 (yes)"
    return f"a number, usually {label.mean:.3g} ± {label.std:.3g}"


def options_of(labels: Sequence[Label]) -> list[tuple[str, str]]:
    """How each label is asked for, and what it takes; the classes of one column together."""
    groups = class_groups([label.name for label in labels])
    found = [
        (option_name(column), f"one of {', '.join(words)}") for column, words in groups.items()
    ]
    return found + [
        (option(label), taken(label))
        for label in labels
        if label.name.partition("=")[0] not in groups
    ]


def _metrics(evaluation: Evaluation) -> Iterator[tuple[str, str, float]]:
    """Type, name and value, the number of pictures and the floor in the name."""
    n = f"n = {evaluation.n_fake:,}"
    for space in evaluation.features:
        for name in _shown(space):
            generated, real = (
                in_unit(name, each).value
                for each in (space.scores[name].generated, space.scores[name].real)
            )
            title = score_title(name, space.extractor)
            kind = "fid" if title == "FID" else f"{name}-{space.extractor}"
            said = f"{title} ({space.extractor}, {n}; real pictures: {real:.4g})"
            yield kind, said, generated
    for faces in (evaluation.faces, evaluation.clear_faces):
        if faces is not None:
            said = f"Faces found ({faces.detector}, n = {faces.n:,}; real: {faces.real.value:.4g})"
            yield "face-detection-rate", said, faces.generated.value


def _shown(space: FeatureScores) -> list[ScoreName]:
    return [name for name in _SHOWN if name in space.scores]


def _rows(space: FeatureScores, n: int) -> Iterator[tuple[object, ...]]:
    for name in _shown(space):
        score = space.scores[name]
        title = f"{score_title(name, space.extractor)} {arrow(name)}"
        generated, real, others = (
            formatted(None if each is None else in_unit(name, each))
            for each in (score.generated, score.real, score.others)
        )
        times = ratio(score.best_ratio)
        at = "" if score.best_ratio is None else f" ({at_n(name, n)})"
        yield title, generated, real, others, f"{times}{at}"


def _commands(name: str) -> str:
    lines = [
        "facegan generate model.safetensors --out faces -n 100 --seed 0",
        "facegan models install model.safetensors",
        f"facegan generate --model {name}",
    ]
    if (BUNDLED / f"{name}{SUFFIX}").exists():
        del lines[1]  # it comes with facegan
    return "\n".join(lines)


def _of_data(data: TrainingData, mixed: bool) -> dict[str, Any]:
    return {
        "dataset": f"{data.name} (mixed in)" if mixed else data.name,
        "source": data.source,
        "licence of the pictures": data.licence or "not stated",
        "pictures to train on": data.train,
        "kept from training": data.holdout,
        "people": data.identities,
        "crop": None if data.crop is None else f"{data.crop} (facegan data import --crop)",
        "fingerprint": data.fingerprint,
    }


def _of_training(about: About, card: Card) -> dict[str, Any]:
    facts = {"recipe": about.recipe_name, "images shown": f"{about.images_seen / 1000:g} kimg"}
    if (training := card.training) is None:
        return facts
    return facts | {
        "time": None if training.seconds is None else duration(training.seconds),
        "device": training.device,
        "precision": training.precision,
        "facegan": training.facegan,
        "commit": training.commit,
    }


def _facts(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """What is known of them, numbers with separators."""
    return [
        (name, f"{value:,}" if isinstance(value, int) else str(value))
        for name, value in facts.items()
        if value is not None
    ]


def _only_facegan(command: str) -> bool:
    """Whether a line calls facegan, and nothing else in the shells of this world."""
    if not command.isprintable() or any(sign in command for sign in "$`!"):
        return False
    try:
        words = list(shlex.shlex(command, posix=True, punctuation_chars=True))
    except ValueError:
        return False
    return words[:1] == ["facegan"] and not any(set(word) <= set("();<>|&") for word in words)
