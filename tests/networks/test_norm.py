from __future__ import annotations

import torch
from torch import nn

from facegan.networks.layers.norm import BatchNorm2d


def test_with_one_process_it_is_pytorchs_own() -> None:
    """With several, see tests/training/test_processes.py."""
    ours, theirs = BatchNorm2d(3), nn.BatchNorm2d(3)
    for training in (True, True, False):
        x = torch.randn(4, 3, 5, 5) * 2 + 1
        ours.train(training)
        theirs.train(training)
        assert torch.equal(ours(x), theirs(x))
    for name, value in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[name], value)
    assert ours.state_dict().keys() == theirs.state_dict().keys()
