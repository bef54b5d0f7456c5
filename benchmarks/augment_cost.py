"""What augmentation costs: milliseconds per batch, for each transform and for all together.

Each transform is applied to every image (probability 1, the dearest case) of a batch in
memory layout channels_last, as real images come. Forward alone, and with the gradient with
respect to the images, as a generator's update needs it. The naive comparison applies the same
kinds of change to one image after another, with one operation for each.

    python benchmarks/augment_cost.py --batch 64 --threads 1
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable

import numpy as np

from facegan.startup import tune_process

tune_process()  # as the command line does, before PyTorch is imported

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from torch import Tensor  # noqa: E402

from facegan.augment import Augmentation, AugmentConfig  # noqa: E402
from facegan.data.pixels import Pixels  # noqa: E402
from facegan.seeding import Random  # noqa: E402

_PIXELS = Pixels.of("symmetric")
_CHEAP = {"flip": True, "shift": 0.125}
_COLOURS = {"brightness": 0.3, "contrast": 0.5, "saturation": 0.5}
_GEOMETRY = {"fraction": 0.1, "scale": 0.3, "rotation": 10.0}
_STRENGTHS = {**_CHEAP, **_GEOMETRY, **_COLOURS, "cutout": 0.4, "noise": 0.1}
_ROWS: dict[str, dict[str, float]] = {
    **{name: {name: value} for name, value in _STRENGTHS.items()},
    "geometry": _GEOMETRY,
    "flip+shift+colour+cutout": {**_CHEAP, **_COLOURS, "cutout": 0.4},
    "all but noise": {name: value for name, value in _STRENGTHS.items() if name != "noise"},
    "all": _STRENGTHS,
}


def main() -> None:
    """Print one table for each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 128])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    for size in options.sizes:
        images = torch.randn(options.batch, 3, size, size, device=device)
        images = images.to(memory_format=torch.channels_last)
        print(f"\n{options.batch} images of {size} px, {device}, {options.threads} thread(s)")
        print(f"{'':26}{'forward':>9}  {'and back':>9}  {'naive / forward':>16}")
        for name, settings in _ROWS.items():
            _print_row(name, settings, images, options.rounds)


def _print_row(name: str, settings: dict[str, float], images: Tensor, rounds: int) -> None:
    augment = AugmentConfig.model_validate(settings).build(_PIXELS)
    forward = _time(lambda: augment(images, _random(), 1.0), rounds, images.device)
    both = _time(lambda: _learn(augment, images), rounds, images.device)
    naive = _time(lambda: _naive(images, settings), 5, images.device)
    print(f"{name:26}{forward:6.2f} ms  {both:6.2f} ms  {naive / forward:14.1f} ×", flush=True)


def _random() -> Random:
    return Random(np.random.default_rng(0))


def _learn(augment: Augmentation, images: Tensor) -> None:
    watched = images.detach().requires_grad_()
    augmented = augment(watched, _random(), 1.0)
    torch.autograd.grad(augmented, watched, torch.ones_like(augmented))


def _time(compute: Callable[[], object], rounds: int, device: torch.device) -> float:
    """The fastest of some rounds, in milliseconds: others may be using the machine."""
    seconds = []
    for _ in range(rounds):
        began = time.perf_counter()
        compute()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - began)
    return min(seconds) * 1000


def _naive(images: Tensor, settings: dict[str, float]) -> Tensor:
    """One image after the other, one operation after the other."""
    random = np.random.default_rng(0)
    return torch.stack([_naive_one(image, settings, random) for image in images])


def _naive_one(image: Tensor, settings: dict[str, float], random: np.random.Generator) -> Tensor:
    size = image.shape[-1]

    def amount(name: str) -> float:
        return float(random.uniform(-1, 1)) * settings.get(name, 0.0)

    if settings.keys() & _GEOMETRY.keys():
        angle, zoom = math.radians(amount("rotation")), 2 ** amount("scale")
        cos, sin = math.cos(angle) / zoom, math.sin(angle) / zoom
        theta = image.new_tensor([[cos, -sin, amount("fraction")], [sin, cos, amount("fraction")]])
        grid = F.affine_grid(theta[None], [1, 3, size, size], align_corners=False)
        image = F.grid_sample(
            image[None], grid, padding_mode="reflection", align_corners=False
        ).squeeze(0)
    if "brightness" in settings:
        image = image + 2 * amount("brightness")
    if "saturation" in settings:
        grey = image.mean(0, keepdim=True)
        image = grey + (image - grey) * (1 + settings["saturation"]) ** random.uniform(-1, 1)
    if "contrast" in settings:
        image = image * (1 + settings["contrast"]) ** random.uniform(-1, 1)
    if "noise" in settings:
        noise = random.standard_normal(tuple(image.shape), np.float32)
        image = image + torch.from_numpy(noise).to(image.device) * amount("noise")
    if "flip" in settings and random.random() < 0.5:
        image = image.flip(2)
    if "shift" in settings:
        down, right = (round(amount("shift") * size) for _ in range(2))
        image = F.pad(image, (right, -right, down, -down))
    if "cutout" in settings:
        side = round(settings["cutout"] * size)
        top, left = (int(random.integers(size)) - side // 2 for _ in range(2))
        image = image.clone()
        image[:, max(top, 0) : top + side, max(left, 0) : left + side] = 0
    return image


if __name__ == "__main__":
    main()
