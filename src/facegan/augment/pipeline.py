"""All transforms on one batch, in the order that disturbs least, at the least cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from facegan.augment.colour import normal, recolour
from facegan.augment.draws import Draws
from facegan.augment.erase import hide, outside
from facegan.augment.geometry import move, resample, seen_after, similarity
from facegan.data.pixels import Pixels
from facegan.device import to_device
from facegan.seeding import Random

if TYPE_CHECKING:
    from facegan.augment.config import AugmentConfig


class Augmentation:
    """Changes images at random, each by itself.

    In this order: resampled (scale, rotation, fraction), coloured, noise added, mirrored and
    shifted, a square cut out. Colour and noise come first, so that what is missing is always
    the same grey.

    Args:
        config: which transforms, and how strong. Its probability is not looked at.
        pixels: the range of the images.
    """

    def __init__(self, config: AugmentConfig, pixels: Pixels) -> None:
        self._config = config
        black, white = pixels.to_model(torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1))
        self._middle, self._span = (black + white) / 2, white - black
        self._resamples = bool(config.fraction or config.scale or config.rotation)
        self._colours = bool(config.brightness or config.contrast or config.saturation)
        self._moves = bool(config.flip or config.shift)
        self._does_nothing = not (
            self._resamples or self._colours or self._moves or config.cutout or config.noise
        )

    def __call__(self, images: Tensor, random: Random, probability: float) -> Tensor:
        """Decide for each image and each transform, with this probability, and apply.

        Args:
            images: float [N, C, H, W] in the recipe's range; C is 1 or 3.
            random: of the update. How many numbers are drawn depends on the shape of the images
                and on which transforms are on, and on nothing else.
            probability: in [0, 1].

        Returns:
            Images of the same shape and memory layout, in float32 at least, and not clamped to
            the range; `images` itself if the probability is 0 or nothing is on.
        """
        if probability <= 0 or self._does_nothing:
            return images
        with torch.autocast(images.device.type, enabled=False):
            wide = images.to(torch.promote_types(images.dtype, torch.float32)).contiguous()
            changed = self._changed(wide, random, probability)
        if changed.stride() == images.stride():
            return changed
        return torch.empty_like(images, dtype=changed.dtype).copy_(changed)

    def _changed(self, images: Tensor, random: Random, probability: float) -> Tensor:
        n, _, height, width = images.shape
        config = self._config
        draws = Draws(random, n, probability)
        noise = random.uniform(*images.shape, low=-1.0) if config.noise else None
        plan = _send(self._plan(draws, height, width), images.device)
        middle, span = plan["middle"].to(images.dtype), plan["span"].to(images.dtype)

        if self._resamples and len(plan["resampled"]):
            images = _replace(images, plan["resampled"], plan["similarity"])
        if self._colours:
            saturate = config.saturation > 0 and images.shape[1] > 1
            images = recolour(images, plan["colour"], middle, span, saturate)
        if noise is not None:
            which = draws.applies("noise").nonzero()[:, 0]
            added = normal(to_device(noise[which], images.device)).to(images.dtype)
            strength = plan["noise"].to(images.dtype)[:, None, None, None]
            images = images.index_add(0, plan["noisy"], added * (strength * span))
        seen = None
        if self._moves:
            images = move(images, plan["move"])
            if config.shift:
                seen = seen_after(plan["move"], height, width)
        if config.cutout:
            side = round(config.cutout * min(height, width))
            whole = outside(plan["cutout"], side, height, width)
            seen = whole if seen is None else seen * whole
        return images if seen is None else hide(images, seen, middle)

    def _plan(self, draws: Draws, height: int, width: int) -> dict[str, Tensor]:
        """What happens to each image, as small tensors on the CPU."""
        config = self._config
        size = torch.tensor([height, width])
        plan = {"middle": self._middle, "span": self._span}
        if self._resamples:
            which = torch.stack([draws.applies(name) for name in config.resampling()]).any(0)
            scale = torch.exp2(config.scale * draws.around("scale")[:, 0])
            degrees = config.rotation * draws.around("rotation")[:, 0]
            shift = config.fraction * draws.around("fraction") * size
            plan["resampled"] = which.nonzero()[:, 0]
            plan["similarity"] = similarity(scale, degrees, shift)[which]
        if self._colours:
            brightness = config.brightness * draws.around("brightness")[:, 0]
            contrast = (1 + config.contrast) ** draws.around("contrast")[:, 0]
            saturation = (1 + config.saturation) ** draws.around("saturation")[:, 0]
            plan["colour"] = torch.stack((brightness, contrast, saturation), 1)
        if config.noise:
            which = draws.applies("noise")
            plan["noisy"] = which.nonzero()[:, 0]
            plan["noise"] = (config.noise * draws.amounts("noise")[:, 0])[which]
        if self._moves:
            most = [int(config.shift * side) for side in (height, width)]
            down, right = (draws.whole("shift", m)[:, i] for i, m in enumerate(most))
            mirrored = draws.applies("flip") & (draws.amounts("flip")[:, 0] < 0.5) & config.flip
            plan["move"] = torch.stack((down, right, mirrored), 1)
        if config.cutout:
            # The centre is anywhere in the picture; a square that is not cut out is below it.
            side = round(config.cutout * min(height, width))
            corner = (draws.amounts("cutout") * size).floor() - side // 2
            corner[~draws.applies("cutout")] = height
            plan["cutout"] = corner
        return plan


def _replace(images: Tensor, which: Tensor, similarities: Tensor) -> Tensor:
    """The images, those at the indices `which` resampled."""
    if len(which) == len(images):
        return resample(images, similarities)
    return images.index_copy(0, which, resample(images[which], similarities))


def _send(plan: dict[str, Tensor], device: torch.device) -> dict[str, Tensor]:
    """The same tensors on the device, in one transfer. Indices stay exact as float32."""
    flat = torch.cat([tensor.flatten().to(torch.float32) for tensor in plan.values()])
    pieces = to_device(flat, device).split([tensor.numel() for tensor in plan.values()])
    return {
        name: piece.view(tensor.shape).to(tensor.dtype)
        for (name, tensor), piece in zip(plan.items(), pieces, strict=True)
    }
