"""lightweight-gan and stylegan2-pytorch: what their users meet first, without CUDA.

Both refuse when they are imported. So importing, and asking for the command's help, is all
that can be tried here; if a release imports one day, this worker says that it measures nothing.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from peers.protocol import Job, Measured, command_seconds, serve


def attempt(job: Job) -> Measured:
    """Import it, as its training and its sampling begin."""
    importlib.import_module(_module(job))
    raise NotImplementedError("it imports without CUDA; how to time it here is not written yet")


def startup(job: Job) -> Measured:
    """Its command's --help."""
    command = Path(sys.executable).parent / _module(job)
    return Measured(command_seconds([str(command), "--help"]))


def _module(job: Job) -> str:
    """Both have a module and a command of their package's name."""
    return job.package.replace("-", "_")


if __name__ == "__main__":
    serve({"train-resnet": attempt, "sample": attempt, "startup": startup})
