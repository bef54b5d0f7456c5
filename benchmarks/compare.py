"""facegan beside its peers on this machine: speed, latency, start-up, memory.

Installs each peer into an environment of its own around one shared PyTorch, has all of them do
the same work on the same pictures, in turn, in several rounds, and writes tables of medians and
of the ratios of paired rounds. Every measurement is kept in a JSON file beside the tables, and
the same command goes on where it was stopped. On processors alone: GPUs are hidden.

    python benchmarks/compare.py --rounds 3 --lfw lfw-deepfunneled.tgz --out comparison.md
"""

from __future__ import annotations

import argparse
import datetime
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from peers import environments, machine, pictures, runner, table
from peers.results import OtherSettings, Results
from peers.roster import PEERS, REFERENCE, TASKS, Peer

_BUSY = 0.25  # processors that others use, above which figures are doubtful


def main(arguments: Sequence[str] | None = None, peers: Mapping[str, Peer] = PEERS) -> None:
    """Compare.

    Args:
        arguments: of the command line; this process's own by default.
        peers: who can be compared.
    """
    options = _options(arguments, peers)
    work: Path = options.work.resolve()
    out: Path = (options.out or work / "comparison.md").resolve()
    for folder in (work, out.parent):
        folder.mkdir(parents=True, exist_ok=True)
    chosen = [peers[name] for name in peers if name in {REFERENCE, *(options.peer or peers)}]
    tasks = [name for name in TASKS if name in (options.task or TASKS)]
    if "import" in tasks and options.lfw is None:
        tasks.remove("import")
        _say("Importing is left out: it needs the LFW archive, --lfw ARCHIVE.")
    settings = {"threads": options.threads, "width": options.width, "pictures": options.pictures}
    kept = settings | {"steps": options.steps, "data": options.lfw.name if options.lfw else ""}
    try:
        results = Results(out.with_suffix(".json"), kept, options.again)
    except OtherSettings as error:
        sys.exit(str(error))

    pythons = _pythons(chosen, tasks, work / "environments", results)
    if REFERENCE not in pythons:
        sys.exit(f"{REFERENCE} itself cannot be installed: nothing to compare with.")
    dataset, images = pictures.prepare(pythons[REFERENCE], work / "data", options.lfw)
    places = {"dataset": dataset, "images": images}
    if options.lfw is not None:
        places["archive"] = options.lfw.resolve()
    for number in range(1, options.rounds + 1):
        for task, peer in _turns(number, tasks, [p for p in chosen if p.name in pythons], results):
            asked = dict(settings)
            if options.steps and TASKS[task].steps > 1:
                asked["steps"] = options.steps
            python = pythons[peer.name]
            answer = runner.measure(peer, python, task, places, asked, options.timeout)
            results.add({**answer, "round": number})
            _tell(results.all[-1])
    text = table.markdown(results.all, TASKS, peers, _header(results.all, options))
    out.write_text(text, "utf-8")
    print(text)
    _say(f"Written: {out.name} and {results.path.name} in {out.parent}")


def _pythons(
    chosen: Sequence[Peer], tasks: Sequence[str], folder: Path, results: Results
) -> dict[str, Path]:
    """Each peer's Python. One that does not install gets that as its result."""
    pythons = {}
    for peer in chosen:
        _say(f"environment of {peer.name} …")
        try:
            pythons[peer.name] = environments.prepare(peer, folder)
        except environments.InstallError as error:
            _say(f"  {error}")
            for task in peer.tasks:
                if task in tasks and not results.has(1, task, peer.name):
                    what = {"peer": peer.name, "task": task, "round": 1, "installed": False}
                    results.add({**what, "error": f"not installed: {error}", "others": 0.0})
    return pythons


def _turns(
    number: int, tasks: Sequence[str], peers: Sequence[Peer], results: Results
) -> list[tuple[str, Peer]]:
    """What is left to do in a round: for each task each peer, another one first every time."""
    start = (number - 1) % len(peers)
    turns = [
        (task, peer)
        for task in tasks
        for peer in (*peers[start:], *peers[:start])
        if task in peer.tasks
        and not results.has(number, task, peer.name)
        and not results.only_failures(task, peer.name)
    ]
    if turns:
        _say(f"Round {number}: {len(turns)} measurements.")
        others = machine.neighbours_now()
        if others > _BUSY:
            _say(
                f"WARNING: others keep {others:.1f} of the processors busy; wait for a quiet time."
            )
    return turns


def _header(
    measurements: Sequence[Mapping[str, Any]], options: argparse.Namespace
) -> dict[str, str]:
    """What the figures were taken on."""
    with_torch: Mapping[str, Any] = next((m for m in measurements if "torch" in m), {})
    others = [each["others"] for each in measurements if "figure" in each]
    busy = sum(each > _BUSY for each in others)
    data = options.lfw.name if options.lfw else "portraits drawn by facegan"
    return {
        "Processor": f"{machine.processor()}, {machine.cores()} cores, {options.threads} threads",
        "PyTorch": f"{with_torch.get('torch', 'not used')} for all, "
        f"{with_torch.get('capability', '')}; GPUs hidden",
        "Pictures": f"{data}, 64 pixels",
        "Rounds": str(max((each["round"] for each in measurements), default=0)),
        "Date": datetime.date.today().isoformat(),
        "Other processes": f"used up to {max(others, default=0.0):.2f} processors during a "
        f"measurement, more than {_BUSY:g} in {busy} of {len(others)}",
    }


def _tell(measurement: Mapping[str, Any]) -> None:
    task = TASKS[measurement["task"]]
    if "error" in measurement:
        what = measurement["error"]
    else:
        what = f"{measurement['figure']:.4g} {task.unit}, {measurement['peak_mib']:.0f} MiB"
    _say(f"  {measurement['task']:14} {measurement['peer']:22} {what}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _options(arguments: Sequence[str] | None, peers: Mapping[str, Peer]) -> argparse.Namespace:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--work",
        type=Path,
        default=cache / "facegan-compare",
        help="environments (about 6.5 GB) and pictures; the user's cache by default",
    )
    parser.add_argument(
        "--peer", action="append", choices=list(peers), help="only this; repeatable"
    )
    parser.add_argument(
        "--task", action="append", choices=list(TASKS), help="only this; repeatable"
    )
    parser.add_argument("--rounds", type=_positive, default=3)
    parser.add_argument("--lfw", type=Path, metavar="ARCHIVE", help="train on LFW; import it too")
    parser.add_argument("--out", type=Path, metavar="FILE.md", help="WORK/comparison.md by default")
    parser.add_argument("--threads", type=_positive, default=machine.cores())
    parser.add_argument(
        "--steps", type=_positive, help="timed training steps, instead of each task's"
    )
    parser.add_argument("--pictures", type=_positive, default=512, help="to generate when sampling")
    parser.add_argument("--width", type=_positive, default=32, help="channels of the residual GAN")
    parser.add_argument(
        "--timeout", type=float, default=300.0, help="seconds a measurement may take"
    )
    parser.add_argument("--again", action="store_true", help="discard what was measured before")
    options = parser.parse_args(arguments)
    if options.lfw is not None and not options.lfw.is_file():
        parser.error(f"--lfw {options.lfw}: there is no such file")
    if options.out is not None and options.out.suffix != ".md":
        parser.error(f"--out {options.out}: its name must end in .md")
    return options


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


if __name__ == "__main__":
    main()
