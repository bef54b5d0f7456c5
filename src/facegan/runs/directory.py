"""The folder of a run: where everything is, who may write it, and what it was made from."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from facegan.data.dataset import is_dataset
from facegan.errors import RecipeError, RunError, UnknownKindError
from facegan.files import held, read_json, remove_parts, write_json, write_text
from facegan.plugins import needed, with_plugins
from facegan.recipe import LENGTH, Recipe, difference
from facegan.runs.journal import Journal
from facegan.runs.provenance import unsound


class RunDirectory:
    """Paths inside a run folder.

    Args:
        path: the folder; it need not exist yet.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.recipe_file = self.path / "recipe.toml"
        self.provenance_file = self.path / "provenance.json"
        self.metrics = Journal(self.path / "metrics.jsonl")
        self.timing = Journal(self.path / "timing.jsonl")
        self.samples = self.path / "samples"
        self.checkpoints = self.path / "checkpoints"
        self.best = self.path / "best"
        self.evaluations = self.path / "evaluations"
        self.report = self.path / "report.html"

    @property
    def started(self) -> bool:
        """Whether a run was begun here."""
        return self.recipe_file.exists()

    def require(self) -> RunDirectory:
        """Itself, or a RunError where no run was begun."""
        if not self.started:
            what = "has no recipe.toml" if self.path.is_dir() else "does not exist"
            raise RunError(
                f"{self.path} is not a run: it {what}.",
                "Give the folder that `run` named when it was trained.",
            )
        return self

    def recipe(self) -> Recipe:
        """The recipe that the run was begun with."""
        try:
            return Recipe.load(self.require().recipe_file)
        except UnknownKindError as error:  # nothing is wrong with the run
            raise with_plugins(error, self.provenance().get("plugins", [])) from error
        except RecipeError as error:
            raise RunError(
                error.message,
                f"The run's folder was changed by hand, or by another version of facegan; "
                f"begin again in another `run` folder. {error.hint}",
            ) from error

    def provenance(self) -> dict[str, Any]:
        """What the run was made from: versions, machine, dataset, plan."""
        found = read_json(self.require().provenance_file, "The run's provenance.json")
        missing = {"dataset", "execution", "plan"} - found.keys()
        if missing:
            raise RunError(
                f"{self.provenance_file} lacks what was written into it: "
                f"{', '.join(sorted(missing))}.",
                "The folder was changed by hand; begin again in another `run` folder.",
            )
        return found

    def checked_provenance(self) -> dict[str, Any]:
        """The provenance, refused where it lacks what going on needs."""
        found = self.provenance()
        if wrong := unsound(found):
            raise RunError(
                f"{self.provenance_file} does not say what was written into it: {wrong}.",
                "The folder was changed by hand; begin again in another folder.",
            )
        return found

    def begin(self, recipe: Recipe, provenance: dict[str, Any]) -> None:
        """Write what identifies the run. The recipe is last: with it, the run has begun."""
        plugins = needed(recipe)
        noted = {"plugins": plugins} if plugins else {}
        write_json(self.provenance_file, provenance | noted)
        write_text(self.recipe_file, recipe.to_toml())

    def rewrite(self, recipe: Recipe, provenance: dict[str, Any]) -> None:
        """Write what changed as the run goes on. The provenance alone decides what the run is."""
        if provenance != self.provenance():
            write_json(self.provenance_file, provenance)
        if recipe != self.recipe():
            write_text(self.recipe_file, recipe.to_toml())

    def check_same(self, recipe: Recipe, dataset: Mapping[str, Any]) -> None:
        """Refuse to go on with another recipe or another dataset, showing the difference.

        The budget may be another one: see `facegan.runs.extension`.

        Args:
            recipe: to go on with.
            dataset: what `facegan.runs.provenance.dataset_identity` says of the data.
        """
        changes = difference(self.recipe(), recipe)
        if any(change.split(":")[0] not in LENGTH for change in changes):
            raise RunError(
                f"{self.path} was begun with another recipe:\n  " + "\n  ".join(changes),
                "Give the same recipe and settings to go on, or another `run` folder to begin.",
            )
        begun = self.checked_provenance()["dataset"]
        before = [begun, *begun.get("mixed", [])]
        now = [dataset, *dataset.get("mixed", [])]
        if len(before) != len(now):
            raise RunError(
                f"{self.path} was begun with {len(before)} dataset(s), and not {len(now)}.",
                "Give the same datasets to go on, or another folder to begin.",
            )
        for old, new in zip(before, now, strict=True):
            if old["fingerprint"] != new["fingerprint"]:
                raise RunError(
                    f"{self.path} was begun with another dataset: {old['name']}, fingerprint "
                    f"{old['fingerprint'][:12]}…, and not {new['fingerprint'][:12]}….",
                    "Give the same dataset to go on, or another `run` folder to begin.",
                )

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder: two processes training in one folder would destroy each other.

        Raises:
            RunError: another process holds it, or it holds a dataset and no run.
        """
        if not self.started and is_dataset(self.path):
            raise RunError(
                f"{self.path} holds a dataset: a run in it would be taken for the pictures.",
                "Give another `run` folder.",
            )
        in_use = RunError(
            f"{self.path} is in use by another facegan process.",
            "Wait for it, stop it with Ctrl-C, or choose another `run` folder.",
        )
        with held(self.path, in_use, self._leave_nothing):
            for folder in (self.path, self.checkpoints, self.samples):
                remove_parts(folder)
            yield

    def _leave_nothing(self) -> None:
        """A run that was refused before it began takes its empty folder with it."""
        if self.started:
            return
        with contextlib.suppress(OSError):
            (self.path / ".lock").unlink(missing_ok=True)
            self.path.rmdir()
