"""benchmarks/compare.py: the arithmetic of its tables, its environments, its workers, all of it."""

from __future__ import annotations

import csv
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import compare  # noqa: E402
from peers import environments, machine, pictures, protocol, runner, table  # noqa: E402
from peers.results import OtherSettings, Results  # noqa: E402
from peers.roster import PEERS, REFERENCE, TASKS, Peer  # noqa: E402


def taken(peer: str, number: int, figure: float, peak: float = 100.0) -> dict[str, Any]:
    found = {"peer": peer, "task": "sample", "round": number, "figure": figure, "others": 0.0}
    return found | {"peak_mib": peak, "parameters": [3, 4], "note": ""}


def failed(peer: str, number: int, error: str) -> dict[str, Any]:
    return {"peer": peer, "task": "sample", "round": number, "error": error, "others": 0.0}


ROUNDS = [
    taken(REFERENCE, 1, 100, 50),
    taken("slow", 1, 50, 100),
    failed("broken", 1, "ImportError: a | b"),
    taken("slow", 2, 40, 300),
    taken(REFERENCE, 2, 120, 100),
    taken(REFERENCE, 3, 90, 200),
    taken("slow", 3, 45, 100),
]


def test_ratios_are_of_paired_rounds() -> None:
    reference, slow, broken = table.rows(ROUNDS, "sample", more=True)
    assert reference.figures == table.Spread(100, 90, 120)
    assert (reference.ratios, reference.memory) == (None, None)
    assert slow.figures == table.Spread(45, 40, 50)
    assert slow.ratios == table.Spread(2, 2, 3)
    assert (slow.peak, slow.memory) == (100, 2)
    assert broken == table.Row("broken", None, None, None, None, "ImportError: a | b")


def test_where_less_is_better_the_ratio_turns_round() -> None:
    _, slow, _ = table.rows(ROUNDS, "sample", more=False)
    assert slow.ratios == table.Spread(0.5, 1 / 3, 0.5)


def test_a_missing_round_of_either_side_makes_no_pair() -> None:
    without = [m for m in ROUNDS if (m["peer"], m["round"]) not in {(REFERENCE, 1), ("slow", 3)}]
    _, slow = (row for row in table.rows(without, "sample", more=True) if row.peer != "broken")
    assert slow.figures == table.Spread(45, 40, 50)
    assert slow.ratios == table.Spread(3, 3, 3)


def test_markdown_shows_figures_and_failures() -> None:
    late = failed("slow", 4, "MemoryError: full")
    text = table.markdown([*ROUNDS, late], TASKS, PEERS, {"Processor": "fast"})
    assert "- Processor: fast" in text
    assert "| slow |  | 45.0 | 40.0 – 50.0 | 2.00 × | 2.00 – 3.00 | 100 | 2.00 × |" in text
    assert "| broken |  | does not run: ImportError: a \\| b |" in text
    assert "- slow failed in round 4: MemoryError: full" in text
    assert "the same everywhere, 3 + 4" in text
    assert TASKS["latency"].title not in text


def test_markdown_tells_unequal_networks() -> None:
    other = taken("slow", 1, 1) | {"parameters": [3, 5]}
    text = table.markdown([taken(REFERENCE, 1, 1), other], TASKS, PEERS, {})
    assert "facegan 3 + 4; slow 3 + 5" in text


class Recorder:
    """Takes commands instead of running them; makes what `venv` would make."""

    def __init__(self, fails: str = "") -> None:
        self.commands: list[list[str]] = []
        self._fails = fails

    def __call__(self, command: list[str]) -> None:
        if self._fails and self._fails in command:
            raise environments.InstallError("ERROR: no such release")
        self.commands.append(command)
        if "venv" in command:
            environments.site_packages(Path(command[-1])).mkdir(parents=True)


