"""Losses against their definitions, written out."""

import pytest
import torch
from torch.nn import functional as F

from wgan_lip.robustness import CrossEntropy, MarginCrossEntropy, MulticlassHinge


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(50, 7, generator=generator, dtype=torch.float64), torch.randint(7, (50,), generator=generator)


def test_hinge_is_the_sum_over_wrong_classes(batch):
    logits, y = batch
    expected = [
        sum(max(0.0, 0.8 - float(z[c] - z[j])) for j in range(7) if j != c) for z, c in zip(logits, y, strict=True)
    ]
    torch.testing.assert_close(MulticlassHinge(0.8)(logits, y), torch.tensor(expected, dtype=torch.float64))


def test_hinge_is_that_of_pytorch(batch):
    # Which divides by the number of classes.
    logits, y = batch
    torch.testing.assert_close(
        MulticlassHinge(1.5)(logits, y), 7 * F.multi_margin_loss(logits, y, margin=1.5, reduction="none")
    )


def test_hinge_has_no_gradient_once_the_margin_is_reached():
    logits = torch.tensor([[3.0, 0.0, -1.0]], requires_grad=True)
    loss = MulticlassHinge(3.0)(logits, torch.tensor([0]))
    loss.sum().backward()
    assert loss.item() == 0
    assert not logits.grad.any()


def test_margin_cross_entropy_without_margin_is_cross_entropy(batch):
    torch.testing.assert_close(MarginCrossEntropy(0.0, 1.0)(*batch), CrossEntropy()(*batch))
    torch.testing.assert_close(CrossEntropy()(*batch), F.cross_entropy(*batch, reduction="none"))


def test_margin_cross_entropy_becomes_the_largest_violation_as_it_cools(batch):
    logits, y = batch
    own = logits.gather(1, y[:, None])[:, 0]
    others = logits.scatter(1, y[:, None], -torch.inf).amax(1)
    limit = (0.7 - (own - others)).clamp_min(0)
    for temperature in (1e-2, 1e-3):
        difference = (MarginCrossEntropy(0.7, temperature)(logits, y) - limit).abs().max()
        # T log K, and no more.
        assert difference <= temperature * 2


def test_losses_do_not_change_when_all_logits_rise(batch):
    logits, y = batch
    for loss in (MulticlassHinge(1.0), MarginCrossEntropy(0.5, 0.1), CrossEntropy()):
        torch.testing.assert_close(loss(logits + 5, y), loss(logits, y))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: MulticlassHinge(0.0), "margin must be positive and finite; got margin=0.0"),
        (lambda: MarginCrossEntropy(-1.0), "margin must be at least 0 and finite; got margin=-1.0"),
        (lambda: MarginCrossEntropy(1.0, 0.0), "temperature must be positive and finite; got temperature=0.0"),
    ],
)
def test_what_is_wrong_is_said(build, message):
    with pytest.raises(ValueError, match=message):
        build()
