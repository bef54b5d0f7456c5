"""R3GAN as people would write its paper down: one script, float32, a DataLoader, no tuning.

The comparison for `train_speed.py`: the networks of a recipe of facegan in PyTorch's usual
layout, the relativistic loss with R1 and R2 on every update by double backward (Huang et al.
2024, equations 4 and 5), Adam, an average of the generator; without augmentation. Prints one
JSON line: {"img_per_s": …}.

    python benchmarks/plain_r3gan.py DATASET --recipe r3gan-cpu --steps 20
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from pathlib import Path

import torch
from plain_dcgan import Faces, forever, loader, now
from torch import Tensor
from torch.nn import functional as F

from facegan.data.spec import ImageSpec
from facegan.recipe import Recipe

_GAMMA = 1.0


def slope(images: Tensor, logits: Tensor) -> Tensor:
    """‖∇D‖² of each image."""
    (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return gradient.square().sum((1, 2, 3))


def main() -> None:
    """Train for some steps and print the speed of those after the warm-up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--recipe", default="r3gan-cpu")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--warmup", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    device = torch.device(options.device)

    recipe = Recipe.load(options.recipe)
    batch = recipe.training.batch
    spec = ImageSpec(64, 3)
    net_g = recipe.generator.build(spec, "symmetric").to(device)
    net_d = recipe.discriminator.build(spec, "symmetric").to(device)
    average = copy.deepcopy(net_g)
    optimizer_d = torch.optim.Adam(net_d.parameters(), lr=2e-4, betas=(0.0, 0.99))
    optimizer_g = torch.optim.Adam(net_g.parameters(), lr=2e-4, betas=(0.0, 0.99))
    batches = forever(loader(Faces(options.dataset), batch, device))

    begin = time.perf_counter()
    for step in range(options.warmup + options.steps):
        if step == options.warmup:
            begin = now(device)
        real = next(batches).to(device)
        z = torch.randn(batch, net_g.latent.size, device=device)

        net_d.zero_grad()
        with torch.no_grad():
            fake = net_g(z)
        real.requires_grad_()
        fake.requires_grad_()
        logits_real, logits_fake = net_d(real), net_d(fake)
        penalty = slope(real, logits_real) + slope(fake, logits_fake)
        loss_d = F.softplus(logits_fake - logits_real) + _GAMMA / 2 * penalty
        loss_d.mean().backward()
        optimizer_d.step()

        net_g.zero_grad()
        logits_fake = net_d(net_g(z))
        with torch.no_grad():
            logits_real = net_d(real)
        loss_g = F.softplus(logits_real - logits_fake).mean()
        loss_g.backward()
        optimizer_g.step()
        with torch.no_grad():
            for old, new in zip(average.parameters(), net_g.parameters(), strict=True):
                old.lerp_(new, 0.001)
        loss_g.item()
    seconds = now(device) - begin
    print(json.dumps({"img_per_s": options.steps * batch / seconds}))


if __name__ == "__main__":
    main()
