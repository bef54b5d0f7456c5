"""`facegan models`: the generators in the box and those installed: list, install, hand on."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from facegan.data.spec import Label
from facegan.errors import FaceganError, RunError, one_line, storage
from facegan.files import new_folder, write_json, write_text
from facegan.models import hub, store
from facegan.models.about import About, read_about
from facegan.models.companions import companion, companions, write_model
from facegan.models.store import Model
from facegan.parsing import parse_toml
from facegan.values import Listing, Markdown, Value

_MODEL, _README, _CONFIG, _SAMPLES = hub.MODEL, "README.md", "config.json", "samples.png"
_COLUMNS = 8
# Beyond any score.
_FAR = 1e15


@dataclass(frozen=True)
class Listed(Value):
    """A line of the list.

    Attributes:
        model: its name and place.
        size: of its file, in bytes.
        about: what its file says; None where that cannot be read.
        ratio: its distance over that of as many real pictures; None where there is none.
        space: the feature space of the distance, and the number of pictures.
        trouble: why nothing can be said.
    """

    model: Model
    size: int
    about: About | None = None
    ratio: float | None = None
    space: str = ""
    trouble: str = ""

    def rows(self) -> list[dict[str, Any]]:
        """One: what the list of models shows."""
        about = self.about
        row = {"model": self.model.name, "bundled": self.model.bundled, "bytes": self.size}
        if about is not None:
            row |= {
                "recipe": about.recipe_name,
                "resolution": about.spec.resolution,
                "kimg": about.images_seen / 1000,
                "labels": len(about.spec.labels),
            }
        return [row | {"fd_ratio": self.ratio, "measured": self.space, "trouble": self.trouble}]


def listed() -> Listing[Listed]:
    """Every model, those in the box first. A damaged one is a line, not an error."""
    return Listing(_line(model) for model in store.models())


def _line(model: Model) -> Listed:
    from facegan.models.card import read_card

    size = model.path.stat().st_size
    try:
        about = read_about(model.path)
        evaluation = read_evaluation(read_card(about.card, model.path).evaluation, model.path)
    except RunError as error:
        return Listed(model, size, trouble=error.message)
    for space in evaluation.features:
        if (fd := space.scores.get("fd")) is not None:
            measured = f"{space.extractor}, n = {evaluation.n_fake:,}"
            return Listed(model, size, about, fd.ratio, measured)
    return Listed(model, size, about)


def model_path(name: str | None = None) -> Path:
    """The file of a model; of the one that is used where nothing is asked for, without a name."""
    return store.find_model(name or store.DEFAULT).path


def described(source: str | Path) -> str | None:
    """`lfw-64 (ignm-cpu, 352 kimg of lfw)`, where a source is a model; None for others."""
    model = store.model_at(store.find_source(source))
    if model is None:
        return None
    about = read_about(model.path)
    kimg = f"{about.images_seen / 1000:g} kimg"
    learned = one_line(about.dataset.get("name"), 80)
    return f"{model.name} ({about.recipe_name}, {kimg} of {learned})"


def labels(source: str | Path, best: bool = False) -> Sequence[Label]:
    """What a run, a file or a model can be asked for. Empty for one without labels."""
    path = store.find_source(source)
    if not path.is_file():
        from facegan.runs.find import find_generator

        path = find_generator(source, best=best)
    return read_about(path).spec.labels


def install(
    source: str | Path,
    name: str | None = None,
    overwrite: bool = False,
    revision: str | None = None,
) -> Model:
    """Put a model where models are found by name, once it has proved sound.

    Args:
        source: a file that `facegan models pack` made, here or elsewhere; or a repository on a
            hub, `user/name`, where no file is called so.
        name: to find it by; that in its card by default.
        overwrite: replace an installed model of that name.
        revision: of a repository: a branch, a tag or a commit; the newest by default.

    Raises:
        RunError: it is no model, it is damaged, the name is taken, or the hub does not have it.
        FaceganError: a hub cannot be used: see `facegan.models.hub`.
    """
    path = Path(source)
    if not path.exists() and hub.is_repository(path.as_posix()):
        with tempfile.TemporaryDirectory(prefix="facegan-") as folder:
            file, origin = hub.download(path.as_posix(), Path(folder), revision)
            return _installed(file, name, overwrite, origin)
    if revision is not None:
        raise FaceganError(
            f"{path} is no repository on a hub: it has no revision {revision!r}.",
            "Give USER/NAME, or leave the revision out.",
        )
    return _installed(path, name, overwrite, None)


def _installed(path: Path, name: str | None, overwrite: bool, origin: hub.Origin | None) -> Model:
    from facegan.models.card import read_card
    from facegan.models.discriminator_file import read_discriminator
    from facegan.models.file import GeneratorFile

    card = read_card(read_about(path).card, path)
    name = store.require_name(name or card.name)
    if any(model.bundled and model.name == name for model in store.models()):
        raise RunError(
            f"{name} is the name of a model in the box.", "Give another: `name` my-faces."
        )
    target = store.installed_folder() / f"{name}{store.SUFFIX}"
    if not overwrite and any(model.name == name for model in store.models()):
        raise RunError(
            f"A model {name} is installed already.", "Replace it with `overwrite`, or give `name`."
        )
    read_evaluation(card.evaluation, path)
    GeneratorFile.load(path)
    read_discriminator(path)
    model = Model(name, target, bundled=False)
    store.remember_origin(model, None if origin is None else asdict(origin))
    beside = {kind: own.read_bytes() for kind, own in companions(path).items()}
    write_model(target, path.read_bytes(), beside)
    return model


def push(
    source: str | Path,
    repository: str,
    *,
    private: bool = False,
    revision: str | None = None,
    add: Callable[[Path], object] | None = None,
) -> hub.Origin:
    """Put a model on a hub: what `export` writes, as one commit.

    Args:
        source: a model's name, or its file.
        repository: `user/name`; made if it is not there.
        private: of a repository that is made: whether others cannot see it.
        revision: a branch, made if it is not there; the main one by default.
        add: called with the folder before it is pushed; may write further files into it.

    Returns:
        The commit: `install` of the repository with it as `revision` gives this model again.

    Raises:
        RunError: it is no model, or has no card.
        FaceganError: the hub cannot be used: see `facegan.models.hub`.
    """
    hub.require_repository(repository)
    with tempfile.TemporaryDirectory(prefix="facegan-") as folder:
        export(source, Path(folder) / "model")
        if add is not None:
            add(Path(folder) / "model")
        return hub.upload(Path(folder) / "model", repository, private=private, revision=revision)


def remove(name: str) -> Path:
    """Delete an installed model. Returns the file that was."""
    model = store.find_model(name)
    if model.bundled:
        raise RunError(f"{name} is in the box: it comes with facegan.", "Leave it there.")
    store.remember_origin(model, None)
    with storage(model.path):
        for beside in companions(model.path).values():
            beside.unlink()
        model.path.unlink()
    return model.path


def card_text(source: str | Path) -> str:
    """The card of a model, by name or file, as a README.md in the layout of model hubs."""
    from facegan.models.card import read_card
    from facegan.models.readme import readme

    path = _file_of(source)
    about = read_about(path)
    card = read_card(about.card, path)
    return readme(about, card, read_evaluation(card.evaluation, path))


def model_card(source: str | Path) -> Markdown:
    """The card of a model, by name or file; a notebook shows it as the page that it is."""
    return Markdown(card_text(source).partition("\n---\n")[2])


def export(source: str | Path, out: str | Path, overwrite: bool = False) -> list[Path]:
    """Write a folder that can be given to a model hub as it is.

    It holds README.md (the card), config.json, model.safetensors (the same file), samples.png,
    the pictures of seeds 0 to 63, and what belongs to the model: its discriminator, directions.

    Args:
        source: a model's name, or its file.
        out: the folder; made if it is not there.
        overwrite: replace files of these names there.

    Returns:
        The files written.
    """
    from facegan.apps.generate import generate

    path, folder = _file_of(source), Path(out)
    text, about = card_text(path), read_about(path)
    files = [folder / name for name in (_README, _CONFIG, _MODEL, _SAMPLES)]
    beside_it = companions(path)
    files += [companion(folder / _MODEL, kind) for kind in beside_it]
    # Beside other files, all are made in a folder of their own first, then moved. Where that folder
    # is left, an export ended while it moved them: what has arrived is its own.
    place = folder / ".export"
    there = [file for file in files if file.exists()]
    if there and not overwrite and not place.exists():
        raise FaceganError(
            f"{there[0]} is there already.", "Give another folder, or replace it with `overwrite`."
        )
    with storage(folder):
        fresh = not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))
        with new_folder(folder if fresh else place) as beside:
            shutil.copyfile(path, beside / _MODEL)
            for kind, own in beside_it.items():
                shutil.copyfile(own, companion(beside / _MODEL, kind))
            write_text(beside / _README, text)
            write_json(beside / _CONFIG, _config(about))
            generate(beside / _MODEL, beside / _SAMPLES, n=_COLUMNS**2, grid=True, columns=_COLUMNS)
        if not fresh:
            for file in files:
                (place / file.name).replace(file)
            place.rmdir()
    return files


def _file_of(source: str | Path) -> Path:
    path = store.find_source(source)
    return path if path.is_file() else store.find_model(str(source)).path


def _config(about: About) -> dict[str, Any]:
    recipe = parse_toml(about.recipe)
    return {
        "library_name": "facegan",
        "facegan_version": about.version,
        "model_type": recipe["generator"]["kind"],
        "resolution": about.spec.resolution,
        "channels": about.spec.channels,
        "pixels": about.pixels,
        "labels": [
            {"name": label.name, "binary": label.binary, "mean": label.mean, "std": label.std}
            for label in about.spec.labels
        ],
        "images_seen": about.images_seen,
        "generator": recipe["generator"],
    }


def read_evaluation(said: dict[str, Any], where: object) -> Any:
    """What was measured of a model, checked: a `facegan.evaluation.results.Evaluation`."""
    from pydantic import ValidationError

    from facegan.evaluation.results import Evaluation

    try:
        if _largest(said) > _FAR:
            raise ValueError("a number is out of all proportion")
        return Evaluation.model_validate_json(json.dumps(said))
    except (ValidationError, ValueError, RecursionError) as error:
        raise RunError(
            f"The evaluation of {where} makes no sense.",
            "It was written by another version of facegan, or changed; take the original.",
        ) from error


def _largest(value: Any) -> float:
    """The largest absolute number anywhere in JSON."""
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return max(map(_largest, inner), default=0.0)
    return abs(value) if isinstance(value, int | float) else 0.0
