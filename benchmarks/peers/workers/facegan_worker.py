"""facegan itself, through what its commands call."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from peers.protocol import (
    BATCH,
    CHANNELS,
    LATENT,
    Job,
    Measured,
    command_seconds,
    gan,
    serve,
    since_start,
)

if TYPE_CHECKING:
    from facegan.device import Precision
    from facegan.recipe import Recipe


def train(job: Job) -> Measured:
    """`facegan train` on the recipe `dcgan` or `sngan`: precision probed, then steps."""
    from facegan.startup import tune_process

    tune_process()  # as the command line does, before PyTorch is imported

    import prepared

    from facegan.networks.interfaces import parameter_count

    with prepared.trainer(_recipe(job), job.dataset, threads=job.threads) as trainer:
        networks, note = trainer.state.networks, trainer.execution.precision
        parameters = parameter_count(networks.generator), parameter_count(networks.discriminator)
        if job.task == "first-step":
            trainer.step()
            return Measured(since_start(job), parameters, f"{note}, the choice of it included")
        for _ in range(job.warmup):
            trainer.step()
        begin = time.perf_counter()
        for _ in range(job.steps):
            trainer.step()
        seconds = time.perf_counter() - begin
    return Measured(job.steps * trainer.step_images / seconds, parameters, note)


def sample(job: Job, precision: Precision = "fp32") -> Measured:
    """What `facegan generate` does, from a file with an untrained generator.

    The time for one picture is that of a latent at hand: one of a seed costs a whole group.
    """
    from facegan.startup import tune_process

    tune_process()

    import prepared
    import torch

    from facegan.apps.generate import generate
    from facegan.generation.generator import open_generator
    from peers.sampling import median_ms

    path = prepared.untrained(_recipe(job), job.scratch / "generator.safetensors")
    count = max(job.pictures // BATCH, 1) * BATCH
    if job.task == "sample-png":
        generate(path, job.scratch / "warm", n=BATCH, device="cpu", precision=precision)
        begin = time.perf_counter()
        generate(path, job.scratch / "pictures", n=count, device="cpu", precision=precision)
        return Measured(count / (time.perf_counter() - begin), note="with seed and recipe inside")
    model = open_generator(path, device="cpu", precision=precision)
    if job.task == "latency":
        latent = model.loaded.generator.latent
        return Measured(median_ms(lambda: model.pictures_at(torch.randn(1, latent.size))))
    list(model.pictures(range(BATCH)))
    begin = time.perf_counter()
    for _ in model.pictures(range(count)):
        pass
    return Measured(count / (time.perf_counter() - begin))


def startup(job: Job) -> Measured:
    """`facegan --help`."""
    return Measured(command_seconds([sys.executable, "-m", "facegan", "--help"]))


def import_archive(job: Job) -> Measured:
    """`facegan data import`, the whole command."""
    import subprocess

    from facegan.data.dataset import Dataset

    if job.archive is None:
        raise ValueError("no archive was given: --lfw")
    out = job.scratch / "dataset"
    command = [sys.executable, "-m", "facegan", "data", "import", str(job.archive), str(out)]
    begin = time.perf_counter()
    subprocess.run([*command, "--workers", str(job.threads)], check=True)
    seconds = time.perf_counter() - begin
    return Measured(len(Dataset.open(out).images) / seconds, note="the whole command")


def _recipe(job: Job) -> Recipe:
    """The networks, batch and latent that the peers have."""
    from facegan.recipe import Recipe

    if job.task in ("train-resnet", "sample-resnet"):
        width = f"generator.channels={job.width}", f"discriminator.channels={job.width}"
        return Recipe.load("sngan").override(*width)
    return Recipe.load("dcgan").override(
        f"generator.channels={CHANNELS}",
        f"discriminator.channels={CHANNELS}",
        f"generator.latent.size={LATENT}",
        f"training.batch={BATCH}",
    )


if __name__ == "__main__":
    more = {"train-resnet": train, "sample-resnet": sample, "import": import_archive}
    serve(gan(train, sample, startup) | more)
