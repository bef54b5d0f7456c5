"""facegan, making pictures in bfloat16: `facegan generate --precision bf16`."""

from __future__ import annotations

from functools import partial

from peers.protocol import serve
from peers.workers.facegan_worker import sample

if __name__ == "__main__":
    tasks = ("sample", "sample-resnet", "sample-png", "latency")
    serve({task: partial(sample, precision="bf16") for task in tasks})
