"""torch-mimicry: residual networks of its own blocks, its SNGAN, its Trainer.

Two modules that it imports, and that nothing here calls, are empty ones: TensorFlow, which its
metrics use and which crashes beside recent releases of PyTorch; and with `--bridge`
`torch._six`, which newer releases of PyTorch took away and without which the package cannot be
imported.
"""

from __future__ import annotations

# mypy: disable-error-code="import-not-found"
import importlib.machinery
import sys
import types
from pathlib import Path
from typing import Any

from peers.protocol import Job, Measured, command_seconds, serve

_LATENT, _CRITIC = 128, 5
_WIDEST = 16  # times the width, as in SNGAN: its ngf and ndf count the widest maps


def train(job: Job) -> Measured:
    """Its Trainer on SNGAN: hinge loss, five updates of the discriminator for each step."""
    load(job.bridge)
    from torch.optim import Adam
    from torch_mimicry.training import Trainer

    from peers import loading

    generator, discriminator = _generator(job), _discriminator(job)
    dataset = loading.folder(job.images)
    # A whole step more would take long; on Ctrl-C the Trainer saves and ends.
    ticking = loading.metronome(job, dataset, _CRITIC, interrupt=True)
    Trainer(
        netD=discriminator,
        netG=generator,
        optD=Adam(discriminator.parameters(), 2e-4, betas=(0.0, 0.9)),
        optG=Adam(generator.parameters(), 2e-4, betas=(0.0, 0.9)),
        n_dis=_CRITIC,
        num_steps=job.warmup + job.steps + 1,
        lr_decay="linear",
        dataloader=loading.loader(dataset, ticking),
        log_dir=str(job.scratch / "log"),
        device="cpu",
    ).train()
    return loading.measured(job, ticking, loading.count(generator, discriminator), _CRITIC)


def sample(job: Job) -> Measured:
    """`generate_images`, 64 at a time."""
    load(job.bridge)
    import torch

    from peers import sampling

    generator = _generator(job).eval()
    return sampling.in_memory(job, torch.no_grad()(generator.generate_images))


def startup(job: Job) -> Measured:
    """It has no command: its import."""
    here = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); "
    code = here + f"import mimicry_worker; mimicry_worker.load({job.bridge})"
    seconds = command_seconds([sys.executable, "-c", code])
    return Measured(seconds, note="no command of its own: its import, without TensorFlow")


def load(bridge: bool) -> None:
    """Import the package, with the empty modules in place while it is imported."""
    # TensorBoard, which the Trainer does use, looks for TensorFlow too; let it find none.
    import torch.utils.tensorboard  # noqa: F401

    for name in ("tensorflow", "torch._six") if bridge else ("tensorflow",):
        module: Any = types.ModuleType(name)
        module.__spec__ = importlib.machinery.ModuleSpec(name, None)
        module.PY3 = True
        sys.modules[name] = module
    import torch_mimicry  # noqa: F401

    del sys.modules["tensorflow"]


def _generator(job: Job) -> Any:
    from torch_mimicry.nets.sngan import SNGANGenerator64

    return SNGANGenerator64(nz=_LATENT, ngf=job.width * _WIDEST)


def _discriminator(job: Job) -> Any:
    """The discriminator of the paper (and of facegan's recipe), from the peer's own blocks.

    Its SNGANDiscriminator64 has half the weights: it widens in the second convolution of a
    block, not the first, and halves once more. The same work is compared here.
    """
    import torch
    from torch import nn
    from torch_mimicry.modules.layers import SNLinear
    from torch_mimicry.modules.resblocks import DBlock, DBlockOptimized
    from torch_mimicry.nets.sngan.sngan_base import SNGANBaseDiscriminator

    class Discriminator(SNGANBaseDiscriminator):
        def __init__(self, width: int) -> None:
            super().__init__(ndf=width * _WIDEST)
            blocks: list[Any] = [DBlockOptimized(3, width)]
            for level in range(4):
                wide = width << (level + 1)
                blocks.append(DBlock(width << level, wide, wide, downsample=level < 3))
            self.blocks = nn.Sequential(*blocks)
            self.activation = nn.ReLU(True)
            self.score = SNLinear(width * _WIDEST, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.score(self.activation(self.blocks(x)).sum((2, 3)))

    return Discriminator(job.width)


if __name__ == "__main__":
    serve({"train-resnet": train, "sample-resnet": sample, "startup": startup})
