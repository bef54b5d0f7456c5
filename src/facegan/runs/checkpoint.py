"""Checkpoints: the whole state of a run, checksummed, found only when complete.

A checkpoint is a folder named after the images seen, with `state.safetensors` (networks,
optimizers), `generator.safetensors` (the averaged generator, ready to use), `journal.jsonl`
(metrics.jsonl as it was then) and `manifest.json` (the journal's running sums, each file's
SHA-256, and its own). It holds tensors and JSON alone: nothing that could run code when it is
loaded.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facegan.errors import RunError
from facegan.files import new_folder, read_json, read_safetensors, sha256
from facegan.models.file import GeneratorFile

if TYPE_CHECKING:
    from torch import Tensor

STATE, GENERATOR, MANIFEST = "state.safetensors", "generator.safetensors", "manifest.json"
JOURNAL = "journal.jsonl"
_NAME = re.compile(r"[0-9]+\.[0-9]{3}k")


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint whose files are all there with the right checksums.

    Attributes:
        path: its folder.
        images_seen: where in the run it was taken.
        extra: what the trainer stored beside the tensors.
    """

    path: Path
    images_seen: int
    extra: dict[str, Any]

    def tensors(self) -> dict[str, Tensor]:
        """The state's tensors by name, on the CPU."""
        return read_safetensors(self.path / STATE)[0]

    def journal(self) -> bytes:
        """What metrics.jsonl held; empty in a checkpoint of an earlier facegan."""
        path = self.path / JOURNAL
        return path.read_bytes() if path.exists() else b""


def of_network(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """Of a state's tensors those of `generator`, `discriminator` or `average`, as it names them."""
    prefix = f"{name}."
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def folder_name(images_seen: int) -> str:
    """`000400.000k` for 400,000 images: sortable, and exact."""
    return f"{images_seen / 1000:010.3f}k"


def save(
    folder: Path,
    images_seen: int,
    tensors: dict[str, Tensor],
    generator: GeneratorFile,
    extra: dict[str, Any],
    keep: int = 2,
    journal: bytes = b"",
) -> Path:
    """Write a checkpoint, then remove the oldest, so that `keep` remain.

    Args:
        folder: the run's checkpoints.
        images_seen: where in the run it is taken.
        tensors: the state.
        generator: the averaged one.
        extra: what the trainer stores beside the tensors.
        keep: how many remain.
        journal: what metrics.jsonl holds, on the disk already.

    Returns:
        The checkpoint's folder, `folder / folder_name(images_seen)`.
    """
    from safetensors.torch import save as to_bytes

    target = folder / folder_name(images_seen)
    sums = {}
    with new_folder(target) as beside:
        for name, content in (
            (STATE, to_bytes(tensors)),
            (GENERATOR, generator.to_bytes()),
            (JOURNAL, journal),
        ):
            (beside / name).write_bytes(content)
            sums[name] = hashlib.sha256(content).hexdigest()
        manifest = {"images_seen": images_seen, "sha256": sums, "extra": extra}
        manifest["manifest_sha256"] = _own_sum(manifest)
        (beside / MANIFEST).write_text(json.dumps(manifest, indent=2), "utf-8")
    # What is newer could not be used when the run went on from here: it is damaged.
    for path in _folders(folder):
        if _images(path) > images_seen:
            _remove(path)
    keep_newest(folder, keep)
    return target


def discard(folder: Path, images_seen: int) -> None:
    """Remove the checkpoint at this point of a run, if there is one."""
    _remove(folder / folder_name(images_seen))


def keep_newest(folder: Path, keep: int, upto: int | None = None) -> None:
    """Remove all checkpoints but the newest `keep`; with `upto`, of those not beyond it."""
    found = [path for path in _folders(folder) if upto is None or _images(path) <= upto]
    for path in found[: max(len(found) - keep, 0)]:
        _remove(path)


def _remove(path: Path) -> None:
    """Remove a checkpoint, never leaving half of one: killed here, its rest is hidden."""
    hidden = path.with_name(f".{path.name}.{os.getpid()}.part")
    with contextlib.suppress(OSError):
        path.rename(hidden)
    shutil.rmtree(hidden, ignore_errors=True)


def latest(
    folder: Path, damaged: Callable[[str], None] = lambda message: None
) -> Checkpoint | None:
    """The newest whole checkpoint; None where none was ever finished.

    Args:
        folder: the run's checkpoints.
        damaged: told about each newer one that had to be passed over.

    Raises:
        RunError: if there are checkpoints and every one is damaged, or the folder cannot be read.
    """
    for path in reversed(_folders(folder)):
        try:
            manifest = read_json(path / MANIFEST, f"The manifest of {path.name}")
            # Earlier manifests have no sum of their own.
            own = manifest.pop("manifest_sha256", None)
            if own is not None and own != _own_sum(manifest):
                raise RunError("its manifest does not have the checksum that was written")
            if path.name != folder_name(manifest["images_seen"]):
                raise RunError(f"its manifest is of {manifest['images_seen']!r:.40} images")
            for name, expected in _sums(manifest).items():
                if sha256(path / name) != expected:
                    raise RunError(f"{name} does not have the checksum that was written")
            return Checkpoint(path, int(manifest["images_seen"]), manifest["extra"])
        except (RunError, OSError, KeyError, TypeError, ValueError, OverflowError) as error:
            reason = error.message if isinstance(error, RunError) else repr(error)
            damaged(f"Checkpoint {path.name} is damaged ({reason}): passed over.")
    if _folders(folder):
        raise RunError(
            f"Every checkpoint in {folder} is damaged.",
            "Restore one from a backup, or begin again in another `run` folder.",
        )
    return None


def _folders(folder: Path) -> list[Path]:
    """The checkpoints, oldest first; none where there is no such folder.

    Raises:
        RunError: the folder is there and cannot be read, so that nobody knows what is in it.
    """
    try:
        with os.scandir(folder) as entries:
            names = [each.name for each in entries if _NAME.fullmatch(each.name) and each.is_dir()]
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not folder.is_symlink():
            return []
        raise RunError(
            f"{folder} cannot be read ({error.strerror}).",
            "It holds the run's checkpoints: mend its permissions, or bring back its disk.",
        ) from error
    return sorted((folder / name for name in names), key=_images)


def _sums(manifest: dict[str, Any]) -> dict[str, Any]:
    """The checksums that a manifest has, of a checkpoint's own files and of no others."""
    sums = manifest["sha256"]
    # Those of an earlier facegan have no journal.
    if not isinstance(sums, dict) or sums.keys() | {JOURNAL} != {STATE, GENERATOR, JOURNAL}:
        raise RunError("its manifest does not list the files of a checkpoint")
    return sums


def _own_sum(manifest: dict[str, Any]) -> str:
    """The SHA-256 of what a manifest says."""
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def _images(path: Path) -> int:
    return round(float(path.name[:-1]) * 1000)
