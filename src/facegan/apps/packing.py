"""`facegan models pack`: a model, ready to hand on, from a run or a generator's file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import ValidationError

from facegan.apps.datasets import open_dataset
from facegan.apps.models import read_evaluation
from facegan.data.people import people_known
from facegan.errors import FaceganError, RunError, printable
from facegan.evaluation.results import Evaluation
from facegan.files import read_json
from facegan.generation.samples import GROUP, pictures
from facegan.models.about import read_about
from facegan.models.card import (
    Card,
    Rounding,
    Training,
    TrainingData,
    read_card,
)
from facegan.models.companions import companions, write_model
from facegan.models.discriminator_file import discriminator_bytes, read_discriminator
from facegan.models.file import GeneratorFile
from facegan.models.store import SUFFIX, require_name
from facegan.runs.checkpoint import latest, of_network
from facegan.runs.commands import commands
from facegan.runs.directory import RunDirectory
from facegan.runs.find import find_generator
from facegan.runs.reading import Reading, part, read
from facegan.values import Value

# Scores of fewer pictures say little, and are not comparable with those of other models. Who has
# few photographs cannot measure more than half as many, and may pack a model all the same.
ENOUGH = 1_000

USE = (
    "For research and teaching: to see how generators of faces learn and fail, to compare methods "
    "and measures, to try tools on faces.",
    "Say that the pictures are generated wherever you show them. Every PNG that facegan writes "
    "says so in its metadata; leave it there.",
    "Not to deceive: no profiles of invented people, no picture shown as a photograph, nothing "
    "that is said to show a real person.",
    "Not to decide anything about people, and not to train or test systems that recognise or judge "
    "people as if these were a fair sample of them: they are not.",
)
LIMITS = (
    "A generated face can resemble a person whose photograph was in the training data, or anybody "
    "else. What was seen of copies stands below; that nothing was copied cannot be proved.",
    "What is frequent in the training data is frequent and better in the pictures; what is rare "
    "there is rarer and worse, or missing. Its bias is theirs, and not measured here.",
    "Some pictures are bent, smeared or no face at all. None of those shown here was picked.",
)


@dataclass(frozen=True)
class Packed(Value):
    """A model that was written.

    Attributes:
        path: its file.
        size: in bytes.
        card: what it says of itself.
        remarks: what is not in the card, and how to put it there.
        discriminator: the file of the discriminator, where one was kept.
    """

    path: Path
    size: int
    card: Card
    remarks: tuple[str, ...]
    discriminator: Path | None = None


def pack(
    source: str | Path,
    name: str,
    out: str | Path,
    *,
    title: str | None = None,
    licence: str | None = None,
    data: str | Path | None = None,
    evaluation: str | Path | None = None,
    limits: str | Path | None = None,
    best: bool = False,
    overwrite: bool = False,
    discriminator: bool = True,
) -> Packed:
    """Write a model: weights in half precision, with a card of all that is known of it.

    The discriminator that a run's last checkpoint holds goes into a file beside it, so that
    training can go on from both networks. Of a best snapshot or of a single file there is none.

    Args:
        source: a run's folder, a generator.safetensors file, or a model to write anew.
        name: by which it will be asked for.
        out: the file, ending in .safetensors.
        title: one line that says what it is.
        licence: of the weights.
        data: the dataset that it learned from, for the counts in its card.
        evaluation: a file that `facegan evaluate --json` printed, in the place of what the run
            recorded.
        limits: a file of plain text, about the training data above all: paragraphs with empty
            lines between them, to stand before the general ones.
        best: of a run: its best snapshot instead of its last.
        overwrite: replace a file at `out`.
        discriminator: keep the discriminator too, where there is one.

    Raises:
        FaceganError: it has no evaluation of enough pictures, or what was given does not fit.
    """
    require_name(name)
    target = Path(out)
    if target.suffix != SUFFIX:
        raise FaceganError(
            f"`out` {target}: a model's file ends in {SUFFIX}.", f"`out` {name}{SUFFIX}"
        )
    if target.exists() and not overwrite:
        raise FaceganError(f"{target} is there already.", "Replace it with `overwrite`.")
    passed_over: list[str] = []
    path = find_generator(source, passed_over.append, best)
    file = GeneratorFile.load(path)
    reading = read(Path(source)) if Path(source).is_dir() else None
    before = _card_before(path)
    measured = _evaluation(source, path, file, reading, before, evaluation, best, data)
    rounded = file.halved()
    spec = file.generator.spec
    own_title = f"Faces at {spec.resolution}×{spec.resolution} pixels, by {file.recipe.name}"
    own_limits = LIMITS if before is None else before.limits
    said = {
        "name": name,
        "title": _given(title, before.title if before else None, own_title),
        "licence": _given(licence, before.licence if before else None, "not stated"),
        "data": _training_data(file, data, before, measured),
        "training": _training(reading) if reading is not None else before and before.training,
        "evaluation": measured.model_dump(mode="json"),
        "rounding": _rounding(file, rounded) if before is None else before.rounding,
        "use": USE,
        "limits": own_limits if limits is None else (*_paragraphs(Path(limits)), *LIMITS),
    }
    try:
        card = Card.model_validate(said)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise FaceganError(f"This does not fit on a card: {where}: {first['msg']}.") from error
    content = rounded.to_bytes(card.model_dump(mode="json"), half=True)
    # Read before anything is replaced: the source may be the model that is written anew.
    kept = _discriminator(Path(source), path, best) if discriminator else None
    beside = {} if kept is None else {"discriminator": discriminator_bytes(content, kept)}
    # What belonged to another model of that name goes; directions of a model written anew stay.
    write_model(target, content, beside, keep=path == target)
    remarks = (*passed_over, *_remarks(card, measured))
    return Packed(target, len(content), card, remarks, companions(target).get("discriminator"))


def _discriminator(source: Path, generator: Path, best: bool) -> Mapping[str, torch.Tensor] | None:
    """That of the same checkpoint as the generator, or the one beside a model's file."""
    if not source.is_dir():
        return read_discriminator(generator)
    if best:
        return None
    found = latest(RunDirectory(source).require().checkpoints)
    if found is None or found.path != generator.parent:  # a disk that reads no more what it read
        raise RunError(
            f"The checkpoint {generator.parent.name} could be read for its generator, and not "
            "for its discriminator.",
            "Try again, or pack the generator alone.",
        )
    return of_network(found.tensors(), "discriminator")


