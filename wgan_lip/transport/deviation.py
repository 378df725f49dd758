"""Means, standard deviations and standard errors of numbers of any size, scaled so that no square overflows."""

import math

import numpy as np

from wgan_lip.transport.rounding import unit_of
from wgan_lip.transport.samples import FloatArray


def standard_error(values: FloatArray, weights: FloatArray | None = None) -> float:
    """Estimate the standard error of a weighted mean of independent values of equal variance.

    ``sqrt(sum a_i^2 (v_i - v_mean)^2 / (1 - sum a_i^2))``; with equal weights ``sqrt(var v / n)``

    Args:
        values: shape (n,).
        weights: of sum 1, shape (n,); equal ones if None.

    Returns:
        NaN if fewer than two values have a positive weight.
    """
    a = np.full(len(values), 1 / len(values)) if weights is None else weights
    if np.count_nonzero(a) < 2:
        return math.nan
    unit = unit_of(values)
    scaled = values / unit
    return unit * math.sqrt(float(a**2 @ (scaled - a @ scaled) ** 2) / (1.0 - float(a @ a)))


def deviation(values: FloatArray) -> float:
    """Estimate a standard deviation from n independent values, shape (n,); NaN for a single value."""
    return math.sqrt(len(values)) * standard_error(values)


def mean(values: FloatArray) -> float:
    """Compute the mean of values, shape (n,), even if their sum overflows."""
    unit = unit_of(values)
    return unit * (math.fsum((values / unit).tolist()) / len(values))
