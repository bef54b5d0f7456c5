"""Methods: what one update of the discriminator and one of the generator compute.

A method sees networks and a batch, and returns named terms. It never sees an optimizer, a
device, `backward`, a schedule or a file: the trainer owns those. It has no state of its own:
the trainer builds it anew for each step, with the values that schedules have then.
"""

from facegan.methods.adversarial import AdversarialConfig, AdversarialMethod
from facegan.methods.reconstruction import ReconstructionMethod
from facegan.methods.terms import Batch, Networks, Terms

Method = AdversarialMethod | ReconstructionMethod

__all__ = [
    "AdversarialConfig",
    "AdversarialMethod",
    "Batch",
    "Method",
    "Networks",
    "ReconstructionMethod",
    "Terms",
]
