"""A command as a person types it, run in this process."""

from __future__ import annotations

import contextlib
import io
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Ended:
    """What a command left with; `err` ends with the traceback where there was one."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """What was said on standard error, without empty lines."""
        return [line for line in self.err.splitlines() if line.strip()]


def call(*arguments: str, cwd: Path | None = None) -> Ended:
    """`facegan ARGUMENTS` through its entry point, in this process and in the folder `cwd`."""
    from facegan.cli import main

    out, err, status = io.StringIO(), io.StringIO(), 0
    before, sys.argv = sys.argv, ["facegan", *arguments]
    folder = contextlib.nullcontext() if cwd is None else contextlib.chdir(cwd)
    try:
        with folder, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else int(bool(leaving.code))
    except BaseException:
        status = 1  # as the interpreter does
        err.write(traceback.format_exc())
    finally:
        sys.argv = before
    return Ended(status, out.getvalue(), err.getvalue())