def _given(asked: str | None, before: str | None, otherwise: str) -> str:
    return printable(asked or before or otherwise).strip()


def _card_before(path: Path) -> Card | None:
    said = read_about(path).card
    return None if said is None else read_card(said, path)


def _evaluation(
    source: str | Path,
    path: Path,
    file: GeneratorFile,
    reading: Reading | None,
    before: Card | None,
    given: str | Path | None,
    best: bool,
    data: str | Path | None,
) -> Evaluation:
    """What was measured of just this generator, without the names of people in it."""
    if given is not None:
        found = read_evaluation(read_json(Path(given), "The evaluation"), given)
        candidates = [found]
    elif reading is not None:
        candidates = [
            each.evaluation
            for each in reading.evaluations
            if each.images_seen == file.images_seen and not each.evaluation.training
        ]
    else:
        candidates = [] if before is None else [read_evaluation(before.evaluation, path)]
    enough = [
        each
        for each in candidates
        if each.n_fake >= _fewest(each, file, data)
        and any("fd" in space.scores for space in each.features)
    ]
    if not enough:
        kimg = f"{file.images_seen / 1000:g} kimg"
        command = f"facegan evaluate {source}{' --best' if best else ''} --data DATASET"
        if reading is None:
            command += " --json > scores.json, then --evaluation scores.json"
        raise RunError(
            f"No evaluation with {ENOUGH:,} pictures or more, or with half as many as it was "
            f"trained on, is recorded of {source} at {kimg}: a model says how good it is.",
            f"Measure it first: {command}"
            + ("" if data else ". Of fewer than 2,000 photographs, give them as `data`, too."),
        )
    most = max(each.n_fake for each in enough)
    chosen = [each for each in enough if each.n_fake == most][-1]
    if chosen.copying is not None:  # its pairs name photographs of people
        copying = chosen.copying.model_copy(update={"pairs": ()})
        chosen = chosen.model_copy(update={"copying": copying})
    return chosen


