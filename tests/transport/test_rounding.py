"""Bounds of rounding against exact arithmetic: valid, and hardly larger than necessary."""

import math
from fractions import Fraction

import numpy as np
import pytest

from wgan_lip.transport.rounding import exact_dot, roundoff, shrink

U = Fraction(1, 2**53)


@pytest.mark.parametrize("n", [1, 2, 13, 10**6, 2**51])
@pytest.mark.parametrize("unit", [2.0**-53, 2.0**-24, 0.25])
def test_roundoff_is_at_least_highams_gamma_and_at_most_a_hundredth_more(n, unit):
    u = n * Fraction(unit)
    if u > Fraction(1, 4):
        message = f"the error of {n} roundings of size {unit:g} cannot be bounded"
        with pytest.raises(ValueError, match=f"^points must have fewer dimensions: {message}$"):
            roundoff(n, unit)
    else:
        gamma = u / (1 - u)
        assert gamma <= Fraction(roundoff(n, unit)) <= gamma * Fraction(1011, 1000)


def test_roundoff_is_that_of_float64_by_default():
    assert roundoff(7) == roundoff(7, 2.0**-53)


@pytest.mark.parametrize("dimension", [1, 2, 3, 100, 1000])
def test_distances_are_shrunk_by_what_rounding_can_add_and_hardly_more(dimension):
    # A distance of d coordinates carries d + 4 roundings.
    lost = 1 - Fraction(float(shrink(np.float64(1), dimension)))
    assert (dimension + 4) * U <= lost <= Fraction(101, 100) * (dimension + Fraction(11, 2)) * U


def test_dot_products_are_exact():
    rng = np.random.default_rng(0)
    a = rng.integers(0, 2**52, size=100).astype(float)
    b = rng.normal(size=100) * 10.0 ** rng.integers(-20, 20, size=100)
    exact = sum(Fraction(p) * Fraction(q) for p, q in zip(a.tolist(), b.tolist(), strict=True))
    assert math.fsum(exact_dot(a, b)) == float(exact)
    assert sum(map(Fraction, exact_dot(a, b))) == exact


def test_shrunk_distances_are_at_most_the_true_ones():
    rng = np.random.default_rng(0)
    for d in (1, 3, 200):
        x, y = rng.normal(size=(2, 20, d))
        computed = shrink(np.abs(x - y).sum(axis=1), d)
        for row, value in zip(zip(x.tolist(), y.tolist(), strict=True), computed.tolist(), strict=True):
            true = sum(abs(Fraction(p) - Fraction(q)) for p, q in zip(*row, strict=True))
            assert Fraction(value) <= true <= Fraction(value) * Fraction(1 + 3 * roundoff(d + 5))
