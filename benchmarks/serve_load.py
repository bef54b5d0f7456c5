"""Many clients at once against `facegan serve`: errors, latencies, memory.

    python benchmarks/serve_load.py --clients 50 --seconds 60

Each client asks for one picture by a random seed, as PNG, as soon as it has the one before. Memory
is that of the server's process, read five times; latencies count after the first fifth.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import secrets
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx

# Of the whole time, before memory and latencies count.
_WARM = 0.2


@dataclass
class Seen:
    """What the clients saw."""

    latencies: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)


def memory(process: int) -> float:
    """Resident memory of a process, in MiB."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise LookupError(process)


async def client(address: str, token: str, end: float, warm: float, seen: Seen) -> None:
    """Ask for pictures until the end."""
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(headers=headers, timeout=60, trust_env=False) as web:
        while (begun := time.perf_counter()) < end:
            seed = random.randrange(2**40)
            try:
                answer = await web.get(f"{address}/api/pictures?seeds={seed}")
                status = str(answer.status_code)
                if answer.status_code == 200 and not answer.content.startswith(b"\x89PNG"):
                    status = "200, no picture"
            except httpx.HTTPError as error:
                status = type(error).__name__
            now = time.perf_counter()
            seen.statuses[status] += 1
            if begun > warm:
                seen.latencies.append(now - begun)


async def load(address: str, token: str, clients: int, seconds: float, process: int) -> None:
    seen = Seen()
    begun = time.perf_counter()
    end, warm = begun + seconds, begun + _WARM * seconds
    tasks = [asyncio.create_task(client(address, token, end, warm, seen)) for _ in range(clients)]
    grown = []
    for _ in range(round(1 / _WARM)):
        await asyncio.sleep(_WARM * seconds)
        grown.append(memory(process))
    await asyncio.gather(*tasks)
    n = sum(seen.statuses.values())
    ordered = sorted(seen.latencies)
    at = {p: ordered[min(len(ordered) - 1, int(p / 100 * len(ordered)))] for p in (50, 90, 99)}
    print(f"{clients} clients, {seconds:g} s: {n} requests, {n / seconds:.0f} a second")
    print("answers:", ", ".join(f"{status}: {count}" for status, count in seen.statuses.items()))
    percentiles = ", ".join(f"p{p} {1000 * value:.0f} ms" for p, value in at.items())
    print(f"latency: {percentiles}, worst {1000 * ordered[-1]:.0f} ms")
    every = f"every {_WARM * seconds:g} s"
    print(f"memory {every}: {', '.join(f'{value:.0f}' for value in grown)} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="lfw-64")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    token = secrets.token_urlsafe(24)
    command = [sys.executable, "-m", "facegan", "serve", options.model, "--port", "0"]
    server = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"FACEGAN_TOKEN": token, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert server.stdout is not None
        address = server.stdout.readline().split()[2].rstrip(";")
        asyncio.run(load(address, token, options.clients, options.seconds, server.pid))
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(60)


if __name__ == "__main__":
    main()
