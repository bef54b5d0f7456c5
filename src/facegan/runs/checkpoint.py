"""Checkpoints: the whole state of a run, checksummed, found only when complete.

A checkpoint is a folder named after the images seen, with `state.safetensors` (networks,
optimizers), `generator.safetensors` (the averaged generator, ready to use) and
`manifest.json` (the journal's running sums, and each file's SHA-256). It holds tensors and
JSON alone: nothing that could run code when it is loaded.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facegan.errors import RunError
from facegan.files import new_folder, read_json, sha256
from facegan.models.file import GeneratorFile

if TYPE_CHECKING:
    from torch import Tensor

STATE, GENERATOR, MANIFEST = "state.safetensors", "generator.safetensors", "manifest.json"


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
        from safetensors.torch import load_file

        return load_file(self.path / STATE)


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
) -> Path:
    """Write a checkpoint, then remove the oldest, so that `keep` remain.

    Returns:
        The checkpoint's folder, `folder / folder_name(images_seen)`.
    """
    from safetensors.torch import save as to_bytes

    target = folder / folder_name(images_seen)
    sums = {}
    with new_folder(target) as beside:
        for name, content in ((STATE, to_bytes(tensors)), (GENERATOR, generator.to_bytes())):
            (beside / name).write_bytes(content)
            sums[name] = hashlib.sha256(content).hexdigest()
        manifest = {"images_seen": images_seen, "sha256": sums, "extra": extra}
        (beside / MANIFEST).write_text(json.dumps(manifest, indent=2), "utf-8")
    # What is newer could not be used when the run went on from here: it is damaged.
    found = _folders(folder)
    for path in found:
        if _images(path) > images_seen:
            shutil.rmtree(path, ignore_errors=True)
    keep_newest(folder, keep)
    return target


def discard(folder: Path, images_seen: int) -> None:
    """Remove the checkpoint at this point of a run, if there is one."""
    shutil.rmtree(folder / folder_name(images_seen), ignore_errors=True)


def keep_newest(folder: Path, keep: int) -> None:
    """Remove all checkpoints but the newest `keep`."""
    found = _folders(folder)
    for path in found[: len(found) - keep]:
        shutil.rmtree(path, ignore_errors=True)


def latest(
    folder: Path, damaged: Callable[[str], None] = lambda message: None
) -> Checkpoint | None:
    """The newest whole checkpoint; None where none was ever finished.

    Args:
        folder: the run's checkpoints.
        damaged: told about each newer one that had to be passed over.

    Raises:
        RunError: if there are checkpoints and every one is damaged.
    """
    for path in reversed(_folders(folder)):
        try:
            manifest = read_json(path / MANIFEST, f"The manifest of {path.name}")
            for name, expected in manifest["sha256"].items():
                if sha256(path / name) != expected:
                    raise RunError(f"{name} does not have the checksum that was written")
            return Checkpoint(path, int(manifest["images_seen"]), manifest["extra"])
        except (RunError, OSError, KeyError, TypeError, ValueError) as error:
            reason = error.message if isinstance(error, RunError) else repr(error)
            damaged(f"Checkpoint {path.name} is damaged ({reason}): passed over.")
    if _folders(folder):
        raise RunError(
            f"Every checkpoint in {folder} is damaged.",
            "Restore one from a backup, or begin again in another --run folder.",
        )
    return None


def _folders(folder: Path) -> list[Path]:
    """The checkpoints, oldest first."""
    return sorted((p for p in folder.glob("[0-9]*k") if p.is_dir()), key=_images)


def _images(path: Path) -> int:
    return round(float(path.name[:-1]) * 1000)
