"""Numbers near the ends of float64's range: scaled to order 1, rounded outwards on the way back."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import overload

import numpy as np
import torch

from wgan_lip.transport.samples import FloatArray

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