def test_an_environment_is_made_once_around_the_shared_torch(tmp_path: Path) -> None:
    run, peer = Recorder(), PEERS["vegans"]
    python = environments.prepare(peer, tmp_path, run)
    pip, pins = str(tmp_path / "shared" / "bin" / "python"), str(tmp_path / "pins.txt")
    install = [pip, "-m", "pip", "--python", str(python), "install", "--no-compile", "--quiet"]
    assert python == tmp_path / "vegans" / "bin" / "python"
    assert run.commands == [
        [sys.executable, "-m", "venv", str(tmp_path / "shared")],
        [pip, "-m", "pip", "install", "--no-compile", "--quiet", *environments.TORCH],
        [sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "vegans")],
        [*install, "-c", pins, "--no-deps", "vegans==0.4.0"],
        [*install, "-c", pins, "matplotlib", "pandas", "tensorboard", "wget"],
    ]
    assert Path(pins).read_text().split() == list(environments.TORCH)
    beside = environments.site_packages(tmp_path / "vegans") / "beside.pth"
    assert beside.read_text() == f"{environments.site_packages(tmp_path / 'shared')}\n"
    assert environments.prepare(peer, tmp_path, run) == python
    assert environments.prepare(PEERS["vegans-bridged"], tmp_path, run) == python
    assert len(run.commands) == 5


def test_facegan_is_measured_from_its_checkout_with_the_same_torch(tmp_path: Path) -> None:
    run = Recorder()
    for row in (REFERENCE, "facegan-bf16"):  # the second must leave what the first has made
        environments.prepare(PEERS[row], tmp_path, run)
    beside = environments.site_packages(tmp_path / REFERENCE) / "beside.pth"
    assert beside.read_text().split()[1] == str(BENCHMARKS.parent / "src")
    required = [word for word in run.commands[-1] if ">=" in word]
    assert any(word.startswith("numpy") for word in required)
    assert not any(word.startswith("torch") for word in required)


def test_what_failed_to_install_is_tried_again(tmp_path: Path) -> None:
    peer = PEERS["torchgan"]
    with pytest.raises(environments.InstallError, match="no such release"):
        environments.prepare(peer, tmp_path, Recorder(fails="torchgan==0.1.0"))
    run = Recorder()
    environments.prepare(peer, tmp_path, run)
    assert [command[-1] for command in run.commands] == ["torchgan==0.1.0"]


def test_every_release_of_the_index_is_pinned() -> None:
    assert all(bool(peer.version) == bool(peer.package) for peer in PEERS.values())
    assert all(set(peer.tasks) <= set(TASKS) for peer in PEERS.values())


def test_a_worker_answers_with_one_line_of_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.setenv(variable, "7")
    places = ["--images", ".", "--dataset", ".", "--scratch", "."]
    monkeypatch.setattr(sys, "argv", ["worker", "sample", *places, "--steps", "5", "--bridge"])
    seen: list[protocol.Job] = []

    def sample(job: protocol.Job) -> protocol.Measured:
        seen.append(job)
        print("noise of a library", end="")
        return protocol.Measured(2.5, (10, 20), "so")

    protocol.serve({"sample": sample})
    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert {key: answer[key] for key in ("task", "figure", "parameters", "note")} == {
        "task": "sample",
        "figure": 2.5,
        "parameters": [10, 20],
        "note": "so",
    }
    assert answer["peak_mib"] > 5
    assert 0 <= answer["seconds"] < 5
    assert (seen[0].steps, seen[0].bridge, seen[0].images) == (5, True, tmp_path)
    assert (os.environ["OMP_NUM_THREADS"], os.environ["CUDA_VISIBLE_DEVICES"]) == ("1", "")


@pytest.mark.parametrize(
    ("errors", "last"),
    [
        ("Traceback\n  here\nTypeError: got (int), expected one of:\n * (str)\n", "TypeError: got"),
        ("ValueError: first\n\nDuring …\nfoo.bar.KeyError: 'x'\n", "foo.bar.KeyError: 'x'"),
        ("ChildProcessError: AssertionError: no GPU\n", "AssertionError: no GPU"),
        ("only\nwords\n\n", "words"),
        ("", ""),
    ],
)
def test_the_last_error_is_the_exception(errors: str, last: str) -> None:
    assert protocol.last_error(errors).startswith(last)


