"""Predicting labels: torch's own losses where labels are known, nothing where they are not."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from facegan.data.spec import Label
from facegan.losses.auxiliary import classification, regression
from facegan.methods.adversarial import Auxiliary

Loss = Callable[[Tensor, Tensor], Tensor]
LOSSES = (classification, regression)
NAN = math.nan


def random_(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def signs(*shape: int) -> Tensor:
    return random_(*shape, seed=7).sign()


def test_known_labels_count_as_torch_counts_them() -> None:
    predicted, yes_or_no, amounts = random_(6, 3), signs(6, 3), random_(6, 3, seed=2)
    classes = F.binary_cross_entropy(predicted.sigmoid(), (yes_or_no > 0).float(), reduction="none")
    torch.testing.assert_close(classification(predicted, yes_or_no), classes.mean(1))
    squares = F.mse_loss(predicted, amounts, reduction="none")
    torch.testing.assert_close(regression(predicted, amounts), squares.mean(1))


def test_the_classes_of_one_label_are_those_of_cross_entropy() -> None:
    """Of two logits, l for yes and 0 for no."""
    predicted, labels = random_(6, 1), signs(6, 1)
    both = torch.cat((torch.zeros_like(predicted), predicted), 1)
    expected = F.cross_entropy(both, (labels[:, 0] > 0).long(), reduction="none")
    torch.testing.assert_close(classification(predicted, labels), expected)


def test_a_probability_is_met_by_itself() -> None:
    """Least, with gradient 0, where the prediction is the probability; then it is its entropy."""
    p = torch.tensor([[0.1], [0.5], [0.8]])
    predicted = torch.logit(p).requires_grad_()
    loss = classification(predicted, 2 * p - 1)
    entropy = -(p * p.log() + (1 - p) * (1 - p).log())[:, 0]
    torch.testing.assert_close(loss, entropy)
    loss.sum().backward()
    torch.testing.assert_close(predicted.grad, torch.zeros(3, 1), rtol=0, atol=1e-6)
    for off in (-0.1, 0.1):
        assert (classification(torch.logit(p) + off, 2 * p - 1) > entropy).all()


@pytest.mark.parametrize("loss", LOSSES)
def test_missing_labels_neither_count_nor_teach(loss: Loss) -> None:
    labels = signs(4, 3)
    labels[0, 1] = labels[1, :2] = labels[3] = NAN
    predicted = random_(4, 3).requires_grad_()
    found = loss(predicted, labels)
    alone = [loss(predicted[i : i + 1, k], labels[i : i + 1, k]) for i, k in _known(labels)]
    torch.testing.assert_close(found[:3], torch.cat(alone))
    assert found[3] == 0
    found.sum().backward()
    assert predicted.grad is not None
    assert torch.equal(predicted.grad[labels.isnan()], torch.zeros(6))
    assert (predicted.grad[~labels.isnan()] != 0).all()


def _known(labels: Tensor) -> list[tuple[int, list[int]]]:
    known = (~labels.isnan()).tolist()
    return [(i, [k for k in range(3) if row[k]]) for i, row in enumerate(known) if any(row)]


@pytest.mark.parametrize("loss", LOSSES)
def test_nothing_known_gives_zero_and_no_nan(loss: Loss) -> None:
    predicted = (100 * random_(4, 3)).requires_grad_()
    found = loss(predicted, torch.full((4, 3), NAN))
    assert torch.equal(found.detach(), torch.zeros(4))
    found.mean().backward()
    assert torch.equal(predicted.grad, torch.zeros(4, 3))


@pytest.mark.parametrize("loss", LOSSES)
def test_half_precision_is_computed_in_single(loss: Loss) -> None:
    predicted, labels = random_(4, 3).bfloat16(), signs(4, 3)
    found = loss(predicted, labels)
    assert found.dtype == torch.float32
    assert torch.equal(found, loss(predicted.float(), labels))


def test_each_kind_of_label_has_its_own_loss() -> None:
    kinds = (Label("a", False, 1, 2), Label("b", True), Label("c", False, 0, 1), Label("d", True))
    predicted, labels = random_(5, 4), signs(5, 4)
    labels[2, 1] = NAN
    terms = Auxiliary(classification=0.25, regression=3.0).terms(predicted, labels, kinds)
    binary, quantities = [1, 3], [0, 2]
    expected = classification(predicted[:, binary], labels[:, binary])
    assert torch.equal(terms.losses["classification"], expected)
    expected = regression(predicted[:, quantities], labels[:, quantities])
    assert torch.equal(terms.losses["regression"], expected)
    assert terms.weights == {"classification": 0.25, "regression": 3.0}
    assert set(Auxiliary().terms(predicted, labels, kinds[:1]).losses) == {"regression"}
    assert set(Auxiliary().terms(predicted, labels, kinds[1:2]).losses) == {"classification"}
