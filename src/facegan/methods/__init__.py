"""Methods: what one update of the discriminator and one of the generator compute.

A method sees networks and a batch, and returns named terms. It never sees an optimizer, a
device, `backward`, a schedule or a file: the trainer owns those, and asks no method what kind
it is. To add one: a file here or of your own that registers its section.
"""

from facegan.methods import consistency, feature_matching, lecam, path_length
from facegan.methods.adversarial import AdversarialConfig, AdversarialMethod
from facegan.methods.method import METHODS, Method, MethodConfig, Needs
from facegan.methods.reconstruction import ReconstructionConfig, ReconstructionMethod
from facegan.methods.regulariser import REGULARISERS, Regulariser, Update
from facegan.methods.terms import Batch, Memory, Networks, Terms

__all__ = [
    "METHODS",
    "REGULARISERS",
    "AdversarialConfig",
    "AdversarialMethod",
    "Batch",
    "Memory",
    "Method",
    "MethodConfig",
    "Needs",
    "Networks",
    "ReconstructionConfig",
    "ReconstructionMethod",
    "Regulariser",
    "Terms",
    "Update",
    "consistency",
    "feature_matching",
    "lecam",
    "path_length",
]
