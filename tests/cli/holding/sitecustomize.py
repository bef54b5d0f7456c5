"""Makes `facegan` wait at a chosen line of a journal, so that tests wait for states, not time.

Python imports this when a process starts whose PYTHONPATH has this folder. FACEGAN_TEST_HOLD says
how many lines of metrics.jsonl to write before waiting until the file `go` lies beside it; the file
`held` says that a process waits. Signals are heard meanwhile.
"""

import os
import time

if "FACEGAN_TEST_HOLD" in os.environ:
    from facegan.runs.journal import Journal

    _append = Journal.append
    _lines = int(os.environ["FACEGAN_TEST_HOLD"])

    def _held(self, *arguments, **options):
        _append(self, *arguments, **options)
        if self.path.name != "metrics.jsonl":
            return
        if self.path.read_bytes().count(b"\n") != _lines:
            return
        self.path.with_name("held").touch()
        while not self.path.with_name("go").exists():
            time.sleep(0.01)

    Journal.append = _held
