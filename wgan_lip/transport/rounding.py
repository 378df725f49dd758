"""What float64 loses by rounding and underflow, and sums and bounds that account for it."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import overload

import numpy as np
import torch

from wgan_lip.transport.samples import FloatArray

# Note [what rounding can do]
# The bounds hold for the true distances of the points as given, not merely for the float64 numbers
# that approximate them. A computed distance in d dimensions carries at most d + 4 roundings, so it is
# within roundoff(d + 4) of the truth, relatively. The lower bound is taken under distances shrunk by that
# much, the upper bound under distances stretched by it. Masses are integers, so that the plan's marginals
# are exact and can be checked for equality; sums of mass times value are taken without any rounding but
# one (`exact_dot`). Beside roundings, which are relative, there is underflow: see the note in underflow.py.

# 2**27 + 1: splits a float64 into two halves whose products are exact (Dekker 1971).
_SPLITTER = 134217729.0


def roundoff(n: int, unit: float = 2.0**-53) -> float:
    """A bound of the relative error of n roundings in a row (Higham 2002, lemma 3.1).

    Args:
        n: how many.
        unit: of one rounding; that of float64 by default.

    Raises:
        ValueError: so many that no bound is left.
    """
    u = n * unit
    if u > 0.25:
        raise ValueError(f"{n} roundings of size {unit:g} leave nothing of a number: fewer dimensions are wanted")
    return 1.01 * u / (1 - u)


def shrink(distance: FloatArray, dimension: int) -> FloatArray:
    """Computed distances, less what rounding can have added to them: at most the true ones."""
    return distance * (1 - roundoff(dimension + 5))


def exact_dot(first: FloatArray, second: FloatArray) -> list[float]:
    """Terms whose exact sum is the dot product: each product as four that float64 holds exactly.

    Args:
        first: shape (n,), sizes below 1e290.
        second: shape (n,); likewise.

    Returns:
        4 n numbers, for ``math.fsum``.

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
# What is computed is scaled by a power of two, so that the largest number is between 1 and 2. Then nothing overflows,
# and all that numbers below 2^-1022 can lose, to gradual underflow or to none, by being scaled or later, adds up to
# less than `lost` in a distance. Every lower bound is less by that, every upper bound more, which is felt only where a
# distance is below 1e-280 of the largest coordinate: it is not proven then. Results are scaled back and rounded
# outwards.

# The least positive float64, and the least with all its digits.
SMALLEST, _SMALLEST_NORMAL = 2.0**-1074, 2.0**-1022


def unit_of(*arrays: FloatArray) -> float:
    """The power of two ``u`` for which the largest size of all numbers, divided by u, is in [1, 2); 1/2 for zeros.

    Args:
        arrays: finite numbers, of any shapes.
    """
    largest = max(float(np.abs(array).max(initial=0.0)) for array in arrays)
    return math.ldexp(1.0, math.frexp(largest)[1] - 1)


def lost(dimension: int) -> float:
    """What underflow can do to a distance of points whose largest coordinate is between 1 and 2.

    Args:
        dimension: of the points.
    """
    return (dimension + 8) * 2.0**-970


@overload
def rounded_down(values: float, unit: float) -> float: ...
@overload
def rounded_down(values: FloatArray, unit: float) -> FloatArray: ...
def rounded_down(values: float | FloatArray, unit: float) -> float | FloatArray:
    """``values * unit`` for a power of two, and no more than that where the product is subnormal.

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
    """``values * unit`` for a power of two, and no less than that."""
    return -rounded_down(-values, unit)


@contextmanager
def gradual_underflow() -> Iterator[None]:
    """Have this thread compute with subnormal numbers, whatever ``torch.set_flush_denormal`` was set to.

    Decorates what reads samples or returns bounds: where subnormal numbers count as zero, they are no bounds.

    Raises:
        RuntimeError: the processor can only count them as zero.
    """
    if not _flushes():
        yield
        return
    torch.set_flush_denormal(False)
    if _flushes():
        raise RuntimeError("W1 needs subnormal numbers, which this processor counts as zero")
    try:
        yield
    finally:
        torch.set_flush_denormal(True)


def _flushes() -> bool:
    smallest = np.float64(_SMALLEST_NORMAL)
    return bool(smallest / 2 == 0)
