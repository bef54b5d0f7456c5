"""How fast facegan makes pictures, as ratios to the plain script on the same machine.

Everything in one process, in turn, several times, each once before it counts:

- in memory, [N, H, W, C] bytes: the plain float32 network (as `plain_dcgan.py` writes it, batch
  64, evaluation mode, no gradients) and `OpenGenerator.pictures` in fp32 and bf16;
- on the disk, a file for each picture: a loop as people write it (the plain network, then
  Pillow's `save` for one picture after the other) and `facegan generate`, whose files also are
  forced to the disk and say that they are generated;
- on the disk, a dataset: `facegan generate --dataset`.

The network is DCGAN-64's with first weights; a run or a generator's file may be named instead,
and then the plain script has the same network as PyTorch's own modules, if it is a DCGAN.

    python benchmarks/generation.py [SOURCE] --rounds 5 -n 512 --threads 1
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from facegan.startup import tune_process

tune_process()  # as the command line does, before PyTorch is imported

import numpy as np  # noqa: E402
import plain_dcgan  # noqa: E402
import prepared  # noqa: E402
import torch  # noqa: E402
from PIL import Image  # noqa: E402
from torch import nn  # noqa: E402

from facegan.apps.generate import generate  # noqa: E402
from facegan.device import Precision  # noqa: E402
from facegan.generation.generator import open_generator  # noqa: E402
from facegan.networks.dcgan import DcganGenerator  # noqa: E402
from facegan.recipe import Recipe  # noqa: E402

BATCH = 64


def main() -> None:
    """Alternate, and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", nargs="?", help="a run or generator; DCGAN-64 if absent")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("-n", type=int, default=512, help="pictures each time")
    parser.add_argument("--threads", type=int, help="PyTorch's own choice by default")
    parser.add_argument("--out", help="where to write and delete; the system's folder by default")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory(dir=options.out) as folder:
        source = options.source or prepared.untrained(
            Recipe.load("dcgan"), Path(folder) / "dcgan.safetensors"
        )
        ways = _ways(source, options.n, Path(folder))
        speeds: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(options.rounds + 1):
            for name, way in ways.items():
                begin = time.perf_counter()
                way()
                if number:  # the first is the warm-up
                    speeds[name].append(options.n / (time.perf_counter() - begin))
            if number:
                line = "  ".join(f"{name} {speeds[name][-1]:.0f}" for name in ways)
                print(f"round {number}, img/s: {line}", flush=True)
    print(f"\n{'':24}{'img/s':>8}   ratio to the plain way: median (lowest to highest)")
    for name, found in speeds.items():
        base = "plain, memory" if name.endswith("memory") else "plain, files"
        ratios = [a / b for a, b in zip(found, speeds[base], strict=True)]
        print(
            f"{name:24}{statistics.median(found):8.0f}   {statistics.median(ratios):.2f} × "
            f"({min(ratios):.2f} to {max(ratios):.2f})"
        )


def _ways(source: str | Path, n: int, folder: Path) -> dict[str, Callable[[], None]]:
    """What is compared, by name: each makes `n` pictures."""
    plain, latent = _plain(source)
    ways: dict[str, Callable[[], None]] = {
        "plain, memory": partial(_consume, partial(_plain_pictures, plain, latent, n)),
    }
    precisions: tuple[Precision, ...] = ("fp32", "bf16")
    for precision in precisions:
        opened = open_generator(source, device="cpu", precision=precision)
        ways[f"facegan {precision}, memory"] = partial(_consume, partial(opened.pictures, range(n)))
    ways["plain, files"] = partial(_plain_files, plain, latent, n, folder / "plain")
    for precision in precisions:
        common = {"n": n, "device": "cpu", "precision": precision}
        to = folder / precision
        ways[f"facegan {precision}, files"] = partial(_generate, source, to, **common)
        dataset = folder / f"{precision}-dataset"
        ways[f"facegan {precision}, dataset"] = partial(
            _generate, source, dataset, dataset=True, overwrite=True, **common
        )
    return ways


def _plain(source: str | Path) -> tuple[nn.Module, int]:
    """The same DCGAN of PyTorch's own modules, in their usual layout; and the latent's size."""
    generator = open_generator(source, device="cpu").loaded.generator
    if not isinstance(generator, DcganGenerator) or generator.spec.resolution != 64:
        raise SystemExit("The plain script is a DCGAN at 64 pixels: name one, or none.")
    ours = [layer for layer in generator.layers if layer.state_dict()]
    width = ours[-1].state_dict()["weight"].shape[0]
    plain = plain_dcgan.generator(width, generator.inputs)
    theirs = [layer for layer in plain if layer.state_dict()]
    for mine, other in zip(ours, theirs, strict=True):
        other.load_state_dict(mine.state_dict())
    return plain.eval(), generator.inputs


@torch.no_grad()
def _plain_pictures(network: nn.Module, latent: int, n: int) -> Iterator[np.ndarray]:
    for begin in range(0, n, BATCH):
        images = network(torch.rand(min(BATCH, n - begin), latent, 1, 1) * 2 - 1)
        values = images.mul(127.5).add(127.5).clamp(0, 255).permute(0, 2, 3, 1)
        yield values.to(torch.uint8).numpy()


def _plain_files(network: nn.Module, latent: int, n: int, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    number = 0
    for group in _plain_pictures(network, latent, n):
        for image in group:
            Image.fromarray(image).save(folder / f"{number:06}.png")
            number += 1


def _consume(groups: Callable[[], Iterator[np.ndarray]]) -> None:
    for _ in groups():
        pass


def _generate(source: str | Path, out: Path, **options: object) -> None:
    generate(source, out, **options)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
