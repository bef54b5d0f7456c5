"""Models by name: those in the box, which come with facegan, and those installed beside it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from facegan.errors import FaceganError, RunError, nearest, one_line, storage
from facegan.files import data_folders, write_json
from facegan.models.companions import kind_in
from facegan.parsing import parse_json
from facegan.values import Value

BUNDLED = Path(__file__).parent / "bundled"
DEFAULT = "lfw-64"
SUFFIX = ".safetensors"


_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
# Names that some systems keep for devices, whatever their ending.
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?")


@dataclass(frozen=True)
class Model(Value):
    """A model's place.

    Attributes:
        name: by which it is asked for: that of its file, without the ending.
        path: its file.
        bundled: whether it came with facegan.
    """

    name: str
    path: Path
    bundled: bool


def is_name(text: str) -> bool:
    """Whether a model may be called so: a word that is a safe file name everywhere."""
    safe = bool(_NAME.fullmatch(text)) and not _DEVICES.fullmatch(text) and not text.endswith(".")
    return safe and kind_in(text) is None


def require_name(text: str) -> str:
    """Refuse what is no name of a model."""
    if not is_name(text):
        raise FaceganError(
            f"{text[:80]!r} is not a name for a model.",
            "Use small letters, digits, '-', '_' and '.', beginning with a letter or digit: "
            "lfw-64.",
        )
    return text


def installed_folder() -> Path:
    """Where models are installed: in $FACEGAN_HOME, or the user's data."""
    return data_folders()[0] / "models"


def models() -> list[Model]:
    """All of them by name, those in the box first; what they hold is not looked at."""
    found: dict[str, Model] = {}
    places = [(BUNDLED, True), *((folder / "models", False) for folder in data_folders())]
    for folder, bundled in places:
        for path in sorted(folder.glob(f"*{SUFFIX}")):
            if is_name(path.stem):
                found.setdefault(path.stem, Model(path.stem, path, bundled))
    return list(found.values())


def remember_origin(model: Model, origin: Mapping[str, str] | None) -> None:
    """Note beside an installed model which commit of which repository it is; None: nothing."""
    note = model.path.with_suffix(".json")
    if origin is not None:
        write_json(note, dict(origin))
        return
    with storage(note):
        note.unlink(missing_ok=True)


def origin_of(model: Model) -> str:
    """`somebody/my-faces at 1f0c8a2b3c4d`, where a model came from a hub; otherwise empty."""
    try:
        said = parse_json(model.path.with_suffix(".json").read_bytes())
        return one_line(f"{said['repository']} at {said['commit'][:12]}")
    except (OSError, ValueError, LookupError, TypeError):
        return ""


def find_model(name: str) -> Model:
    """A model by its name. Raises RunError where there is none."""
    found = {model.name: model for model in models()}
    if name not in found:
        raise RunError(f"There is no model {name[:80]!r}.", nearest(name, found))
    return found[name]


def find_source(source: Path | str, say: Callable[[str], None] = lambda message: None) -> Path:
    """The path that is meant where a run, a file or a model's name may be given.

    What lies at that path comes before a model of the same name.

    Args:
        source: a path, or a model's name.
        say: told where a path hides a model.

    Returns:
        The path; also where nothing is there and no model has that name.
    """
    path = Path(source)
    model = {model.name: model for model in models()}.get(str(source))
    if model is None:
        return path
    if path.exists():
        say(f"{source} is taken for the path ./{source}; the model of that name is {model.path}.")
        return path
    return model.path


def model_at(path: Path) -> Model | None:
    """The model whose file this is; None for other files."""
    return next((model for model in models() if model.path == path), None)
