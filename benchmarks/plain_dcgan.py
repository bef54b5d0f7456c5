"""DCGAN as most people have it: one script, float32, a DataLoader, no tuning.

The comparison for `train_speed.py`: the same networks, loss, optimizer and batch as the
recipe `dcgan`, written the ordinary way. Prints one JSON line: {"img_per_s": …}.

    python benchmarks/plain_dcgan.py DATASET --steps 20
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset


class Faces(Dataset[Tensor]):
    """The pictures of a dataset as tensors in [−1, 1], converted one by one."""

    def __init__(self, dataset: Path) -> None:
        self.images = np.load(dataset / "images.npy")

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Tensor:
        picture = torch.from_numpy(self.images[index]).permute(2, 0, 1)
        return picture.float().div(255).sub(0.5).div(0.5)


def generator(width: int, latent: int) -> nn.Sequential:
    """From [N, Z, 1, 1] to [N, 3, 64, 64]."""
    layers: list[nn.Module] = [nn.ConvTranspose2d(latent, width * 8, 4, 1, 0, bias=False)]
    for factor in (8, 4, 2):
        layers += [
            nn.BatchNorm2d(width * factor),
            nn.ReLU(True),
            nn.ConvTranspose2d(width * factor, width * factor // 2, 4, 2, 1, bias=False),
        ]
    layers += [nn.BatchNorm2d(width), nn.ReLU(True), nn.ConvTranspose2d(width, 3, 4, 2, 1)]
    return nn.Sequential(*layers, nn.Tanh())


def discriminator(width: int) -> nn.Sequential:
    """From [N, 3, 64, 64] to [N, 1, 1, 1], a probability."""
    layers: list[nn.Module] = [nn.Conv2d(3, width, 4, 2, 1), nn.LeakyReLU(0.2, True)]
    for factor in (1, 2, 4):
        layers += [
            nn.Conv2d(width * factor, width * factor * 2, 4, 2, 1, bias=False),
            nn.BatchNorm2d(width * factor * 2),
            nn.LeakyReLU(0.2, True),
        ]
    return nn.Sequential(*layers, nn.Conv2d(width * 8, 1, 4, 1, 0), nn.Sigmoid())


def loader(data: Dataset[Tensor], batch: int, device: torch.device) -> DataLoader[Tensor]:
    """With two processes beside a GPU, as the tutorial has it; a processor trains and loads."""
    gpu = device.type != "cpu"
    workers = 2 if gpu else 0
    return DataLoader(
        data, batch, shuffle=True, drop_last=True, num_workers=workers, pin_memory=gpu
    )


def now(device: torch.device) -> float:
    """The clock, once the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def forever(loader: DataLoader[Tensor]) -> Iterator[Tensor]:
    """One epoch after another."""
    while True:
        yield from loader


def main() -> None:
    """Train for some steps and print the speed of those after the warm-up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--warmup", type=int, default=3)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--channels", type=int, default=64)
    parser.add_argument("--latent", type=int, default=100)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    device = torch.device(options.device)

    torch.manual_seed(0)
    net_g, net_d = generator(options.channels, options.latent), discriminator(options.channels)
    for module in (*net_g.modules(), *net_d.modules()):
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, 0.02)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)
    net_g.to(device)
    net_d.to(device)
    criterion = nn.BCELoss()
    optimizer_d = torch.optim.Adam(net_d.parameters(), lr=2e-4, betas=(0.5, 0.999))
    optimizer_g = torch.optim.Adam(net_g.parameters(), lr=2e-4, betas=(0.5, 0.999))
    batches = forever(loader(Faces(options.dataset), options.batch, device))

    begin = time.perf_counter()
    for step in range(options.warmup + options.steps):
        if step == options.warmup:
            begin = now(device)
        real = next(batches).to(device)
        ones, zeros = torch.ones(len(real), device=device), torch.zeros(len(real), device=device)

        net_d.zero_grad()
        loss_real = criterion(net_d(real).view(-1), ones)
        loss_real.backward()
        fake = net_g(torch.randn(len(real), options.latent, 1, 1, device=device))
        loss_fake = criterion(net_d(fake.detach()).view(-1), zeros)
        loss_fake.backward()
        optimizer_d.step()

        net_g.zero_grad()
        loss_g = criterion(net_d(fake).view(-1), ones)
        loss_g.backward()
        optimizer_g.step()
        loss_g.item()
    seconds = now(device) - begin
    print(json.dumps({"img_per_s": options.steps * options.batch / seconds}))


if __name__ == "__main__":
    main()
