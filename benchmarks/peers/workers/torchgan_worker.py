"""torchgan: its DCGAN networks, its losses, and its Trainer, as its tutorial uses them."""

from __future__ import annotations

# mypy: disable-error-code="import-not-found"
import sys
from typing import Any

from peers.protocol import CHANNELS, LATENT, Job, Measured, command_seconds, gan, serve


def train(job: Job) -> Measured:
    """`Trainer` on DCGANGenerator and DCGANDiscriminator at 64 pixels."""
    import torch
    from torchgan.losses import MinimaxDiscriminatorLoss, MinimaxGeneratorLoss
    from torchgan.models import DCGANDiscriminator
    from torchgan.trainer import Trainer

    from peers import loading

    if job.bridge:
        _give_range_back()
    adam = {"name": torch.optim.Adam, "args": {"lr": 2e-4, "betas": (0.5, 0.999)}}
    models: dict[str, Any] = {
        "generator": {**_generator(), "optimizer": adam},
        "discriminator": {
            "name": DCGANDiscriminator,
            "args": {"in_size": 64, "in_channels": 3, "step_channels": CHANNELS},
            "optimizer": adam,
        },
    }
    losses = [MinimaxGeneratorLoss(), MinimaxDiscriminatorLoss()]
    dataset = loading.folder(job.images)
    ticking = loading.metronome(job, dataset)
    trainer = Trainer(models, losses, device=torch.device("cpu"), epochs=1, sample_size=64)
    trainer(loading.loader(dataset, ticking))
    return loading.measured(job, ticking, loading.count(trainer.generator, trainer.discriminator))


def sample(job: Job) -> Measured:
    """Its generator's own sampler, in evaluation mode."""
    import torch

    from peers import sampling

    made = _generator()
    generator = made["name"](**made["args"]).eval()
    device = torch.device("cpu")

    @torch.no_grad()
    def draw(n: int) -> torch.Tensor:
        return generator(*generator.sampler(n, device))

    return sampling.measured(job, draw)


def startup(job: Job) -> Measured:
    """It has no command: its import."""
    seconds = command_seconds([sys.executable, "-c", "import torchgan"])
    return Measured(seconds, note="no command of its own: its import")


def _give_range_back() -> None:
    """Let `make_grid` have the argument that `value_range` has replaced."""
    import torchvision

    make_grid = torchvision.utils.make_grid

    def old_make_grid(*arguments: Any, range: Any = None, **named: Any) -> Any:
        return make_grid(*arguments, value_range=range, **named)

    torchvision.utils.make_grid = old_make_grid


def _generator() -> dict[str, Any]:
    from torchgan.models import DCGANGenerator

    sizes = {"encoding_dims": LATENT, "out_size": 64, "out_channels": 3, "step_channels": CHANNELS}
    return {"name": DCGANGenerator, "args": sizes}


if __name__ == "__main__":
    serve(gan(train, sample, startup))
