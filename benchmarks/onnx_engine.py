"""Processor time a picture takes in PyTorch and in ONNX Runtime, by how many are computed together.

    python benchmarks/onnx_engine.py lfw-64

One thread. Processor time, not the clock's: other programs may run beside it. The least of several
tries, after one that does not count. Needs the extra `onnx`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch

from facegan.device import Precision
from facegan.generation.generator import OpenGenerator, open_generator
from facegan.seeding import image_random

_PICTURES = 32


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", nargs="?", default="lfw-64")
    parser.add_argument("--tries", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    precisions: tuple[Precision, ...] = ("fp32", "bf16")
    engines = {
        f"PyTorch, {precision}": open_generator(options.model, device="cpu", precision=precision)
        for precision in precisions
    }
    engines["ONNX Runtime, fp32"] = open_generator(options.model, engine="onnx")
    generator = engines["PyTorch, fp32"].loaded.generator
    random = image_random(0)
    z, rows = generator.draw(random, _PICTURES), generator.draw_labels(random, _PICTURES)
    print("| engine | together | processor time a picture |\n|---|---:|---:|")
    for name, opened in engines.items():
        for together in (1,) if name.startswith("ONNX") else (1, 4, _PICTURES):
            took = _least(lambda: _draw(opened, z, rows, together), options.tries)  # noqa: B023
            print(f"| {name} | {together} | {1000 * took / _PICTURES:.1f} ms |", flush=True)


def _draw(opened: OpenGenerator, z: torch.Tensor, rows: torch.Tensor | None, together: int) -> None:
    for begin in range(0, len(z), together):
        some = slice(begin, begin + together)
        opened.pictures_at(z[some], None if rows is None else rows[some])


def _least(work: Callable[[], object], tries: int) -> float:
    work()
    found = []
    for _ in range(tries):
        begun = time.process_time()
        work()
        found.append(time.process_time() - begun)
    return min(found)


if __name__ == "__main__":
    main()
