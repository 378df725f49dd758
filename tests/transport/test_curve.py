"""W1 over sample sizes, and its extrapolation."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from wgan_lip.transport import wasserstein1
from wgan_lip.transport.curve import _power_law, w1_curve
from wgan_lip.transport.subsets import disjoint_subsets


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@given(st.floats(-5, 50), st.floats(0.01, 100), st.floats(0.05, 2), st.integers(4, 10**6))
def test_a_power_law_is_recovered(limit, constant, exponent, n):
    values = [limit + constant * size**-exponent for size in (n / 4, n / 2, n)]
    drop = values[1] - values[2]
    if drop < 1e-6 * max(map(abs, values)):
        return
    fitted = _power_law(*values, n)
    assert fitted[1] == pytest.approx(exponent, rel=1e-6)
    assert fitted[0] == pytest.approx(limit, rel=1e-5, abs=1e-5 * max(map(abs, values)))
    assert fitted[2] == pytest.approx(constant, rel=1e-4)


@pytest.mark.parametrize(
    "values", [(3, 2, 1), (4, 3.5, 1), (1, 2, 3), (3, 2, 2), (2, 2, 2), (2, 3, 1)], ids=str
)  # straight, ever steeper, rising, stopped, constant, up and down
def test_no_law_is_forced_on_a_curve_that_has_none(values):
    assert _power_law(*values, 8) == (None, None, None)


def test_points_are_used_once_and_the_whole_is_the_whole():
    x, y = torch.randn(40, 3), torch.randn(80, 3)
    curve = w1_curve(x, y, generator=generator())
    assert curve.x_sizes == (10, 20, 40)
    assert curve.y_sizes == (20, 40, 80)
    assert curve.values[2] == pytest.approx(wasserstein1(x, y).value, rel=1e-12)
    assert curve.values[0] > curve.values[2]
    assert curve.stds[0] > 0
    assert math.isnan(curve.stds[2])


def test_each_size_is_the_mean_of_disjoint_pairs_and_their_spread():
    x, y = np.random.default_rng(0).normal(size=(2, 14, 3))
    curve, drawn = w1_curve(x, y, norm="l1", generator=generator(5)), generator(5)
    x_parts, y_parts = (disjoint_subsets(points, [3] * 4, drawn) for points in (x, y))
    for place, joined in enumerate((1, 2, 4)):
        values = [
            wasserstein1(
                *(np.concatenate(parts[start : start + joined]) for parts in (x_parts, y_parts)), norm="l1"
            ).value
            for start in range(0, 4, joined)
        ]
        assert curve.values[place] == pytest.approx(np.mean(values), rel=1e-12)
        if joined < 4:
            assert curve.stds[place] == pytest.approx(np.std(values, ddof=1), rel=1e-9)
    assert (curve.x_sizes, curve.y_sizes) == ((3, 6, 12), (3, 6, 12))
    law = _power_law(*curve.values, 12)
    assert (curve.extrapolated_w1, curve.extrapolated_exponent, curve.extrapolated_constant) == law


def test_leaves_out_at_most_three_points():
    assert w1_curve(torch.randn(43, 3), torch.randn(4, 3), generator=generator()).x_sizes == (10, 20, 40)


def test_diracs_have_a_flat_curve_and_no_extrapolation():
    curve = w1_curve(np.zeros((8, 2)), np.ones((8, 2)), norm="l1", generator=generator())
    assert curve.values == pytest.approx((2, 2, 2))
    assert curve.extrapolated_w1 is curve.extrapolated_exponent is curve.extrapolated_constant is None


def test_extrapolates_towards_the_population():
    # Two samples of one distribution in R^6: the population's distance is zero.
    x, y = torch.randn(2, 1024, 6)
    curve = w1_curve(x, y, generator=generator())
    assert curve.extrapolated_w1 is not None
    assert curve.extrapolated_exponent is not None
    assert curve.extrapolated_constant is not None
    assert abs(curve.extrapolated_w1) < curve.values[2]
    fitted = curve.extrapolated_w1 + curve.extrapolated_constant * 256**-curve.extrapolated_exponent
    assert fitted == pytest.approx(curve.values[0], rel=1e-9)


def test_is_a_function_of_the_generator():
    x, y = torch.randn(2, 40, 3)
    first, second, other = (w1_curve(x, y, generator=generator(seed)).values for seed in (1, 1, 2))
    assert first == second
    assert first[0] != other[0]


@pytest.mark.parametrize(
    ("x", "norm", "message"),
    [
        (np.ones((3, 2)), "l2", "x and y must hold at least 4 points; got 3 and 8"),
        (np.ones((8, 3)), "l2", "x and y must have the same dimension"),
        (np.full((8, 2), np.nan), "l2", "x holds NaN"),
        (np.ones((8, 2)), "l7", "norm must be one of"),
    ],
)
def test_bad_input_is_named(x, norm, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        w1_curve(x, np.ones((8, 2)), norm=norm, generator=generator())
