"""Supervision beside the game: predicting an image's labels (IGNM 4.4).

Both losses are pure functions of what was predicted and of the labels as
`facegan.data.spec.Label` scales them, with NaN where one is missing: a missing label counts
neither for nor against. They return one value per sample [N], the mean over its known labels
of that kind, 0 where none is known.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits


def classification(predicted: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of binary labels (Odena, Olah & Shlens 2017, AC-GAN, equation 3).

    Args:
        predicted: logits [N, L].
        labels: 2p − 1 for a probability p of yes [N, L].
    """
    known = ~torch.isnan(labels)
    probability = (labels.masked_fill(~known, 0.0) + 1) / 2
    loss = binary_cross_entropy_with_logits(predicted.float(), probability, reduction="none")
    return _mean_of_known(loss, known)


def regression(predicted: Tensor, labels: Tensor) -> Tensor:
    """Squared distance, in standard deviations of the label.

    Args:
        predicted: values [N, L].
        labels: values [N, L].
    """
    known = ~torch.isnan(labels)
    return _mean_of_known((predicted.float() - labels.masked_fill(~known, 0.0)).square(), known)


def _mean_of_known(loss: Tensor, known: Tensor) -> Tensor:
    return (loss * known).sum(1) / known.sum(1).clamp_min(1)
