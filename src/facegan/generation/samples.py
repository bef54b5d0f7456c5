"""Pictures from a generator: reproducible by seed, whatever the batch."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from facegan.data.pixels import Pixels
from facegan.data.room import picture_array
from facegan.data.spec import ImageSpec
from facegan.device import Execution, Precision
from facegan.networks.interfaces import Generator
from facegan.seeding import image_random

# Pictures are always computed in groups of this size, the last one filled up, because a
# library may choose another algorithm, with other rounding, for another batch size.
GROUP = 32
# So many groups at most are computed at a time: each holds its own feature maps.
_AT_A_TIME = 8

Item = TypeVar("Item")
Result = TypeVar("Result")


def pictures(
    generator: Generator,
    pixels: Pixels,
    seeds: Sequence[int],
    truncation: float = 1.0,
    labels: Mapping[int, float] | None = None,
    precision: Precision = "fp32",
) -> Iterator[np.ndarray]:
    """Generate one picture for each seed.

    Args:
        generator: in evaluation mode.
        pixels: its conversion to bytes.
        seeds: one for each picture; the same seed is the same picture.
        truncation: ψ in [0, 1]: latents are drawn towards their mean by this factor. Less
            than 1 gives more typical and less varied pictures.
        labels: scaled values that the labels of these columns have in every picture. The
            others, and without this all of them, are those of a training image that the seed
            chooses.
        precision: `bf16` computes convolutions and matrix products in bfloat16.

    Yields:
        uint8 [n, H, W, C], n ≤ 32 at a time, in the order of the seeds.
    """
    for images, _ in labelled_pictures(generator, pixels, seeds, truncation, labels, precision):
        yield images


def labelled_pictures(
    generator: Generator,
    pixels: Pixels,
    seeds: Sequence[int],
    truncation: float = 1.0,
    labels: Mapping[int, float] | None = None,
    precision: Precision = "fp32",
) -> Iterator[tuple[np.ndarray, Tensor | None]]:
    """The same as `pictures`, each group with its labels.

    Yields:
        uint8 [n, H, W, C] and float32 [n, L] on the CPU (None without labels), n ≤ 32 at a time.
    """

    def computed(group: Sequence[int]) -> tuple[np.ndarray, Tensor | None]:
        inputs = [image_inputs(generator, seed, labels) for seed in group]
        if not generator.singly:
            inputs += inputs[-1:] * (GROUP - len(group))
        z = torch.cat([z for z, _ in inputs])
        rows = [row for _, row in inputs if row is not None]
        given = torch.cat(rows) if rows else None
        made = pictures_at(generator, pixels, z * truncation, given, precision)[: len(group)]
        return made, None if given is None else given[: len(group)].cpu()

    groups = [seeds[begin : begin + GROUP] for begin in range(0, len(seeds), GROUP)]
    on_cpu = _device(generator).type == "cpu"
    yield from _side_by_side(computed, groups) if on_cpu else map(computed, groups)


@torch.no_grad()
def pictures_at(
    generator: Generator,
    pixels: Pixels,
    z: Tensor,
    labels: Tensor | None = None,
    precision: Precision = "fp32",
) -> np.ndarray:
    """Pictures of given latents, all at once: for whoever explores, and waits for one of them.

    They may differ in a last bit from those that `pictures` computes in its groups.

    Args:
        generator: in evaluation mode.
        pixels: its conversion to bytes.
        z: float [N, Z], as they enter the network.
        labels: float [N, L], scaled; None for a generator without labels.
        precision: `bf16` computes convolutions and matrix products in bfloat16.

    Returns:
        uint8 [N, H, W, C].
    """
    device = _device(generator)
    with _computing(device, precision):
        images = generator(z.to(device), None if labels is None else labels.to(device))
    return pixels.to_bytes(images).cpu().numpy()


def gathered(
    groups: Iterable[np.ndarray],
    n: int,
    spec: ImageSpec,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> np.ndarray:
    """All pictures of some groups as one array; in a file where they would fill the memory.

    Args:
        groups: uint8 [m, H, W, C] each, n pictures in all.
        n: how many.
        spec: their shape.
        progress: called with (pictures done, pictures in all).
    """
    found = picture_array((n, spec.resolution, spec.resolution, spec.channels))
    done = 0
    for group in groups:
        found[done : done + len(group)] = group
        done += len(group)
        progress(done, n)
    return found


def _device(generator: Generator) -> torch.device:
    """Where it computes; what has no parameters of its own computes on the processor."""
    parameter = next(generator.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device


def _computing(
    device: torch.device, precision: Precision
) -> contextlib.AbstractContextManager[object]:
    """The number format that networks run in; whatever it is now, for `fp32`."""
    if precision == "fp32":
        return contextlib.nullcontext()
    return Execution(device, precision).autocast()


def image_inputs(
    generator: Generator, seed: int, labels: Mapping[int, float] | None = None
) -> tuple[Tensor, Tensor | None]:
    """Latent [1, Z] and labels [1, L] (None without any) of the picture with this seed."""
    random = image_random(seed)
    z = generator.draw(random, 1)
    drawn = generator.draw_labels(random, 1)
    if drawn is not None:
        for column, value in (labels or {}).items():
            drawn[:, column] = value
    return z, drawn


def _side_by_side(work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """`work` on each item, results in order, PyTorch's threads shared among several items.

    A thread that computes a group of its own never waits for another, as those that share each
    layer of one group do after every layer: about a tenth more pictures on two cores. The number
    of threads changes no convolution's and no matrix product's result: each of their sums is
    taken by one thread.
    """
    threads = torch.get_num_threads()
    workers = min(threads, len(items), _AT_A_TIME)
    if workers <= 1:
        yield from map(work, items)
        return
    begun = threading.Barrier(workers + 1)

    def begin() -> None:
        torch.get_num_threads()  # a new thread takes the general number over when first asked
        torch.set_num_threads(threads // workers)
        # A pool whose initialiser fails empties its queue, and with it the sign to end.
        with contextlib.suppress(threading.BrokenBarrierError):
            begun.wait()

    pool = ThreadPoolExecutor(workers, "facegan-pictures", begin)
    waiting: deque[Future[Result]] = deque()
    try:
        # Twice as many as compute, so that nobody waits for whoever takes the results.
        for item in items[: 2 * workers]:
            waiting.append(pool.submit(work, item))
        begun.wait()
        torch.set_num_threads(threads)  # what one thread sets, those begun later inherit
        for item in items[2 * workers :]:
            result = waiting.popleft().result()
            waiting.append(pool.submit(work, item))
            yield result
        while waiting:
            yield waiting.popleft().result()
    finally:
        begun.abort()  # an interruption may come while some still begin
        pool.shutdown(cancel_futures=True)