def test_batches_are_timed_by_their_requests() -> None:
    from peers import loading
    from torch.utils.data import DataLoader

    metronome = loading.Metronome(pictures=100, batches=3)
    batches = list(DataLoader(range(100), loading.BATCH, sampler=metronome))  # type: ignore[arg-type]
    assert [len(set(batch.tolist())) >= 32 for batch in batches] == [True] * 3
    assert len(metronome.ticks) == 4
    assert metronome.ticks == sorted(metronome.ticks)
    interrupted = iter(loading.Metronome(pictures=100, batches=2, interrupt=True))
    assert len({next(interrupted) for _ in range(64)}) == 64
    with pytest.raises(KeyboardInterrupt):
        next(interrupted)


def job(tmp_path: Path, task: str, **changed: Any) -> protocol.Job:
    usual: dict[str, Any] = {"steps": 2, "warmup": 1, "pictures": 64, "width": 8, "threads": 1}
    usual |= {"began": 0.0, "package": "", "bridge": False, "archive": None}
    places = {"images": tmp_path, "dataset": tmp_path / "dataset", "scratch": tmp_path}
    return protocol.Job(task=task, **{**usual, **places, **changed})


def test_the_rate_counts_real_images_of_the_timed_steps(tmp_path: Path) -> None:
    from peers import loading

    metronome = loading.Metronome(64, 7)
    metronome.ticks = [0.0, 3.0, 10.0, 11.0, 12.0, 13.0, 14.0]
    # One step of warm-up and two timed ones, of two batches each: four batches in 4 seconds.
    asked = job(tmp_path, "train-resnet")
    assert loading.measured(asked, metronome, (1, 2), 2).figure == 4 * loading.BATCH / 4


def test_the_worker_of_facegan_uses_facegan_rightly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from peers.workers import facegan_worker

    from facegan.data.writer import DatasetWriter
    from facegan.training import plan

    monkeypatch.setattr(plan, "bf16_hardware", lambda execution: False)
    images = np.random.default_rng(0).integers(0, 256, (70, 64, 64, 3), np.uint8)
    names = [str(number) for number in range(70)]
    with DatasetWriter(tmp_path / "dataset", resolution=64, channels=3) as writer:
        writer.add(images, names, names, ["train"] * 70, names)
        writer.finish({"name": "noise", "source": "drawn by the tests", "licence": "CC0-1.0"})
    trained = facegan_worker.train(job(tmp_path, "train-dcgan", steps=1, warmup=0))
    assert trained.figure > 1
    assert trained.parameters == (3_576_707, 2_765_633)
    assert trained.note == "fp32"
    assert facegan_worker.sample(job(tmp_path, "sample")).figure > 1


def test_png_files_are_the_training_split(tmp_path: Path) -> None:
    from PIL import Image

    images = np.arange(3 * 4 * 4 * 3, dtype=np.uint8).reshape(3, 4, 4, 3)
    np.save(tmp_path / "images.npy", images)
    with (tmp_path / "items.csv").open("w", newline="") as lines:
        writer = csv.DictWriter(lines, ["name", "split"])
        writer.writeheader()
        writer.writerows({"name": str(n), "split": s} for n, s in enumerate(["train", "holdout"]))
        writer.writerow({"name": "2", "split": "train"})
    pictures.write(tmp_path, tmp_path / "png")
    written = sorted((tmp_path / "png" / "all").iterdir())
    assert [path.name for path in written] == ["000000.png", "000002.png"]
    assert np.array_equal(np.asarray(Image.open(written[1])), images[2])


