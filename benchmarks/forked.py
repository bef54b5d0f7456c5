"""Command lines in forks of this process, which has imported everything: they start at once.

For Linux and macOS. Nothing may have been computed before with more than one thread.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NoReturn

import numpy as np


def fork(task: Callable[[], int], said: Path, cpu_seconds: float = 0.0) -> int:
    """Start a process that does this, and nothing else; its number.

    Args:
        task: returns the exit status.
        said: a file for all that it prints.
        cpu_seconds: the system ends it, wherever it is, when it has computed for so long: in its
            own seconds, which a busy machine does not shorten. It is not asked, as with SIGKILL.
    """
    pid = os.fork()
    if pid == 0:
        _live(task, said, cpu_seconds)
    return pid


def run(task: Callable[[], int], said: Path) -> int:
    """Do this in a process, and import here all that it imported, so that the next one need not.

    Returns:
        Its exit status, or minus a signal.
    """
    names = said.with_name("modules")

    def noting() -> int:
        status = task()
        names.write_text("\n".join(sorted(sys.modules)), "utf-8")
        return status

    status = os.waitpid(fork(noting, said), 0)[1]
    if names.exists():
        import_all(names.read_text("utf-8").split())
    return os.waitstatus_to_exitcode(status)


def import_all(names: Iterable[str]) -> None:
    """Import these modules, where they can be imported by themselves."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in names:
            try:
                importlib.import_module(name)
            except Exception:
                continue


def lighter() -> None:
    """Leave out what costs most and touches no file: curves in pages, and the face detector."""
    from markupsafe import Markup

    _put("facegan.evaluation.clear_faces", "detect", lambda picture, score: [])
    _put("facegan.report.plots", "_svg", lambda plot, prefix: Markup())


def plain_feature_space() -> None:
    """Register the feature space `plain`, which costs nothing: what is tried is not the scores."""
    from facegan.evaluation.extractors import EXTRACTORS
    from facegan.evaluation.extractors.base import Extractor

    class Plain(Extractor):
        def __init__(self) -> None:
            self.name, self.dimension, self.resizer = "plain", 6, "none"
            self.fingerprint = hashlib.sha256(b"plain").hexdigest()

        def features(self, images: np.ndarray) -> np.ndarray:
            numbers = images.astype(np.float64) / 255
            return np.concatenate([numbers.mean((1, 2)), numbers.std((1, 2))], 1).astype(np.float32)

    EXTRACTORS.named("plain")(lambda *about, **more: Plain())


def without_pages() -> None:
    """Write runs' pages with nothing in them, for commands that write one besides."""
    _put("facegan.report.pages", "run_page", lambda *about: "<html></html>\n")


def _put(module: str, name: str, value: object) -> None:
    setattr(importlib.import_module(module), name, value)


def _live(task: Callable[[], int], said: Path, cpu_seconds: float) -> NoReturn:
    status = 70
    try:
        if cpu_seconds:
            signal.signal(signal.SIGPROF, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
        output = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(output, 1)
        os.dup2(output, 2)
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
        status = task()
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        import traceback

        print(traceback.format_exc(), file=sys.stderr, flush=True)
    finally:
        os._exit(status)


def command_line(words: list[str]) -> int:
    """Run `facegan` with these words here; its exit status."""
    import facegan.cli

    sys.argv = ["facegan", *words]
    try:
        facegan.cli.main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    return 0
