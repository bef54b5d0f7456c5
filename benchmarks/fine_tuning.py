"""What a trained model is worth to somebody with a few photographs of other people.

    python benchmarks/fine_tuning.py DATASET --out runs/fine-tuning

A dataset with identities is divided into two halves that share nobody. On one half, a recipe is
trained. On small sets of the other half, the same recipe is trained from both of its networks, from
its generator alone, and from nothing. How good each is after so many images is measured
against pictures of the second half that none was trained on. The table has the mean over seeds,
and how many times fewer images reach what training from nothing reaches in the end: the papers'
claim that pretraining speeds training up.

It may be interrupted: what is finished stays, and the same command goes on.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import facegan
from facegan.cache import cache_folder
from facegan.data.dataset import Dataset
from facegan.data.writer import DatasetWriter
from facegan.evaluation.cache import FeatureCache
from facegan.evaluation.extractors import open_extractor
from facegan.evaluation.judge import Judge
from facegan.evaluation.real import choose_real, most_measurable
from facegan.files import read_json, write_json
from facegan.generation.samples import pictures
from facegan.training.reporter import Reporter

STARTS = ("both networks", "the generator alone", "nothing")
MARKS = (0.125, 0.25, 0.5, 0.75, 1.0)  # of the budget


def first_half(identity: str) -> bool:
    """Whether somebody is in the first half: by chance, and for ever."""
    return hashlib.sha256(identity.encode()).digest()[0] < 128


def part(
    source: Dataset, path: Path, rows: Sequence[int] | npt.NDArray[np.integer], name: str
) -> Path:
    """A dataset of some rows of another, all to train on."""
    if not path.exists():
        spec = source.spec
        with DatasetWriter(path, spec.resolution, spec.channels) as writer:
            for begin in range(0, len(rows), 512):
                chosen = np.asarray(rows[begin : begin + 512])
                names = [source.names[row] for row in chosen]
                identities = [source.identities[row] for row in chosen]
                splits = ["train"] * len(chosen)
                writer.add(source.copied(chosen), names, identities, splits, names)
            licence = str(source.card.get("licence"))
            writer.finish({"name": name, "source": str(source.path), "licence": licence})
    return path


def measure_with(reference: Path) -> Callable[[Any], dict[str, float]]:
    """Measures a generator against all pictures of a dataset."""
    dataset = Dataset.open(reference)
    n = most_measurable(dataset)
    choice = choose_real(dataset, n, len(dataset.indices("train")) - n, "train", seed=0)
    extractor, cache = open_extractor("efflite0@64"), FeatureCache(cache_folder())
    judge = Judge(dataset, choice, "train", 0, [extractor], ("fd", "recall"), cache)

    def measure(trainer: Any) -> dict[str, float]:
        made = pictures(trainer.state.average, trainer.batch_source.pixels, range(judge.n))
        judged = judge.judge(np.concatenate(list(made)), "fine-tuning", training=True)
        scores = judged.evaluation.features[0].scores
        fd = scores["fd"]
        return {
            "fd": fd.generated.value,
            "real": fd.real.value,
            "recall": scores["recall"].generated.value,
            "n": judge.n,
        }

    return measure


def tuned(
    recipe: facegan.Recipe,
    data: Path,
    run: Path,
    start: Path | None,
    measure: Callable[[Any], dict[str, float]],
) -> list[dict[str, float]]:
    """One training, measured on the way."""
    done = run.with_suffix(".json")
    if done.exists():
        return read_json(done, "The measurements")["points"]
    points = []
    with facegan.Training(
        recipe,
        data=data,
        run=run,
        start_from=start,
        threads=1,
        loggers=(),
        reporter=Reporter(),
    ) as training:
        marks = list(MARKS)
        for step in training:
            if marks and step.images_seen >= marks[0] * step.total:
                marks.pop(0)
                found = measure(training.trainer)
                points.append({"kimg": step.images_seen / 1000} | found)
                print(run.name, points[-1], flush=True)
    write_json(done, {"points": points})
    return points


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--recipe", default="ignm-cpu")
    parser.add_argument("--pretraining", default="200kimg")
    parser.add_argument("--budget", default="40kimg")
    parser.add_argument("--pictures", type=int, nargs="+", default=[500, 2000])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--set", action="append", default=[], metavar="A.B=VALUE")
    wanted = parser.parse_args()
    wanted.out.mkdir(parents=True, exist_ok=True)

    source = Dataset.open(wanted.dataset)
    people = source.identities
    halves = np.array([first_half(person) for person in people])
    first, second = np.flatnonzero(halves), np.flatnonzero(~halves)
    shuffled = np.random.default_rng(0).permutation(second)
    most = max(wanted.pictures)
    # People of the pictures that are trained on are in none of those measured against.
    learned = {people[row] for row in shuffled[:most]}
    rest = np.array([row for row in second if people[row] not in learned])
    measure = measure_with(part(source, wanted.out / "reference", rest, "the others"))

    recipe = facegan.Recipe.load(wanted.recipe).override("evaluation.times=0", *wanted.set)
    teacher = wanted.out / "teacher"
    facegan.train(
        recipe.with_budget(wanted.pretraining),
        data=part(source, wanted.out / "first", first, "the first half"),
        run=teacher,
        threads=1,
        loggers=(),
    )
    generator = sorted(teacher.glob("checkpoints/*k"))[-1] / "generator.safetensors"
    starts = dict(zip(STARTS, (teacher, generator, None), strict=True))

    found: dict[str, list[list[dict[str, float]]]] = {}
    for seed in wanted.seeds:
        for size in wanted.pictures:
            data = part(source, wanted.out / f"second-{size}", shuffled[:size], f"{size} pictures")
            for name, start in starts.items():
                short = name.split()[-1]
                own = recipe.with_budget(wanted.budget).override(f"training.seed={seed}")
                run = wanted.out / f"{size}-{short}-{seed}"
                found.setdefault(f"{size} | {name}", []).append(
                    tuned(own, data, run, start, measure)
                )
    write_json(wanted.out / "results.json", {"results": found})
    print(table(found))
    print(json.dumps({"recipe": recipe.name, "pretraining": wanted.pretraining}))


def table(found: dict[str, list[list[dict[str, float]]]]) -> str:
    """FD after each part of the budget: the mean over seeds, and their spread at the end."""
    any_run = next(iter(found.values()))[0]
    marks = [f"{point['kimg']:.0f} kimg" for point in any_run]
    lines = [
        f"| pictures | started from | {' | '.join(marks)} | recall |",
        f"|---|---|{'---:|' * (len(marks) + 1)}",
    ]
    for name, runs in found.items():
        fds = np.array([[point["fd"] for point in run] for run in runs])
        cells = [f"{value:.3g}" for value in fds.mean(0)]
        cells[-1] += f" ({fds[:, -1].min():.3g}–{fds[:, -1].max():.3g})"
        recall = np.mean([run[-1]["recall"] for run in runs])
        lines.append(f"| {name} | {' | '.join(cells)} | {recall:.2f} |")
    real = any_run[-1]["real"]
    lines.append(f"\nReal pictures of other people: FD {real:.3g}, n = {any_run[-1]['n']:.0f}.")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
