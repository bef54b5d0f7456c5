"""No library: `plain_dcgan.py`, and what its readers write around it."""

from __future__ import annotations

# mypy: disable-error-code="import-not-found"
import contextlib
import io
import json
import sys
import tarfile
import time
from pathlib import Path

from peers.protocol import CHANNELS, LATENT, Job, Measured, command_seconds, gan, serve, since_start

_SCRIPT = Path(__file__).parents[2] / "plain_dcgan.py"


def train(job: Job) -> Measured:
    """The script's own main, which times itself."""
    import plain_dcgan

    from peers.loading import count

    sys.argv = ["plain_dcgan", str(job.dataset), "--steps", str(job.steps)]
    sys.argv += ["--warmup", str(job.warmup)]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        plain_dcgan.main()
    networks = plain_dcgan.generator(CHANNELS, LATENT), plain_dcgan.discriminator(CHANNELS)
    if job.task == "first-step":
        return Measured(since_start(job), count(*networks))
    return Measured(json.loads(printed.getvalue())["img_per_s"], count(*networks))


def sample(job: Job) -> Measured:
    """Its generator, 64 at a time."""
    import plain_dcgan
    import torch

    from peers import sampling

    generator = plain_dcgan.generator(CHANNELS, LATENT).eval()

    @torch.no_grad()
    def draw(n: int) -> torch.Tensor:
        return generator(torch.randn(n, LATENT, 1, 1))

    return sampling.measured(job, draw)


def startup(job: Job) -> Measured:
    """The script's --help."""
    return Measured(command_seconds([sys.executable, str(_SCRIPT), "--help"]))


def import_archive(job: Job) -> Measured:
    """Unpack, decode and resize once through ImageFolder, keep one array of bytes.

    Kinder than the usual way, which resizes every picture again in every epoch.
    """
    import numpy as np
    from torch.utils.data import DataLoader
    from torchvision import transforms
    from torchvision.datasets import ImageFolder

    if job.archive is None:
        raise ValueError("no archive was given: --lfw")
    begin = time.perf_counter()
    with tarfile.open(job.archive) as archive:
        archive.extractall(job.scratch / "unpacked", filter="data")
    steps = [transforms.Resize(64), transforms.CenterCrop(64), transforms.PILToTensor()]
    # The archive's one folder becomes the one class, which is as good as any.
    pictures = ImageFolder(str(job.scratch / "unpacked"), transforms.Compose(steps))
    workers = job.threads if job.threads > 1 else 0
    batches = [images.numpy() for images, _ in DataLoader(pictures, 64, num_workers=workers)]
    np.save(job.scratch / "pictures.npy", np.concatenate(batches))
    seconds = time.perf_counter() - begin
    return Measured(len(pictures) / seconds, note="unpacked, ImageFolder, DataLoader, one array")


if __name__ == "__main__":
    serve(gan(train, sample, startup) | {"import": import_archive})
