"""Augmentation: what the discriminator sees of real and generated images, changed alike.

    config = AugmentConfig(probability=0.6, flip=True, shift=0.125, brightness=0.2, cutout=0.3)
    augment = config.build(pixels)
    real, fake = augment(real, random, 0.6), augment(fake, random, 0.6)

Differentiable, so that G learns through it, and twice, so that penalties on D's slopes do. D
never sees a plain image more often than the probability allows, and so remembers less of a
small dataset; G sees nothing of it and makes plain images, as long as nothing leaks.

When G undoes it. D judges the changed images, so G is told to match *their* distribution. It
does so by making plain images if the plain distribution is the only one that looks like this
once changed (Bora et al. 2018, AmbientGAN, arXiv:1703.06642 has the idea; Karras et al. 2020, ADA,
section 2.2 and appendix C, arXiv:2006.06676, the conditions). Otherwise the change leaks:
generated faces are tilted, pale or blurred.

- Amounts (rotation, fraction, log scale, brightness, log contrast, log saturation) are uniform
  about "none". Applied with probability p, they multiply the plain distribution, at frequency ω
  of the amount, by (1 − p) + p·sin(ω)/ω. It is never 0, and the change can be undone, while
  p < 1 / 1.217 = 0.82; ADA found 0.8 in its experiments. At p = 1 it has zeros: what differs
  by such a frequency alone looks the same, and G may choose either.
- Below p = 1/2, a change of this kind is undone whatever the distribution of its amounts.
- A whole-pixel shift leaves a plain border whose width tells how far the picture was moved.
  A picture that G made shifted would show another content beside the same border, so a
  shift is undone even at p = 1.
- Cutout and noise are undone in principle, at p = 1 too, but then D sees no picture whole or
  clean, and what little tells the difference is easily too little.
- A flip is the exception: half of all images at p = 1, and it cannot be undone. It is
  harmless because the mirror image of a face is a face; it is wrong for pictures with text.

`AugmentConfig.leaks()` says in words which settings go beyond this.
"""

from facegan.augment.adaptive import Adaptive
from facegan.augment.config import AugmentConfig
from facegan.augment.hue import Hue
from facegan.augment.light import Light
from facegan.augment.pipeline import Augmentation
from facegan.augment.pose import Pose
from facegan.augment.scene import Scene
from facegan.augment.transform import TRANSFORMS, Transform

__all__ = [
    "TRANSFORMS",
    "Adaptive",
    "AugmentConfig",
    "Augmentation",
    "Hue",
    "Light",
    "Pose",
    "Scene",
    "Transform",
]
