"""Rounding and underflow in float64: bounds of their effect, exact sums, and results rounded outwards."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import overload

import numpy as np
import torch

from wgan_lip.transport.samples import FloatArray

# Note [rounding]
# The bounds hold for the true distances of the given points, not merely for the float64 numbers that approximate them.
# A computed distance in d dimensions carries at most d + 4 roundings, so its relative error is at most
# roundoff(d + 4). The lower bound is computed with distances shrunk by that much, the upper bound with distances
# increased by it. Masses are integers, so that the marginals of a plan are exact and can be checked for equality; sums
# of mass times value have a single rounding (`exact_dot`). Underflow, which is not relative, comes in addition.

# 2**27 + 1: splits a float64 into two halves whose products are exact (Dekker 1971).
_SPLITTER = 134217729.0


def roundoff(n: int, unit: float = 2.0**-53) -> float:
    """Bound the relative error of n roundings in a row (Higham 2002, lemma 3.1).

    Args:
        n: how many.
        unit: largest relative error of one rounding; that of float64 by default.

    Raises:
        ValueError: n is so large that there is no useful bound.
    """
    u = n * unit
    if u > 0.25:
        raise ValueError(
            f"points must have fewer dimensions: the error of {n} roundings of size {unit:g} cannot be bounded"
        )
    return 1.01 * u / (1 - u)


def shrink(distance: FloatArray, dimension: int) -> FloatArray:
    """Reduce computed distances by what rounding can have added to them: to at most the true ones."""
    return distance * (1 - roundoff(dimension + 5))


def exact_dot(first: FloatArray, second: FloatArray) -> list[float]:
    """Split a dot product into terms without rounding: each product into four that float64 holds exactly.

    Args:
        first: shape (n,), sizes below 1e290.
        second: shape (n,); likewise.

    Returns:
        4 n numbers whose exact sum is the dot product, for ``math.fsum``.

    Source:
        Dekker, "A floating-point technique for extending the available precision", 1971, section 5.
    """
    first_halves, second_halves = _halves(first), _halves(second)
    return [term for a in first_halves for b in second_halves for term in (a * b).tolist()]


def _halves(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    shifted = _SPLITTER * values
    high = shifted - (shifted - values)
    return high, values - high


# Note [underflow]
# Inputs are scaled by a power of two, so that the largest number is between 1 and 2. Then nothing overflows, and the
# error of all numbers below 2^-1022, whether they are subnormal or flushed to zero, adds up to less than
# `underflow_bound` in a distance. Lower bounds are reduced by that, upper bounds increased, which matters only where a
# distance is below 1e-280 of the largest coordinate: it is not proven then. Results are scaled back and rounded
# outwards.

# The smallest positive float64, and the smallest with full precision.
SMALLEST, _SMALLEST_NORMAL = 2.0**-1074, 2.0**-1022


def unit_of(*arrays: FloatArray) -> float:
    """Compute the power of two by which to divide numbers so that the largest absolute value is in [1, 2).

    Args:
        arrays: finite numbers, of any shapes.

    Returns:
        1/2 if all numbers are 0.
    """
    largest = max(float(np.abs(array).max(initial=0.0)) for array in arrays)
    return math.ldexp(1.0, math.frexp(largest)[1] - 1)


def underflow_bound(dimension: int) -> float:
    """Bound the effect of underflow on a distance of points whose largest coordinate is between 1 and 2.

    Args:
        dimension: of the points.
    """
    return (dimension + 8) * 2.0**-970


@overload
def rounded_down(values: float, unit: float) -> float: ...
@overload
def rounded_down(values: FloatArray, unit: float) -> FloatArray: ...
def rounded_down(values: float | FloatArray, unit: float) -> float | FloatArray:
    """Compute ``values * unit`` for a power of two, rounded down where the product is subnormal.

    Args:
        values: a number, or an array of any shape.
        unit: a power of two.
    """
    with np.errstate(over="ignore"):
        product = np.asarray(values) * unit
    exceeds = (product / unit > values) & (product < np.inf)
    out = np.where(exceeds, np.nextafter(product, -np.inf), product)
    return out if isinstance(values, np.ndarray) else float(out)


def rounded_up(values: float, unit: float) -> float:
    """Compute ``values * unit`` for a power of two, rounded up where the product is subnormal."""
    return -rounded_down(-values, unit)


@contextmanager
def gradual_underflow() -> Iterator[None]:
    """Enable subnormal numbers in this thread, whatever ``torch.set_flush_denormal`` was set to.

    Decorates functions that read samples or return bounds, which would not be bounds if subnormal numbers were flushed
    to zero.

    Raises:
        RuntimeError: the processor always flushes subnormal numbers to zero.
    """
    if not _flushes():
        yield
        return
    torch.set_flush_denormal(False)
    if _flushes():
        raise RuntimeError("exact W1 requires subnormal numbers, which this processor flushes to zero")
    try:
        yield
    finally:
        torch.set_flush_denormal(True)


def _flushes() -> bool:
    smallest = np.float64(_SMALLEST_NORMAL)
    return bool(smallest / 2 == 0)
