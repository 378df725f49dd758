"""Shares and their exact confidence intervals, and the arguments of an attack on many examples."""

import pytest
import torch
from scipy.stats import binom
from torch import nn

from wgan_lip.robustness import FGSM, accuracy, attacked, median_interval


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


@pytest.mark.parametrize(("n", "confidence"), [(6, 0.95), (10, 0.9), (101, 0.95), (1000, 0.99)])
def test_it_is_the_narrowest_pair_of_order_statistics_that_holds(n, confidence):
    ends = median_interval(torch.randperm(n).double(), confidence)
    assert ends is not None
    low, high = ends
    # Of 0, 1, ..., n - 1 the k-th is k - 1, so the ends say which order statistics they are.
    below, above = int(low), n - 1 - int(high)
    assert below == above
    assert 1 - 2 * binom.cdf(below, n, 0.5) >= confidence
    assert 1 - 2 * binom.cdf(below + 1, n, 0.5) < confidence


@pytest.mark.parametrize(("n", "confidence"), [(1, 0.5), (3, 0.95), (5, 0.95), (6, 0.99)])
def test_of_so_few_values_that_none_holds_there_is_no_interval(n, confidence):
    # Both ends on one side of the median: with probability 2^(1 - n), more than may be.
    assert 2.0 ** (1 - n) > 1 - confidence
    assert median_interval(torch.arange(float(n)), confidence) is None
    assert n == 1 or median_interval(torch.arange(float(n)), 1 - 2.0 ** (1 - n) - 1e-9) == (0.0, n - 1.0)


def test_it_holds_the_median_as_often_as_it_says():
    generator = torch.Generator().manual_seed(0)
    # The median of an exponential is log 2; most of its draws lie on one side.
    draws = torch.empty(2000, 51, dtype=torch.float64).exponential_(generator=generator)
    ends = [median_interval(row, 0.9) for row in draws]
    held = sum(end is not None and end[0] <= 0.6931471805599453 <= end[1] for end in ends)
    # Five standard deviations of a count of 2,000 that should be at least 1,800.
    assert held >= 1800 - 5 * (2000 * 0.9 * 0.1) ** 0.5


@pytest.mark.parametrize("values", [torch.zeros(0), torch.zeros(2, 2)])
def test_what_is_no_sample_is_refused(values):
    with pytest.raises(ValueError, match="values must have shape"):
        median_interval(values)


@pytest.mark.parametrize("confidence", [0.0, 1.0, -1.0])
def test_what_is_no_confidence_is_refused(confidence):
    with pytest.raises(ValueError, match="confidence must lie between 0 and 1"):
        median_interval(torch.zeros(3), confidence)
