r"""A tracker of one's own: every curve as a row of one CSV file in the run's folder.

facegan train dcgan --data portraits --run runs/logged --plugin logger.py --log csv
"""

from __future__ import annotations

import csv

from facegan.loggers import LOGGERS, Logger, TrackedRun


@LOGGERS.named("csv")
class CsvLogger(Logger):
    """Writes `curves.csv`: images seen, name, value. A run that goes on adds to it."""

    name = "csv"

    def open(self, run: TrackedRun, identity: str | None) -> str | None:
        """See `Logger.open`."""
        path = run.path / "curves.csv"
        fresh = not path.exists()
        self._file = path.open("a", newline="", encoding="utf-8")
        self._rows = csv.writer(self._file)
        if fresh:
            self._rows.writerow(["images_seen", "name", "value"])
        return None

    def scalars(self, images_seen: int, values: dict[str, float]) -> None:
        """See `Logger.scalars`."""
        self._rows.writerows([images_seen, name, value] for name, value in values.items())
        self._file.flush()

    def close(self, finished: bool) -> None:
        """See `Logger.close`."""
        self._file.close()
