"""A lower confidence bound of a bounded mean, at any number of samples and whatever their distribution."""

import math

import numpy as np

from wgan_lip.transport.samples import FloatArray

# No bet risks more than this part of the capital.
_MOST = 0.75
# Halvings of [0, 1], and what rounding can do to what they find.
_HALVINGS, _ROUNDING = 50, 2.0**-40


def betting_lower(values: FloatArray, delta: float) -> float:
    """A number that is at most the mean of a distribution on [0, 1], with probability 1 - ``delta``.

    Whoever believes that the mean is m takes any bet ``1 + s_i (v_i - m)`` as fair; so a capital that begins as 1,
    ``max_t prod_(i <= t) 1 + s_i (v_i - m)``, reaches 1/delta with probability at most delta (Ville). The bound is the
    smallest m whose believer does not lose that much. The stakes are ``min(sqrt(2 ln(1/delta) / (n V_i)), 3 / (4 m))``
    with V_i a variance of the values before the i-th. No variance is too small for this, nor any n too few.

    Args:
        values: n >= 1 independent draws, shape (n,), in an order that does not depend on them.
        delta: the probability of error.

    Source:
        Waudby-Smith, Ramdas, "Estimating means of bounded random variables by betting", Journal of the Royal
        Statistical Society B 86, 2024, theorem 3 and equation (26), one-sided.
    """
    n, goal = len(values), math.log(1 / delta)
    counts = np.arange(1, n + 1) + 1.0
    means = (0.5 + np.cumsum(values)) / counts
    variances = (0.25 + np.cumsum((values - means) ** 2)) / counts
    stakes = np.sqrt(2 * goal / (n * np.concatenate(([0.25], variances[:-1]))))

    def is_excluded(m: float) -> bool:
        capital = np.cumsum(np.log1p(np.minimum(stakes, _MOST / m) * (values - m)))
        return bool(capital.max() >= goal)

    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if is_excluded(middle) else (low, middle)
    return max(0.0, low - _ROUNDING)
