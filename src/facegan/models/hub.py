"""A hub of models: files are put there and taken from there, through `huggingface_hub`.

Only a safetensors file is ever taken, and nothing that came with it is run or believed: what is
installed is checked as any other file. `HF_ENDPOINT` names another hub than the public one, and
`HF_TOKEN` or `hf auth login` says who asks.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facegan.errors import FaceganError, RunError, one_line
from facegan.models.companions import KINDS, companion, kind_in
from facegan.version import __version__

MODEL = "model.safetensors"
_PART = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9])?"
_REPOSITORY = re.compile(rf"{_PART}/{_PART}")
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Origin:
    """Where on a hub a file is.

    Attributes:
        repository: `user/name`.
        commit: the 40 digits that name its content for ever.
        hub: its address.
    """

    repository: str
    commit: str
    hub: str

    def __str__(self) -> str:
        return f"{self.repository} at {self.commit[:12]}"


def is_repository(text: str) -> bool:
    """Whether this is the form of a repository's name: `user/name`, no file's name."""
    return bool(_REPOSITORY.fullmatch(text)) and not text.endswith(".safetensors")


def require_repository(text: str) -> str:
    """Refuse what cannot be a repository's name."""
    if not is_repository(text):
        raise FaceganError(
            f"{one_line(text, 80)!r} is not a repository on a hub.",
            "Its form is USER/NAME, of letters, digits, '-', '_' and '.': somebody/my-faces.",
        )
    return text


def upload(
    folder: Path, repository: str, *, private: bool = False, revision: str | None = None
) -> Origin:
    """Put the files of a folder into a repository, as one commit; it is made if need be.

    Files there that the folder does not have stay.

    Args:
        folder: its files are put at the top.
        repository: `user/name`.
        private: of a repository that is made: whether others cannot see it.
        revision: the branch; the main one by default. It is made if need be.

    Raises:
        FaceganError: `huggingface_hub` is not installed, nobody is logged in, or the hub refuses.
    """
    hub, api = _hub(), None
    with _explained(repository, revision):
        api = _api(hub)
        # The hub answers who may write; asked first, so that nothing is made for nobody.
        api.create_repo(repository, private=private or None, exist_ok=True)
        if revision is not None:
            api.create_branch(repository, branch=revision, exist_ok=True)
        made = api.upload_folder(
            repo_id=repository,
            folder_path=folder,
            revision=revision,
            commit_message=f"Model and card, by facegan {__version__}",
        )
    return Origin(repository, str(made.oid), api.endpoint)


def download(repository: str, folder: Path, revision: str | None = None) -> tuple[Path, Origin]:
    """Take the model's file of a repository and what belongs to it, and nothing else.

    That is `model.safetensors`, or the only model that is there, and safetensors files of its name
    beside it: its discriminator, its directions.

    Args:
        repository: `user/name`.
        folder: to put it into.
        revision: a branch, a tag or a commit; the newest of the main branch by default.

    Returns:
        The file, and the commit that it is of: with it as `revision` the same bytes come again.

    Raises:
        FaceganError: `huggingface_hub` is not installed, or the hub cannot be reached.
        RunError: there is no such repository, revision or file.
    """
    hub = _hub()
    with _explained(repository, revision):
        api = _api(hub)
        info = api.model_info(repository, revision=revision)
        if not isinstance(info.sha, str) or not _COMMIT.fullmatch(info.sha):
            raise RunError(f"The hub does not say which commit of {repository} it has.")
        there = [each.rfilename for each in info.siblings or ()]
        models = [name for name in there if _may_be_model(name)]
        if MODEL in models:
            models = [MODEL]
        if len(models) != 1:
            found = ", ".join(one_line(name, 60) for name in sorted(models)[:5])
            raise RunError(
                f"{repository} has {len(models) or 'no'} safetensors file"
                f"{'s' if models else ''} at its top{f': {found}' if found else ''}.",
                f"A model of facegan is one file, {MODEL}. Take a file yourself and install that.",
            )
        path = Path(api.hf_hub_download(repository, models[0], revision=info.sha, local_dir=folder))
        for kind in KINDS:
            name = companion(path, kind).name
            if name in there:
                api.hf_hub_download(repository, name, revision=info.sha, local_dir=folder)
    return path, Origin(repository, info.sha, api.endpoint)


def _may_be_model(name: str) -> bool:
    stem, ending = name.removesuffix(".safetensors"), name.endswith(".safetensors")
    return ending and "/" not in name and kind_in(stem) is None


def _hub() -> Any:
    """The package. What it would tell its makers of how it is used is switched off."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        import huggingface_hub
    except ImportError as error:
        raise FaceganError(
            f"Hubs need the package huggingface_hub ({one_line(error)}).",
            "Install it: pip install 'facegan[hub]'",
        ) from error
    return huggingface_hub


def _api(hub: Any) -> Any:
    endpoint = os.environ.get("HF_ENDPOINT") or None
    return hub.HfApi(endpoint=endpoint, library_name="facegan", library_version=__version__)


_LOGIN = "Log in with 'hf auth login', or put a token into HF_TOKEN."


@contextlib.contextmanager
def _explained(repository: str, revision: str | None) -> Iterator[None]:
    """Say in a sentence what went wrong, and what to do."""
    from huggingface_hub import errors

    at = f"{repository}@{revision}" if revision else repository
    try:
        yield
    except FaceganError:
        raise
    except errors.GatedRepoError as error:
        raise RunError(
            f"{repository} is given only to those who asked for it.",
            f"Ask for it on its page. {_LOGIN}",
        ) from error
    except errors.RevisionNotFoundError as error:
        raise RunError(
            f"{repository} has no revision {revision!r}.", "Give a branch, a tag or a commit."
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise RunError(
            f"There is no model {repository} on the hub, or you may not see it.",
            f"Look at its name. If it is private: {_LOGIN}",
        ) from error
    except errors.EntryNotFoundError as error:
        raise RunError(f"{at} could not be read from the hub: {one_line(error)}") from error
    except errors.LocalTokenNotFoundError as error:
        raise FaceganError("Nobody is logged in at the hub.", _LOGIN) from error
    except errors.HfHubHTTPError as error:
        status = getattr(error.response, "status_code", 0)
        said = one_line(error.server_message or error)
        if status in (401, 403):
            raise FaceganError(f"The hub refuses {repository}: {said}", _LOGIN) from error
        raise FaceganError(
            f"The hub answered with an error ({status}): {said}", "Try again later."
        ) from error
    except (errors.OfflineModeIsEnabled, errors.HTTPError, OSError) as error:
        raise FaceganError(
            f"The hub cannot be reached: {one_line(error)}",
            "Look at the connection, and at HF_ENDPOINT and HF_HUB_OFFLINE if they are set.",
        ) from error
    except ValueError as error:  # what the hub's own checks say of names
        raise FaceganError(f"The hub does not take {at}: {one_line(error)}") from error
