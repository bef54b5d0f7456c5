"""Portraits: faces drawn by us from known parameters, the embedded default dataset.

    people = sample(64, seed=0)          # who they are: `Parameters`
    pictures = draw(people, 64)          # uint8 [64, 64, 64, 3]
    truth = people.labels()              # float32 [64, len(LABEL_NAMES)]
    which = mode_index(people)           # of MODE_COUNT, as probable as `mode_probabilities()`
    write("portraits.dataset", n=10_000)    # a dataset to train on

They need no download, no consent and no licence, and their truth is known exactly.
"""

from facegan.portraits.drawing import draw
from facegan.portraits.parameters import (
    BINARY,
    CONTINUOUS,
    LABEL_NAMES,
    MODE_COUNT,
    MODES,
    VERSION,
    Parameters,
    mode_index,
)
from facegan.portraits.sampling import mode_probabilities, sample
from facegan.portraits.storing import write

__all__ = [
    "BINARY",
    "CONTINUOUS",
    "LABEL_NAMES",
    "MODES",
    "MODE_COUNT",
    "VERSION",
    "Parameters",
    "draw",
    "mode_index",
    "mode_probabilities",
    "sample",
    "write",
]