def test_results_outlive_a_stop_and_hold_to_their_settings(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    results = Results(path, {"threads": 1})
    results.add(taken("slow", 1, 5))
    results.add(failed("broken", 1, "no"))
    results.add(failed("absent", 1, "not installed") | {"installed": False})
    again = Results(path, {"threads": 1})
    assert again.has(1, "sample", "slow")
    assert not again.has(2, "sample", "slow")
    assert again.only_failures("sample", "broken")
    assert not again.only_failures("sample", "slow")
    assert not again.has(1, "sample", "absent")
    with pytest.raises(OtherSettings, match="--again"):
        Results(path, {"threads": 2})
    assert Results(path, {"threads": 2}, again=True).all == []


WORKER = """
import json, pathlib, sys, time
pathlib.Path({calls!r}).open("a").write(sys.argv[1] + "\\n")
{body}
print("noise")
print(json.dumps({{"task": sys.argv[1], "figure": {figure}, "peak_mib": 10.0, "seconds": 0.0,
                   "parameters": None, "note": ""}}))
"""


def fake(tmp_path: Path, name: str, figure: float, body: str = "") -> Peer:
    path = tmp_path / f"{name}_worker.py"
    path.write_text(WORKER.format(calls=str(tmp_path / f"{name}.calls"), figure=figure, body=body))
    return Peer(name, path, ("sample", "latency"), requirements=None)


def test_compare_goes_round_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    peers = {
        peer.name: peer
        for peer in (
            fake(tmp_path, REFERENCE, 30.0),
            fake(tmp_path, "slow", 10.0),
            fake(tmp_path, "broken", 1.0, "raise ValueError('in ' + __file__)"),
        )
    }
    for made in ("dataset", "images"):
        (tmp_path / "work" / "data" / "portraits" / made).mkdir(parents=True)
    monkeypatch.setattr(machine, "neighbours_now", lambda: 1.0)
    out = tmp_path / "out" / "table.md"
    arguments = ["--work", str(tmp_path / "work"), "--out", str(out), "--threads", "1"]

    compare.main([*arguments, "--rounds", "2"], peers)
    text = out.read_text()
    assert "| slow |  | 10.0 | 10.0 – 10.0 | 3.00 × | 3.00 – 3.00 | 10 | 1.00 × |" in text
    assert "| slow |  | 10.0 | 10.0 – 10.0 | 0.33 × | 0.33 – 0.33 | 10 | 1.00 × |" in text
    assert "| broken |  | does not run: ValueError: in " in text
    assert "Importing is left out" in capsys.readouterr().err

    def calls(name: str) -> list[str]:
        return (tmp_path / f"{name}.calls").read_text().split()

    assert calls("slow") == ["sample", "latency"] * 2
    assert calls("broken") == ["sample", "latency"]
    kept = json.loads(out.with_suffix(".json").read_text())
    order = [(m["round"], m["peer"]) for m in kept["measurements"] if m["task"] == "sample"]
    assert order == [
        (1, REFERENCE),
        (1, "slow"),
        (1, "broken"),
        (2, "slow"),
        (2, REFERENCE),
    ]

    compare.main([*arguments, "--rounds", "3", "--task", "sample"], peers)
    assert calls("slow") == ["sample", "latency"] * 2 + ["sample"]
    assert "WARNING: others keep 1.0 of the processors busy" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="--again"):
        compare.main([*arguments, "--steps", "5"], peers)


def test_a_worker_that_hangs_is_stopped(tmp_path: Path) -> None:
    peer = fake(tmp_path, "slow", 1.0, "time.sleep(60)")
    places = {"dataset": tmp_path, "images": tmp_path}
    answer = runner.measure(peer, Path(sys.executable), "sample", places, {"threads": 1}, 0.5)
    assert answer["error"] == "not finished after 0.5 s"
    assert answer["peer"] == "slow"


def test_a_worker_that_is_killed_or_silent_says_so(tmp_path: Path) -> None:
    places = {"dataset": tmp_path, "images": tmp_path}
    for body, error in (
        ("import os; os.kill(os.getpid(), 9)", "ended by SIGKILL"),
        ("print('x'); sys.exit(0)", "its last line is no JSON"),
        ("sys.exit(3)", "exit status 3"),
    ):
        peer = fake(tmp_path, "odd", 1.0, body)
        answer = runner.measure(peer, Path(sys.executable), "sample", places, {"threads": 1}, 20)
        assert answer["error"] == error


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--lfw", "absent.tgz"], "no such file"),
        (["--out", "table.txt"], "must end in .md"),
        (["--rounds", "0"], "less than 1"),
        (["--peer", "nobody"], "invalid choice"),
    ],
)
def test_bad_options_are_refused(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        compare.main(arguments)
    assert said in capsys.readouterr().err
