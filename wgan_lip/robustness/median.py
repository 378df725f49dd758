"""What the draw of the examples does to a median."""

from scipy.stats import binom
from torch import Tensor


def median_interval(values: Tensor, confidence: float = 0.95) -> tuple[float, float] | None:
    """A confidence interval of the median of the distribution that values were drawn from.

    The ends are order statistics ``x_(k)`` and ``x_(n + 1 - k)``, k the largest with
    ``P(Binomial(n, 1/2) < k) <= (1 - confidence) / 2``; so it holds whatever the distribution.

    Args:
        values: independent draws, shape (n,), n >= 1.
        confidence: that the interval holds the median, at least; between 0 and 1.

    Returns:
        Both ends; None of values so few that not even the smallest and the largest hold it so often: they do with
        probability ``1 - 2^(1 - n)``.

    Raises:
        ValueError: no values, or no such confidence.

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
