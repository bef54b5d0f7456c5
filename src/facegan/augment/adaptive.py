"""The probability of augmentation, steered by how much the discriminator overfits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from facegan.config import Config


class Adaptive(Config):
    """ADA (Karras et al. 2020, section 3, arXiv:2006.06676).

    Attributes:
        target: of the heuristic. Above it the probability rises, below it falls.
        heuristic: how overfitting is measured, 0 for none and 1 for complete:
            `sign`: r_t = E[sign D(real)], for losses whose logits have their border at 0;
            `held_out`: r_v = (E D(train) − E D(held out)) / (E D(train) − E D(fake)), which does
            not change when the logits are shifted or scaled, as relativistic losses let them be.
        ramp: thousands of images in which the probability goes from 0 to 1, at the fastest.
        limit: the probability never exceeds it: more would leak into what G makes.
        reserve: share of the training images that `held_out` sets aside, never to train on.
    """

    kind: Literal["adaptive"]
    target: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.6
    heuristic: Literal["sign", "held_out"] = "sign"
    ramp: Annotated[float, Field(gt=0.0)] = 500.0
    limit: Annotated[float, Field(gt=0.0, le=1.0)] = 0.8
    reserve: Annotated[float, Field(gt=0.0, le=0.5)] = 0.025

    def step(self, probability: float, overfitting: float, images: int) -> float:
        """The next probability, `images` images after the last step.

        Args:
            probability: until now.
            overfitting: the heuristic since then; NaN or infinite: the probability stays.
            images: real images that D saw since then.

        Returns:
            A probability in [0, limit].
        """
        change = 0.0
        if math.isfinite(overfitting) and overfitting != self.target:
            change = math.copysign(images / (self.ramp * 1000), overfitting - self.target)
        return min(max(probability + change, 0.0), self.limit)

    def overfitting(self, signals: Mapping[str, float]) -> float:
        """The heuristic from means over the images since the last step.

        Args:
            signals: `sign_real`, or `logits_real`, `logits_fake` and `logits_held_out`. A
                missing one raises KeyError.

        Returns:
            NaN where it is undefined: where D does not put training images above generated
            ones, there is nothing to measure the distance of held-out images against.
        """
        if self.heuristic == "sign":
            return signals["sign_real"]
        train = signals["logits_real"]
        apart = train - signals["logits_fake"]
        return (train - signals["logits_held_out"]) / apart if apart > 0 else math.nan
