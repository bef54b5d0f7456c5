"""Counts of what was served, in the text format that Prometheus reads."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping

# Upper ends, in seconds, of the classes that durations are counted in.
_CLASSES = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """Requests by route and status, and how long they took."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, int]] = Counter()
        self._within: Counter[tuple[str, float]] = Counter()
        self._count: Counter[str] = Counter()
        self._seconds: Counter[str] = Counter()

    def count(self, route: str, status: int, seconds: float) -> None:
        """Note an answer. `route` is a path as it was declared, never as somebody wrote it."""
        with self._lock:
            self._requests[route, status] += 1
            self._count[route] += 1
            self._seconds[route] += seconds  # type: ignore[assignment]  # a Counter adds floats
            for end in _CLASSES:
                if seconds <= end:
                    self._within[route, end] += 1

    def text(self, gauges: Mapping[str, float], counters: Mapping[str, float]) -> str:
        """All of it, with further numbers by name."""
        lines = ["# TYPE facegan_requests_total counter"]
        with self._lock:
            for (route, status), n in sorted(self._requests.items()):
                lines.append(f'facegan_requests_total{{route="{route}",status="{status}"}} {n}')
            lines.append("# TYPE facegan_request_seconds histogram")
            for route in sorted(self._count):
                for end in _CLASSES:
                    n = self._within[route, end]
                    lines.append(
                        f'facegan_request_seconds_bucket{{route="{route}",le="{end:g}"}} {n}'
                    )
                n = self._count[route]
                lines.append(f'facegan_request_seconds_bucket{{route="{route}",le="+Inf"}} {n}')
                total = self._seconds[route]
                lines.append(f'facegan_request_seconds_sum{{route="{route}"}} {total:.6f}')
                lines.append(f'facegan_request_seconds_count{{route="{route}"}} {n}')
        for kind, values in (("gauge", gauges), ("counter", counters)):
            for name, value in values.items():
                lines += [f"# TYPE {name} {kind}", f"{name} {value:g}"]
        return "\n".join(lines) + "\n"
