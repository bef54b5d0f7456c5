"""Write the tables of verdicts in README and docs from the published studies' own files.

    python scripts/verdict_tables.py            # write them anew
    python scripts/verdict_tables.py --check    # say which would change

A table stands between `<!-- verdicts: FOLDER -->` and `<!-- end -->`, with a study's folder
relative to the repository. Four kinds: `verdicts` has every claim of the study's claims.csv, and
`brief` the same without intervals and recipes; `methods` has every method of its results.csv;
`anew` the verdicts of the first plan's statistics beside those of today. To judge the published
studies anew, and write their claims.csv:

    facegan study docs/studies/NAME/study.toml --out docs/studies/NAME --report
"""

from __future__ import annotations

import argparse
import csv
import re
import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from facegan.evaluation.wording import brief, fixed, kimg
from facegan.study.folder import StudyFolder
from facegan.study.verdicts import judge

ROOT = Path(__file__).resolve().parents[1]
FILES = ("README.md", *(f"docs/{name}.md" for name in ("results", "study")))
_PLACE = re.compile(
    r"(<!-- (verdicts|brief|methods|anew): (\S+) -->\n)(.*?)(<!-- end -->)", re.DOTALL
)


def written(text: str) -> str:
    """A document with its tables made anew."""
    return _PLACE.sub(
        lambda place: place[1] + "\n" + _KINDS[place[2]](ROOT / place[3]) + "\n\n" + place[5], text
    )


def verdicts(folder: Path) -> str:
    """Every claim with all that its verdict rests on."""
    rows = []
    for row in _read(folder / "claims.csv"):
        step, _, size = row["in_words"].partition(", ")
        metric = "" if row["metric"] == "fd" else f"{row['metric']} "
        seeds = [len(row[side].split()) for side in ("other_seeds", "method_seeds")]
        verdict = row["verdict"]
        rows.append(
            (
                row["claim"],
                f"**{verdict}**" if verdict in ("holds", "evidence against") else verdict,
                metric + step if step else "–",
                size or "–",
                " → ".join(_brief(row[side]) for side in ("other_kimg", "method_kimg")),
                str(seeds[0]) if seeds[0] == seeds[1] else f"{seeds[0]}, {seeds[1]}",
                " → ".join(f"`{row[side] or '?'}`" for side in ("other_recipe", "method_recipe")),
                row["marks"],
            )
        )
    titles = (
        "claim",
        "verdict",
        "FD",
        "95 % interval",
        "kimg",
        "seeds",
        "recipes",
        "changed after results",
    )
    return _table(titles, rows, "lllllrll")


def shortened(folder: Path) -> str:
    """Every claim with its verdict, the two scores, and what was changed after results."""
    rows = []
    for row in _read(folder / "claims.csv"):
        metric = "" if row["metric"] == "fd" else f"{row['metric']} "
        step, verdict = row["in_words"].partition(", ")[0], row["verdict"]
        strong = f"**{verdict}**" if verdict in ("holds", "evidence against") else verdict
        rows.append((row["claim"], strong, metric + step if step else "–", row["marks"]))
    return _table(("claim", "verdict", "FD", "changed after results"), rows, "llll")


def methods(folder: Path) -> str:
    """Every method's seeds, the least median FD first; recall beside it."""
    study = StudyFolder(folder)
    results = study.results()
    found = []
    for dataset in results.plan.datasets:
        for name in results.plan.all_methods():
            trials = results.of(dataset, name).values()
            done = [trial for trial in trials if trial.status == "finished"]
            fds = [fd for trial in done if (fd := trial.score("fd")) is not None]
            recalls = [x for trial in done if (x := trial.score("recall")) is not None]
            if fds:
                cells = (
                    f"`{name}`",
                    ", ".join(fixed(fd, 0) for fd in fds),
                    fixed(statistics.median(fds), 0),
                    brief(statistics.median(recalls)) if recalls else "–",
                    fixed(float(kimg(done[0].images)), 0),
                    f"`{results.recipes.get(f'{dataset}/{name}', '?')}`",
                )
                found.append((statistics.median(fds), cells))
    titles = ("method", "FD of each seed", "median FD", "median recall", "kimg", "recipe")
    return _table(titles, [cells for _, cells in sorted(found)], "llrrrl")


def anew(folder: Path) -> str:
    """The verdicts as the study began, beside those of claims.csv."""
    results = StudyFolder(folder).results()
    assert results.first is not None
    before = results.plan.replaced(judging=results.first.judging.model_dump(mode="json"))
    old = judge(results.model_copy(update={"plan": before}))
    # There were three verdicts at first.
    then = {"evidence against": "does not hold"}
    new = _read(folder / "claims.csv")
    rows = []
    for one, row in zip(old, new, strict=True):
        was = then.get(one.verdict, one.verdict)
        p = one.p_against_adjusted if was == "does not hold" else one.p_holds_adjusted
        rows.append(
            (
                one.claim.says,
                was,
                row["verdict"] if row["verdict"] == was else f"**{row['verdict']}**",
                _probability(p),
                _probability(_decisive(row)),
            )
        )
    kind = results.first.judging.test
    return _table(("claim", kind, "now", f"p, {kind}", "p, now"), rows, "lllrr")


_KINDS: dict[str, Callable[[Path], str]] = {
    "verdicts": verdicts,
    "brief": shortened,
    "methods": methods,
    "anew": anew,
}


def _decisive(row: dict[str, str]) -> float | None:
    """The corrected p of what a verdict says; of the claim itself where there is none."""
    column = {"does not hold": "p_against", "evidence against": "p_worse"}
    p = row[column.get(row["verdict"], "p_holds") + "_adjusted"]
    return float(p) if p else None


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _brief(number: str) -> str:
    return fixed(float(number), 0) if number else "–"


def _probability(p: float | None) -> str:
    return "–" if p is None else "< 0.0001" if p < 1e-4 else f"{p:.2g}"


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]], sides: str) -> str:
    def line(cells: Iterable[str]) -> str:
        return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"

    rule = "|" + "|".join("---:" if side == "r" else "---" for side in sides) + "|"
    return "\n".join([line(titles), rule, *(line(row) for row in rows)])


def main() -> int:
    """Write or check; 1 where a table is not as it should be."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--check", action="store_true", help="write nothing")
    given = arguments.parse_args()
    stale = []
    for name in FILES:
        path = ROOT / name
        before = path.read_text("utf-8")
        after = written(before)
        if after != before:
            stale.append(name)
            if not given.check:
                path.write_text(after, "utf-8")
    print(
        "\n".join(f"{'stale' if given.check else 'written'}: {name}" for name in stale) or "Equal."
    )
    return int(given.check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
