"""What a study's page says around its numbers: conditions, commands, how to read, limits."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from facegan.evaluation.wording import duration, listed
from facegan.report.differences import flat
from facegan.runs.commands import Command
from facegan.study.results import StudyResults
from facegan.study.verdicts import Judged

# Told elsewhere on the page, or too long for it.
_APART = {"datasets", "speeds", "recipes", "costs"}


def facts(results: StudyResults) -> list[tuple[str, str, str]]:
    """(what, value, more) in the order of a first glance."""
    plan = results.plan
    methods, seeds = plan.all_methods(), plan.seeds
    return [
        (
            "Methods",
            f"{len(methods):,}",
            "ablations included" if len(methods) > len(plan.methods) else "",
        ),
        ("Datasets", f"{len(plan.datasets):,}", ", ".join(plan.datasets)),
        ("Seeds", f"{len(seeds):,}", ", ".join(map(str, seeds)) if len(seeds) <= 12 else ""),
        ("Budget", plan.budget, "a trial, the same for all"),
        (
            "Machine time",
            duration(sum(trial.seconds for trial in results.results)),
            "in all" if results.complete else "so far",
        ),
    ]


def made_with(settled: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What was decided before the first trial: versions, machine, threads."""
    rest = {key: value for key, value in settled.items() if key not in _APART}
    return [(_name(key), _said(value)) for key, value in flat(rest).items()] if rest else []


def identities(settled: Mapping[str, Any], results: StudyResults) -> list[tuple[str, str, Any]]:
    """(name, place in the plan, identity as rows) of each dataset."""
    known = settled.get("datasets")
    known = known if isinstance(known, Mapping) else {}
    found = []
    for name, place in results.plan.datasets.items():
        rows = flat(known[place]) if isinstance(known.get(place), Mapping) else {}
        found.append((name, place, [(_name(key), _said(value)) for key, value in rows.items()]))
    return found


def _name(key: str) -> str:
    return key.replace("_", " ")


def _said(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "not known" if value is None else str(value)


def commands(name: str, results: StudyResults) -> list[Command]:
    """What to type to go on, to repeat, to look closer; `name` is the study's folder."""
    plan = shlex.quote(f"{name}/study.toml")
    folder, again = shlex.quote(name), shlex.quote(f"{name}-again")
    found = [
        Command("The same study again, in a new folder", f"facegan study {plan} --out {again}"),
        Command(
            "Go on with this one; trials that ended are kept",
            f"facegan study {plan} --out {folder}",
        ),
        Command(
            "Only this page and its tables again", f"facegan study {plan} --out {folder} --report"
        ),
    ]
    finished = [trial.key for trial in results.results if trial.status == "finished"]
    if finished:
        run = shlex.quote(f"{name}/trials/{finished[0]}/run")
        found.append(Command("The page of one trial", f"facegan report {run} --out trial.html"))
    return found


def terms(results: StudyResults, judged: Sequence[Judged]) -> list[tuple[str, str]]:
    """How to read the page: each word with what it stands for here."""
    level = _percent(results.plan.alpha)
    return [*(_verdict_terms(level) if judged else []), *_TERMS]


_TERMS = (
    (
        "seed",
        "One trial from other first weights, latents and order of images. Two methods are "
        "compared in pairs of one seed.",
    ),
    (
        "interval of a median",
        "Where the median over all possible seeds lies, with 95 % confidence: a bootstrap over "
        "the seeds, calibrated for so few of them. It is not the interval of one trial's score, "
        "which comes from the choice of pictures and is in results.csv.",
    ),
    (
        "floor",
        "What as many real pictures score that are not in the reference: the best to hope for. "
        "× is the ratio to it.",
    ),
    (
        "machine-seconds",
        "The images of a trial at the speed that its method has alone on this machine, measured "
        "once before the trials; where that takes minutes, with a smaller batch, which is slower. "
        "What else the machine did meanwhile does not count.",
    ),
)


def _verdict_terms(level: str) -> list[tuple[str, str]]:
    return [
        (
            "improvement",
            "How much better the first method is than the second, on average over pairs of one "
            "seed: a share for distances and times (+20 %: a fifth less), a difference for "
            "precision, recall, density and coverage. Its 95 % interval is from Student's t, "
            "uncorrected.",
        ),
        (
            "holds",
            "A paired, one-sided t-test (of logarithms for distances and times) finds the "
            "improvement above what the claim asks; for no_worse: above minus the margin. Its p, "
            f"corrected, is at most {level}.",
        ),
        (
            "does not hold",
            "The same test finds the improvement below the margin, with a corrected p of at most "
            f"{level}. Where the method failed every time, Fisher's exact test of the failures "
            "takes its place.",
        ),
        ("not enough evidence", "Neither. It says nothing against the claim: more seeds may."),
        (
            "corrected",
            "For the number of claims times datasets (Holm 1979), so that one false verdict or "
            f"more of a kind has a probability of {level} at most. That is promised for one look "
            "at the results, not for adding seeds until something holds.",
        ),
        (
            "failed trials",
            "A pair with a failed trial counts as a draw, and a claim cannot hold for the method "
            "that fails more often.",
        ),
        (
            "probability of improvement",
            "How often a trial of the first method is better than one of the second, whatever "
            "their seeds (0.5: as often as not).",
        ),
    ]


def limits(results: StudyResults) -> list[str]:
    """What the page cannot tell."""
    plan = results.plan
    n = len(plan.seeds)
    space = plan.measure.extractors[0]
    found = [
        f"How the methods compare under another budget: every trial had {plan.budget}. One that "
        "learns slowly and ends better loses here.",
        "How they compare with other settings. Each was taken as the plan has it, and tuning can "
        "outweigh the choice of a method (Lucic et al. 2018, arXiv:1711.10337).",
        f"How people would judge the pictures. Verdicts rest on what {space} sees"
        + (
            f"; {listed(plan.measure.extractors[1:])} may see it otherwise."
            if plan.measure.extractors[1:]
            else ", one feature space among many."
        ),
        "What holds for other faces than those of "
        f"{listed(plan.datasets)}, or at another resolution.",
    ]
    if any(re.match(r"portraits([:@]|$)", place) is None for place in plan.datasets.values()):
        found.append(
            "Whether a generated face resembles somebody, and whether all kinds of people are "
            "made equally often and equally well: neither was looked at."
        )
    if n == 1:
        found.append("Whether any difference would outlast another seed: there is one seed.")
    elif n < 10:
        found.append(
            f"Small differences: with {n} seeds only large and steady ones can be told from chance."
        )
    if not results.complete:
        found.append("How the waiting trials will end: every figure may still change.")
    if any(trial.status == "failed" for trial in results.results):
        found.append(
            "What failed trials would have scored. Medians are over those that finished, which "
            "flatters a method that fails often: read them beside the number of failures."
        )
    return found


def _percent(share: float) -> str:
    return f"{100 * share:.3g}\N{NO-BREAK SPACE}%"
