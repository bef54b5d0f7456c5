"""A model's card as the README.md that model hubs show: front matter, then plain sections.

All that a file says of itself comes from whoever made it: in Markdown every text is escaped, in
the front matter quoted, so that none can be taken for markup, a link or another field.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from facegan.data.spec import Label
from facegan.evaluation.results import (
    LESS_IS_BETTER,
    SCORE_TITLES,
    Estimate,
    Evaluation,
    FeatureScores,
    ScoreName,
)
from facegan.evaluation.wording import duration, fixed, formatted, ratio
from facegan.models.about import About
from facegan.models.card import Card, Training, TrainingData
from facegan.models.markdown import block, code, escaped, quoted, table
from facegan.models.store import BUNDLED, SUFFIX
from facegan.report.agreement import compared

# Licences that hubs know by these names; any other is "other", and told in words.
_KNOWN_LICENCES = frozenset(
    ("apache-2.0", "mit", "bsd-3-clause", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0")
)
_SHOWN: tuple[ScoreName, ...] = ("fd", "kid", "precision", "recall", "coverage")


def readme(about: About, card: Card, evaluation: Evaluation) -> str:
    """The whole README.md. `samples.png` and `model.safetensors` are expected beside it."""
    sections = (
        _beginning(about, card),
        _use(about, card),
        _paragraphs("What it is for, and what not", card.use),
        _paragraphs("Limits", card.limits),
        _scores(evaluation),
        _agreement(evaluation),
        _copying(evaluation),
        _data(card.data),
        _training(about, card.training),
        _file(about, card),
    )
    body = "\n\n".join(text for section in sections for text in section)
    return f"{_front_matter(about, card, evaluation)}\n{body}\n"


def _front_matter(about: About, card: Card, evaluation: Evaluation) -> str:
    known = card.licence.lower() in _KNOWN_LICENCES
    lines = ["---", f"license: {card.licence.lower() if known else 'other'}"]
    if not known:
        lines.append(f"license_name: {quoted(card.licence)}")
    lines += [
        "library_name: facegan",
        "pipeline_tag: unconditional-image-generation",
        "tags:",
        *(f"- {quoted(tag)}" for tag in ("gan", "faces", "synthetic", about.recipe_name)),
    ]
    if metrics := list(_metrics(evaluation)):
        lines += [
            "model-index:",
            f"- name: {quoted(card.name)}",
            "  results:",
            "  - task:",
            "      type: unconditional-image-generation",
            "    dataset:",
            f"      name: {quoted(evaluation.dataset)}",
            f"      type: {quoted(evaluation.dataset)}",
            f"      split: {evaluation.reference}",
            "    metrics:",
        ]
        for kind, name, value in metrics:
            lines += [
                f"    - type: {quoted(kind)}",
                f"      name: {quoted(name)}",
                f"      value: {value:.6g}",
            ]
    return "\n".join([*lines, "---", ""])


def _metrics(evaluation: Evaluation) -> Iterator[tuple[str, str, float]]:
    """Type, name and value, the number of pictures and the floor in the name."""
    n = f"n = {evaluation.n_fake:,}"
    for space in evaluation.features:
        for score in _SHOWN:
            if score not in space.scores:
                continue
            found, title = space.scores[score], _title(score, space)
            kind = "fid" if title == "FID" else f"{score}-{space.extractor}"
            floor = f"{found.real.value:.4g}"
            yield (
                kind,
                f"{title} ({space.extractor}, {n}; real pictures: {floor})",
                (found.generated.value),
            )
    if evaluation.faces is not None:
        faces = evaluation.faces
        name = f"Faces found ({faces.detector}, {n}; real pictures: {faces.real.value:.4g})"
        yield "face-detection-rate", name, faces.generated.value


def _title(score: ScoreName, space: FeatureScores) -> str:
    return SCORE_TITLES[score].replace("FD", "FID" if space.extractor == "inception" else "FD")


def _beginning(about: About, card: Card) -> Iterator[str]:
    side, colours = about.spec.resolution, "in colour" if about.spec.channels == 3 else "in grey"
    yield f"# {escaped(card.name)}"
    yield escaped(card.title)
    yield (
        f"A generator of faces of {side}×{side} pixels {colours}, trained with facegan. **What it "
        "makes is generated: none of its pictures is a photograph.**"
    )
    yield "![64 generated faces, seeds 0 to 63, none picked](samples.png)"


def _use(about: About, card: Card) -> Iterator[str]:
    yield "## Use it"
    lines = [
        "facegan generate model.safetensors --out faces -n 100 --seed 0",
        "facegan models install model.safetensors",
        f"facegan generate --model {card.name}",
    ]
    if (BUNDLED / f"{card.name}{SUFFIX}").exists():
        del lines[1]  # it comes with facegan
    yield block("\n".join(lines), "sh")
    if about.spec.labels:
        yield "It was trained with labels, and each can be asked for by name:"
        yield "\n".join(
            ["| option | what it takes |", "|---|---|"]
            + [f"| {code(option(label))} | {taken(label)} |" for label in about.spec.labels]
        )


def option(label: Label) -> str:
    """`--wearing-hat`: how a label is asked for."""
    return "--" + re.sub(r"[_\s]+", "-", label.name).lower()


def taken(label: Label) -> str:
    """What values a label takes."""
    if label.binary:
        return "0 (no) to 1 (yes)"
    return f"a number, usually {label.mean:.3g} ± {label.std:.3g}"


def _paragraphs(heading: str, texts: Iterable[str]) -> Iterator[str]:
    if found := [f"- {escaped(text)}" for text in texts]:
        yield f"## {heading}"
        yield "\n".join(found)


def _scores(evaluation: Evaluation) -> Iterator[str]:
    yield "## How good it is"
    yield (
        f"{evaluation.n_fake:,} generated pictures beside {evaluation.n_real:,} real ones of "
        f"{escaped(evaluation.dataset)} ({evaluation.reference}), seed {evaluation.seed}. The "
        "floor is the same score of as many real pictures; in brackets are 95 % intervals. "
        "Compare only where dataset, numbers, extractor and seed are the same."
    )
    for space in evaluation.features:
        rows = [f"| {escaped(space.extractor)} | generated | real (floor) | ratio |"]
        rows.append("|---|---:|---:|---:|")
        for score in _SHOWN:
            if score in space.scores:
                found, title = space.scores[score], _title(score, space)
                scale = 1000 if score == "kid" else 1
                title = f"{title} × 10³" if score == "kid" else title
                cells = (_scaled(found.generated, scale), _scaled(found.real, scale))
                arrow = "↓" if score in LESS_IS_BETTER else "↑"
                rows.append(f"| {title} {arrow} | {cells[0]} | {cells[1]} | {ratio(found.ratio)} |")
        yield "\n".join(rows)
    if evaluation.faces is not None:
        faces = evaluation.faces
        yield (
            f"A face is found in {formatted(faces.generated, percent=True)} of the generated pictures "
            f"and in {formatted(faces.real, percent=True)} of real ones ({escaped(faces.detector)}, "
            f"n = {faces.n:,})."
        )
    else:
        yield "In how many pictures a face is found was not measured."
    if evaluation.caveat is not None:
        yield escaped(evaluation.caveat)


def _scaled(found: Estimate, scale: float) -> str:
    return str(
        formatted(
            Estimate(value=scale * found.value, low=scale * found.low, high=scale * found.high)
        )
    )


def _agreement(evaluation: Evaluation) -> Iterator[str]:
    if (found := evaluation.agreement) is None:
        return
    yield "## Whether it shows what is asked for"
    yield compared(found)
    rows = [
        f"| {code(each.name)} | {each.measure} | {formatted(each.generated)} | "
        f"{'–' if each.real is None else formatted(each.real)} |"
        for each in found.labels
    ]
    yield "\n".join(["| label | | generated | real |", "|---|---|---:|---:|", *rows])


def _copying(evaluation: Evaluation) -> Iterator[str]:
    yield "## Copies of training pictures"
    if evaluation.copying is None:
        yield "Not looked for."
    else:
        yield escaped(evaluation.copying.said)


def _data(data: tuple[TrainingData, ...]) -> Iterator[str]:
    yield "## What it learned from"
    for number, each in enumerate(data):
        facts: dict[str, Any] = {
            "dataset": each.name if number == 0 else f"{each.name} (mixed in)",
            "source": each.source,
            "licence of the pictures": each.licence or "not stated",
            "pictures to train on": each.train,
            "kept from training": each.holdout,
            "people": each.identities,
            "crop": None if each.crop is None else f"{each.crop} (facegan data import --crop)",
            "fingerprint": each.fingerprint,
        }
        yield table(facts)


def _training(about: About, training: Training | None) -> Iterator[str]:
    yield "## How it was trained"
    facts: dict[str, Any] = {
        "recipe": about.recipe_name,
        "images shown": f"{about.images_seen / 1000:g} kimg",
    }
    if training is not None:
        facts |= {
            "time": None if training.seconds is None else duration(training.seconds),
            "device": training.device,
            "precision": training.precision,
            "facegan": training.facegan,
            "commit": training.commit,
        }
    yield table(facts)
    if training is not None:
        yield block(training.command, "sh")
    yield "The recipe in full:"
    yield block(about.recipe, "toml")


def _file(about: About, card: Card) -> Iterator[str]:
    yield "## The file"
    yield (
        "model.safetensors holds weights and this card, and nothing that could be executed; "
        f"facegan {escaped(about.version)} wrote it. Licence of the weights: "
        f"{escaped(card.licence.rstrip('.'))}."
    )
    if card.rounding is not None:
        found = card.rounding
        yield (
            "Matrices and kernels are stored in half precision (float16) and computed with in "
            f"float32. Against the weights as trained, {fixed(100 * found.same, 1)} % of the "
            f"values in {found.pictures} pictures are equal, {fixed(100 * found.within_one, 2)} % "
            f"within 1 of 255, and the largest difference is {found.most}."
        )
