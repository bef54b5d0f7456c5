"""vegans: networks of the user (those of the plain script), its VanillaGAN, its fit."""

from __future__ import annotations

# mypy: disable-error-code="import-not-found"
import sys
from typing import Any

from peers.protocol import BATCH, CHANNELS, LATENT, Job, Measured, command_seconds, gan, serve


def train(job: Job) -> Measured:
    """`VanillaGAN.fit` on a loader of pictures."""
    from peers import loading

    dataset = loading.Unlabelled(loading.folder(job.images))
    ticking = loading.metronome(job, dataset)
    loader = loading.loader(dataset, ticking)
    if job.bridge:
        loader = _old_loader(loader)
    gan = _gan()
    gan.fit(loader, epochs=1, batch_size=BATCH)
    return loading.measured(job, ticking, loading.count(gan.generator, gan.adversary))


def sample(job: Job) -> Measured:
    """`generate`, whose result is an array of floats."""
    import torch

    from peers import sampling

    gan = _gan()
    gan.eval()

    def draw(n: int) -> torch.Tensor:
        return torch.from_numpy(gan.generate(n=n))

    return sampling.measured(job, draw)


def startup(job: Job) -> Measured:
    """It has no command: its import."""
    command = [sys.executable, "-c", "from vegans.GAN import VanillaGAN"]
    return Measured(command_seconds(command), note="no command of its own: its import")


def _gan() -> Any:
    import plain_dcgan
    from torch.optim import Adam
    from vegans.GAN import VanillaGAN

    adam = {"lr": 2e-4, "betas": (0.5, 0.999)}
    return VanillaGAN(
        plain_dcgan.generator(CHANNELS, LATENT),
        plain_dcgan.discriminator(CHANNELS),
        x_dim=(3, 64, 64),
        z_dim=(LATENT, 1, 1),
        optim=Adam,
        optim_kwargs={"Generator": adam, "Adversary": adam},
        device="cpu",
        folder=None,
    )


def _old_loader(loader: Any) -> Any:
    """The same loader, whose iterators have the method `next` that newer PyTorch took away."""
    from torch.utils.data import DataLoader

    class Iterator:
        def __init__(self, inner: Any) -> None:
            self._inner = inner

        def __iter__(self) -> Iterator:
            return self

        def __next__(self) -> Any:
            return next(self._inner)

        next = __next__

    class OldLoader(DataLoader[Any]):
        def __iter__(self) -> Any:
            return Iterator(super().__iter__())

    return OldLoader(loader.dataset, BATCH, sampler=loader.sampler, drop_last=True)


if __name__ == "__main__":
    serve(gan(train, sample, startup))
