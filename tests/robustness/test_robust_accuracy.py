"""Shares and their exact confidence intervals, and the arguments of an attack on many examples."""

import pytest
import torch
from scipy.stats import binom
from torch import nn

from wgan_lip.robustness import FGSM, accuracy, attacked


def bools(count: int, n: int) -> torch.Tensor:
    return torch.arange(n) < count


def test_the_interval_in_closed_form():
    """Of n successes the least p has ``p^n = 0.025``; of none the largest likewise."""
    everything, nothing = accuracy(bools(50, 50)), accuracy(bools(0, 50))
    assert (everything.value, everything.high, everything.n, everything.confidence) == (1.0, 1.0, 50, 0.95)
    assert everything.low == pytest.approx(0.025 ** (1 / 50))
    assert (nothing.value, nothing.low, nothing.high) == (0.0, 0.0, pytest.approx(1 - 0.025 ** (1 / 50)))


@pytest.mark.parametrize("share", [0.02, 0.5, 0.83])
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_the_interval_holds_the_true_share_as_often_as_it_says(share, confidence):
    n = 40
    intervals = [accuracy(bools(count, n), confidence) for count in range(n + 1)]
    held = sum(binom.pmf(k, n, share) for k, interval in enumerate(intervals) if interval.low <= share <= interval.high)
    assert held >= confidence


def test_bad_arguments_are_named():
    for correct, confidence, message in (
        (torch.zeros(0, dtype=torch.bool), 0.95, r"n >= 1; got torch.bool \(0,\)"),
        (torch.zeros(3), 0.95, "got torch.float32"),
        (bools(1, 2), 1.0, "confidence must lie between 0 and 1; got confidence=1.0"),
    ):
        with pytest.raises(ValueError, match=message):
            accuracy(correct, confidence)
    network, x, y = nn.Linear(2, 2), torch.zeros(3, 2), torch.zeros(3, dtype=torch.int64)
    for arguments, message in (
        ((x, y, FGSM(0.1), torch.Generator(), 0), "chunk must be at least 1; got chunk=0"),
        ((x, y[:2], FGSM(0.1), torch.Generator()), "same number of examples, at least 1; got 3 and 2"),
        ((x[:0], y[:0], FGSM(0.1), torch.Generator()), "got 0 and 0"),
    ):
        with pytest.raises(ValueError, match=message):
            attacked(network, *arguments)
