"""The runs that the studio was opened with, as JSON: read from their folders, never written."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from facegan.errors import FaceganError, RunError, one_line
from facegan.evaluation.results import SCORE_TITLES
from facegan.parsing import parse_toml
from facegan.runs.directory import RunDirectory
from facegan.runs.journal import trained_to
from facegan.runs.reading import Reading, part, read, whole

# More runs than a person looks through, and more points than a chart shows.
_MOST_RUNS = 500
_MOST_POINTS = 240
# Seconds since its last line in which a run is thought to be training.
_FRESH = 600.0
_SAMPLE = re.compile(r"[0-9]{1,12}(\.[0-9]{1,3})?k\.png")
# Curves that belong into one chart; further ones follow, each with its players.
_CHARTS = (
    ("Losses", re.compile(r"(discriminator|generator)/(adversarial|reconstruction|loss)")),
    ("Logits", re.compile(r"logits_(real|fake|held_out)")),
    ("Gradient norm", re.compile(r"(discriminator|generator)/gradient_norm")),
    ("Augmentation", re.compile(r"augment/probability")),
    ("Learning rate", re.compile(r"(discriminator|generator)/lr")),
)


@dataclass
class Watched:
    """Runs and folders of runs.

    Attributes:
        runs: folders of runs.
        folders: folders whose runs are shown, also those that begin later.
    """

    runs: Sequence[Path]
    folders: Sequence[Path] = ()
    _read: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.runs or self.folders)

    def all(self) -> dict[str, Path]:
        """Every run by its id: those that are there now."""
        found = {f"{number}": path for number, path in enumerate(self.runs)}
        for number, folder in enumerate(self.folders):
            try:
                names = sorted(each.name for each in folder.iterdir())[:_MOST_RUNS]
            except OSError:
                continue
            for name in names:
                path = folder / name
                # What a link leads to may lie outside of what was opened.
                if not path.is_symlink() and RunDirectory(path).started:
                    found[f"{number}:{name}"] = path
        return found

    def listed(self) -> list[dict[str, Any]]:
        """A line for each run: id, name, recipe, seen, total, state. Their models stay unread."""
        return [{"id": key} | _line(path) for key, path in self.all().items()]

    def one(self, key: str) -> dict[str, Any]:
        """A run with its curves, samples, findings and scores. Raises RunError for no run."""
        return self.cached(key, self._path(key))

    def sample(self, key: str, name: str) -> bytes:
        """A sample grid of a run. Raises RunError where there is none of that name."""
        folder = RunDirectory(self._path(key)).samples
        path = folder / name
        known = _SAMPLE.fullmatch(name) is not None
        if not known or folder.is_symlink() or path.is_symlink() or not path.is_file():
            raise RunError("There is no such sample.", "")
        content = path.read_bytes()
        if not content.startswith(b"\x89PNG"):
            raise RunError("There is no such sample.", "")
        return content

    def cached(self, key: str, path: Path) -> dict[str, Any]:
        """The same as `one`; read again only when a file has changed."""
        run = RunDirectory(path)
        state = tuple(
            (each.stat().st_mtime_ns, each.stat().st_size) if each.exists() else None
            for each in (run.metrics.path, run.recipe_file, run.provenance_file, run.samples)
        )
        known = self._read.get(key)
        if known is None or known[0] != state:
            known = (state, _as_json(read(path)))
            self._read[key] = known
        told = known[1]
        return told | {"state": _state(run, told["seen"], told["total"])}

    def _path(self, key: str) -> Path:
        path = self.all().get(key)
        if path is None:
            raise RunError("There is no such run.", "GET /api/runs lists them.")
        return path


def _line(path: Path) -> dict[str, Any]:
    run = RunDirectory(path)
    line = {"name": path.name, "recipe": "", "seen": 0, "total": 0, "state": "unreadable"}
    try:
        line["recipe"] = one_line(parse_toml(run.recipe_file.read_text("utf-8"))["name"], 80)
        plan = part(run.provenance(), "plan")
        seen = trained_to(run.metrics.lines())
    except (FaceganError, OSError, ValueError, LookupError, TypeError):
        return line
    total = max(whole(plan.get("images")), seen)
    return line | {"seen": seen, "total": total, "state": _state(run, seen, total)}


def _state(run: RunDirectory, seen: int, total: int) -> str:
    if 0 < total <= seen:
        return "finished"
    try:
        age = time.time() - run.metrics.path.stat().st_mtime
    except OSError:
        return "unfinished"
    return "training" if age < _FRESH else "unfinished"


def _as_json(run: Reading) -> dict[str, Any]:
    try:
        samples = sorted(
            each.name for each in run.run.samples.iterdir() if _SAMPLE.fullmatch(each.name)
        )
    except OSError:
        samples = []
    return {
        "name": run.name,
        "recipe": run.recipe.name,
        "dataset": str(run.dataset.get("name", "")),
        "seen": run.seen,
        "total": run.total,
        "speed": run.speed,
        "samples": samples,
        "findings": [
            {"images_seen": f.images_seen, "kind": f.kind, "said": f.said, "helps": f.helps}
            for f in run.findings
        ],
        "scores": _scores(run),
        "curves": _curves(run),
    }


def _scores(run: Reading) -> list[dict[str, Any]]:
    rows = []
    for measured in run.evaluations:
        for space in measured.evaluation.features:
            for name, score in space.scores.items():
                rows.append(
                    {
                        "images_seen": measured.images_seen,
                        "name": f"{SCORE_TITLES[name]} ({space.extractor})",
                        "generated": score.generated.value,
                        "real": score.real.value,
                    }
                )
    return rows


def _curves(run: Reading) -> list[dict[str, Any]]:
    charts = []
    keys = {key for line in run.ticks for key in line}
    for title, wanted in _CHARTS:
        lines = []
        for key in sorted(key for key in keys if wanted.fullmatch(key)):
            points = [
                [line["images_seen"] / 1000, float(line[key])]
                for line in run.ticks
                if _is_number(line.get(key))
            ]
            if len(points) > 1:
                lines.append({"name": _spoken(key), "points": _thinned(points)})
        if lines:
            charts.append({"title": title, "lines": lines})
    fd = [
        [m.images_seen / 1000, space.scores["fd"].generated.value]
        for m in run.evaluations
        for space in m.evaluation.features[:1]
        if "fd" in space.scores
    ]
    if len(fd) > 1:
        charts.insert(0, {"title": "FD", "lines": [{"name": "FD", "points": fd}]})
    return charts


def _spoken(key: str) -> str:
    return key.replace("discriminator/", "D ").replace("generator/", "G ").replace("_", " ")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and abs(value) < 1e30  # NaN is not


def _thinned(points: list[list[float]]) -> list[list[float]]:
    step = max(1, math.ceil(len(points) / _MOST_POINTS))
    return points[::-1][::step][::-1]
