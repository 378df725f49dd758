"""Standard deviations and errors, of numbers of any size: scaled to order 1, so that their squares do not overflow."""

import math

import numpy as np

from wgan_lip.transport.rounding import unit_of
from wgan_lip.transport.samples import FloatArray


def standard_error(values: FloatArray, weights: FloatArray | None = None) -> float:
    """Standard error of a weighted mean of independent values, each with the variance of all.

    ``sqrt(sum a_i^2 (v_i - v_mean)^2 / (1 - sum a_i^2))``; with equal weights ``sqrt(var v / n)``

    Args:
        values: shape (n,).
        weights: of sum 1, shape (n,); equal ones if None.

    Returns:
        NaN where fewer than two values weigh anything.
    """
    a = np.full(len(values), 1 / len(values)) if weights is None else weights
    if np.count_nonzero(a) < 2:
        return math.nan
    unit = unit_of(values)
    scaled = values / unit
    return unit * math.sqrt(float(a**2 @ (scaled - a @ scaled) ** 2) / (1.0 - float(a @ a)))


def deviation(values: FloatArray) -> float:
    """Standard deviation of a distribution, from n independent values of it, shape (n,); NaN for one."""
    return math.sqrt(len(values)) * standard_error(values)


def mean(values: FloatArray) -> float:
    """Mean of values, shape (n,), whose sum may overflow."""
    unit = unit_of(values)
    return unit * (math.fsum((values / unit).tolist()) / len(values))