def _fewest(measured: Evaluation, file: GeneratorFile, data: str | Path | None) -> int:
    """How many pictures an evaluation takes: `ENOUGH`, or all that a small dataset allows."""
    fingerprint = file.dataset.get("fingerprint")
    if measured.n_fake >= ENOUGH or measured.dataset_fingerprint != fingerprint:
        return ENOUGH
    if measured.copying is not None:
        return min(ENOUGH, measured.copying.n_train // 2)
    # Where few are held out, copies are not looked for, and the number is not recorded.
    if data is not None and (dataset := open_dataset(data)).fingerprint == fingerprint:
        return min(ENOUGH, len(dataset.indices("train")) // 2)
    return ENOUGH


def _training_data(
    file: GeneratorFile, data: str | Path | None, before: Card | None, measured: Evaluation
) -> tuple[TrainingData, ...]:
    if before is not None and data is None:
        return before.data
    identities = [file.dataset, *file.dataset.get("mixed", [])]
    main: dict[str, Any] = {}
    if data is not None:
        dataset = open_dataset(data)
        if dataset.fingerprint != file.dataset.get("fingerprint"):
            raise RunError(
                f"{data} is not what the model learned from: its fingerprint is "
                f"{dataset.fingerprint[:12]}…, and not "
                f"{str(file.dataset.get('fingerprint'))[:12]}….",
                f"Give the dataset of {file.dataset.get('name')}, or leave `data` out.",
            )
        counts = dataset.card.get("counts", {})
        main = {key: counts.get(key) for key in ("train", "holdout")}
        # Nobody counts people whom nobody knows.
        main["identities"] = counts.get("identities") if people_known(dataset) else None
        main["crop"] = str(dataset.card.get("crop"))
    elif measured.copying is not None and measured.dataset_fingerprint == file.dataset.get(
        "fingerprint"
    ):
        main = {"train": measured.copying.n_train, "holdout": measured.copying.n_holdout}
    return tuple(
        TrainingData(
            name=_line(each.get("name")) or "not named",
            source=_line(each.get("source")),
            licence=_line(each.get("licence")),
            fingerprint=_line(each.get("fingerprint")),
            **(main if each is file.dataset else {}),
        )
        for each in identities
    )


def _line(value: object) -> str | None:
    """Of a dataset's card, which may hold anything."""
    return None if value is None else printable(str(value))[:500]


def _training(reading: Reading) -> Training:
    provenance, execution = reading.provenance, reading.execution
    name = reading.run.path.resolve().name
    source = part(provenance, "warm_start").get("source")
    start = None if source is None else Path(str(source)).name
    lines = commands(
        reading.recipe, reading.total, f"runs/{name}", reading.dataset, start_from=start
    )
    (command,) = [each.line for each in lines if each.line.startswith("facegan train")]
    return Training(
        facegan=str(provenance.get("facegan")),
        commit=_line(provenance.get("commit")),
        command=command,
        device=f"{execution.get('device')} ({execution.get('device_name')})",
        precision=str(execution.get("precision")),
        seconds=reading.seconds or None,
    )


def _rounding(file: GeneratorFile, rounded: GeneratorFile) -> Rounding:
    """What half precision costs, on one group of pictures."""
    before, after = (
        np.concatenate(list(pictures(each.generator, each.pixels, range(GROUP)))).astype(np.int16)
        for each in (file, rounded)
    )
    difference = np.abs(after - before)
    return Rounding(
        pictures=GROUP,
        same=float((difference == 0).mean()),
        within_one=float((difference <= 1).mean()),
        most=int(difference.max()),
    )


def _paragraphs(path: Path) -> tuple[str, ...]:
    try:
        text = path.read_text("utf-8")
    except (OSError, ValueError) as error:
        raise FaceganError(f"`limits` {path} cannot be read: {error}.") from error
    parts = (" ".join(printable(part).split()) for part in text.split("\n\n"))
    return tuple(part for part in parts if part)


def _remarks(card: Card, measured: Evaluation) -> tuple[str, ...]:
    said = []
    if card.licence == "not stated":
        said.append("The card says of the weights' licence that it is not stated.")
    if measured.faces is None and measured.clear_faces is None:
        said.append(
            "Nothing was measured of faces found: evaluate with 'facegan[faces]' installed."
        )
    if measured.copying is None:
        said.append("Copies were not looked for: evaluate beside a dataset with held-out pictures.")
    if card.data[0].identities is None:
        said.append(
            "The card does not say how many people were in the data: it is not known who is "
            "shown, or the dataset was not given."
        )
    return tuple(said)
