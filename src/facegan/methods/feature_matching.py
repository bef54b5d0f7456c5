"""Feature matching (Salimans et al. 2016, arXiv:1606.03498, section 3.1): the generator's aim is
another than to fool D. It makes images whose features have the mean of real ones' features.
"""

from __future__ import annotations

from typing import Literal

import torch

from facegan.losses.gradient_norm import Judged
from facegan.methods.adversarial import AdversarialMethod, Game
from facegan.methods.method import METHODS
from facegan.methods.terms import Batch, Networks, Terms
from facegan.networks.layers.processes import mean_over_processes
from facegan.schedule import constant


@METHODS.register
class FeatureMatchingConfig(Game):
    """Options of feature matching: those of a game. `loss` is the discriminator's alone."""

    kind: Literal["feature_matching"] = "feature_matching"

    def build(self) -> FeatureMatchingMethod:
        """The method with these options."""
        return FeatureMatchingMethod(self)


class FeatureMatchingMethod(AdversarialMethod):
    """D plays its game; G minimises ‖E f(x) − E f(G(z))‖², f being what D's heads stand on."""

    def generator_terms(self, networks: Networks, batch: Batch) -> Terms:
        """What the generator minimises: one number, the same for each image of the batch."""
        critic, images = networks.discriminator, batch.augment(batch.fake)
        fake = critic.features(images)
        with torch.no_grad():
            real = critic.features(batch.augment(batch.real)).float().mean(0)
        apart = mean_over_processes(real - fake.float().mean(0)).square().sum()
        terms = Terms({"feature_matching": apart.expand(len(images))})
        of_fake = critic.heads(fake, batch.labels)
        if self._auxiliary is not None:
            share = constant(self._auxiliary.generator)
            self._supervise(terms, self._auxiliary, of_fake, batch, critic, share)
        shown = Judged(images, of_fake.logits.float())
        self._regularise("generator", terms, networks, batch, shown, None)
        return terms
