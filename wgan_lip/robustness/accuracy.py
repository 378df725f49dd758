"""Confidence intervals of an accuracy and of a median."""

from dataclasses import dataclass

import torch
from scipy.stats import binom, binomtest
from torch import Tensor


@dataclass(frozen=True)
class Accuracy:
    """A share of n examples, and a confidence interval of the share in their distribution.

    Attributes:
        value: the share of these examples.
        low: lower end of the interval.
        high: upper end of the interval.
        n: number of examples.
        confidence: at least the probability that the interval contains the true share.
    """

    value: float
    low: float
    high: float
    n: int
    confidence: float


def accuracy(correct: Tensor, confidence: float = 0.95) -> Accuracy:
    """Compute the share of examples that are classified correctly, with its exact confidence interval.

    The ends are the shares p at which that many or more, or that many or fewer, of n examples have probability
    ``(1 - confidence) / 2``.

    Args:
        correct: whether each example is, bool of shape (n,), n >= 1; independent draws.
        confidence: of the interval, between 0 and 1.

    Raises:
        ValueError: no examples, or a confidence outside (0, 1).

    Source:
        Clopper, Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial",
        Biometrika 26, 1934.
    """
    if correct.dtype != torch.bool or correct.ndim != 1 or not len(correct):
        raise ValueError(f"correct must be bools of shape (n,), n >= 1; got {correct.dtype} {tuple(correct.shape)}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1; got confidence={confidence}")
    count, n = int(correct.sum()), len(correct)
    ends = binomtest(count, n).proportion_ci(confidence, method="exact")
    return Accuracy(count / n, float(ends.low), float(ends.high), n, confidence)


def median_interval(values: Tensor, confidence: float = 0.95) -> tuple[float, float] | None:
    """Compute a confidence interval of the median of the distribution of the values.

    The ends are order statistics ``x_(k)`` and ``x_(n + 1 - k)``, k the largest with
    ``P(Binomial(n, 1/2) < k) <= (1 - confidence) / 2``; this is valid for any distribution.

    Args:
        values: independent draws, shape (n,), n >= 1.
        confidence: at least the probability that the interval contains the median; between 0 and 1.

    Returns:
        Both ends; None if there are too few values: the smallest and the largest contain the median with probability
        ``1 - 2^(1 - n)``.

    Raises:
        ValueError: no values, or a confidence outside (0, 1).

    Source:
        W. R. Thompson, "On confidence ranges for the median and other expectation distributions for populations of
        unknown distribution form", Annals of Mathematical Statistics 7, 1936.
    """
    if values.ndim != 1 or not len(values):
        raise ValueError(f"values must have shape (n,), n >= 1; got {tuple(values.shape)}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1; got confidence={confidence}")
    n, tail = len(values), (1 - confidence) / 2
    # The largest k whose P(B <= k - 1) is at most the tail.
    k = int(binom.ppf(tail, n, 0.5))
    if binom.cdf(k, n, 0.5) <= tail:
        k += 1
    if k < 1:
        return None
    ordered = values.sort().values
    return float(ordered[k - 1]), float(ordered[n - k])
