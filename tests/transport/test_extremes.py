"""Bounds at the ends of float64's range, against exact arithmetic: subnormal, huge, and of all sizes at once."""

import math
from contextlib import contextmanager
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.transport.exactly import exact_w1
from wgan_lip.transport import (
    UnprovenError,
    c_transform,
    mcshane_extension,
    noise_floor,
    population_lower,
    population_upper,
    sliced_wasserstein1,
    wasserstein1,
)
from wgan_lip.transport.deviation import standard_error
from wgan_lip.transport.rounding import gradual_underflow, rounded_down, rounded_up, unit_of

SMALLEST = 5e-324
METHODS = ("sort", "assignment", "network-simplex", "column-generation")
NORMS = ("l1", "l2", "linf")


@contextmanager
def flushed(flush: bool):
    """With subnormal numbers counted as zero, or not."""
    torch.set_flush_denormal(flush)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def solve(x, y, flush=False, **options):
    """The result, or None where float64 does not suffice: then only of distances that are stated not to be proven."""
    truth, largest = exact_w1(x, y, options["norm"]), max(np.abs(x).max(), np.abs(y).max())
    try:
        with flushed(flush):
            result = wasserstein1(x, y, **options)
    except (UnprovenError, ValueError) as error:
        # The one of distances that underflow, the other of those that overflow.
        unproven = isinstance(error, UnprovenError) and 0 < truth[1] < Fraction(largest) * Fraction(1e-280)
        if unproven or ("overflow float64: scale both down" in str(error) and largest > 1e306):
            return None
        raise
    assert Fraction(result.lower) <= truth[1]
    assert Fraction(result.upper) >= truth[0]
    assert result.exact
    assert abs(Fraction(result.value) - truth[0]) <= truth[0] * Fraction(1e-9) + Fraction(SMALLEST)
    slack = [
        exact_w1(x[[i]], y[[j]], options["norm"])[1] - Fraction(f) - Fraction(g)
        for i, f in enumerate(result.x_potential.tolist())
        for j, g in enumerate(result.y_potential.tolist())
    ]
    # On the line they are feasible up to their own rounding.
    rounding = 1e-13 * largest + 8 * SMALLEST if options["method"] == "sort" else 0
    assert min(slack) >= -Fraction(rounding)
    assert math.isnan(result.standard_error) or 0 <= result.standard_error < math.inf
    return result


@st.composite
def extremes(draw):
    """Few points, of one size or several, some of them nearly equal."""
    n, m = draw(st.sampled_from([(1, 1), (2, 2), (3, 3), (2, 3), (4, 4), (1, 3)]))
    d = draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    exponents = st.sampled_from([-1074, -1060, -1022, -1000, -700, -530, -510, -490, 0, 500, 664, 1000, 1020])
    x, y = rng.normal(size=(2, max(n, m), d))
    x, y = np.rint(8 * x) / 8, np.rint(8 * y) / 8
    kind = draw(st.sampled_from(["one size", "close", "outlier", "each its own", "integers"]))
    size = draw(exponents)
    if kind == "each its own":
        powers = [draw(exponents) for _ in range(4)]
        x, y = np.ldexp(x, rng.choice(powers, x.shape)), np.ldexp(y, rng.choice(powers, y.shape))
    elif kind == "integers":
        x, y = (np.ldexp(rng.integers(-3, 4, size=side.shape).astype(float), size) for side in (x, y))
    else:
        x, y = np.ldexp(x, size), np.ldexp(y, size)
    if kind == "close":
        y = x * (1 + 2.0**-50 * rng.integers(-2, 3, size=x.shape))
    if kind == "outlier":
        x[0] = y[0] = math.ldexp(1, draw(exponents))
    return x[:n], y[:m], draw(st.sampled_from(NORMS))


@settings(max_examples=120)
@given(extremes(), st.sampled_from(METHODS), st.booleans())
def test_bounds_hold_in_exact_arithmetic(problem, method, flush):
    x, y, norm = problem
    if method == "sort":
        x, y = x[:, :1], y[:, :1]
    if method == "assignment":
        x, y = x[: len(y)], y[: len(x)]
    solve(x, y, flush, norm=norm, method=method)


@settings(max_examples=60)
@given(extremes(), st.integers(0, 99), st.booleans())
def test_sliced_bounds_hold_in_exact_arithmetic(problem, seed, flush):
    x, y, norm = problem
    try:
        with flushed(flush):
            found = sliced_wasserstein1(x, y, norm=norm, directions=5, generator=torch.Generator().manual_seed(seed))
    except ValueError as error:
        if "overflow float64: scale both down" in str(error) and max(np.abs(x).max(), np.abs(y).max()) > 1e306:
            return
        raise
    assert 0 <= Fraction(found.mean) <= Fraction(found.maximum) <= exact_w1(x, y, norm)[1]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("flush", [False, True])
def test_distances_far_below_their_points(method, flush):
    x = 1e-300 * (1 + 1e-10 * np.arange(4.0))[:, None]
    y, z = x + 1e-316, 1e-10 * x
    other = z + 3 * SMALLEST
    assert solve(x, y, flush, norm="l2", method=method).value > 0
    assert solve(z, other, flush, norm="l2", method=method).value > 0


@pytest.mark.parametrize("method", [method for method in METHODS if method != "assignment"])
def test_a_third_of_the_smallest_number_is_rounded_outwards(method):
    result = solve(np.zeros((2, 1)), np.array([[SMALLEST], [SMALLEST], [0.0]]), norm="l2", method=method)
    assert (result.lower, result.value, result.upper) == (0.0, SMALLEST, SMALLEST)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_numbers_that_torch_flushes_to_zero_count(dtype):
    x = torch.tensor([[0.0], [1e-310 if dtype == torch.float64 else 1e-39]], dtype=dtype)
    expected = float(x[1].double()) / 2
    with flushed(True):
        result = wasserstein1(x, torch.zeros(2, 1, dtype=dtype))
        # As was set before.
        assert float(torch.tensor(1e-310, dtype=torch.float64) * 1) == 0
    assert result.value == pytest.approx(expected, rel=1e-9, abs=SMALLEST)
    assert 0 < result.lower <= expected <= result.upper


def test_squares_that_underflow_are_distances_all_the_same():
    for d in (2, 20):
        x, y = np.zeros((3, d)), np.zeros((3, d))
        x[0] = y[0] = 1.0
        y[1] = 1e-200
        for method in METHODS[1:]:
            result = wasserstein1(x, y, method=method)
            assert result.value == pytest.approx(math.sqrt(d) * 1e-200 / 3, rel=1e-9, abs=0)


@pytest.mark.parametrize("method", METHODS)
def test_differences_that_scaling_loses_are_not_reported_as_zero(method):
    x, y = np.array([[1e300], [3e-300]]), np.array([[1e300], [0.0]])
    with pytest.raises(UnprovenError, match=r"lower bound 0\.0, upper bound [1-9]\d*\.0 "):
        wasserstein1(x, y, method=method)
    assert wasserstein1(x, x[::-1].copy(), method=method).value == 0


def test_subnormal_coordinates_cost_no_time():
    # Subnormal remains of a softmax beside numbers of order 1.
    rng = np.random.default_rng(0)
    x, y = 100 * rng.random((2, 40, 6))
    expected = wasserstein1(x, y).value
    x[::3, 1] *= 1e-322
    x[1::3, 1] = 0
    y[:, 1] = 0
    clean = np.where(np.abs(x) < 1e-300, 0, x)
    result = wasserstein1(x, y)
    assert result.value == pytest.approx(wasserstein1(clean, y).value, rel=1e-12)
    assert result.value != expected
    assert wasserstein1(x, x).upper == 0


@pytest.mark.parametrize("scale", [1e-310, 1e-200, 1e200, 1e305])
def test_standard_errors_and_floors_are_of_the_size_of_the_samples(scale):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 40, 2))
    one, other = wasserstein1(x, y), wasserstein1(scale * x, scale * y)
    assert other.standard_error / scale == pytest.approx(one.standard_error, rel=1e-9)

    def floor(factor):
        return noise_floor(factor * x, generator=torch.Generator().manual_seed(0))

    assert floor(scale).mean / scale == pytest.approx(floor(1).mean, rel=1e-9)
    assert floor(scale).std / scale == pytest.approx(floor(1).std, rel=1e-9)

    sliced = [
        sliced_wasserstein1(factor * x, factor * y, generator=torch.Generator().manual_seed(0)) for factor in (1, scale)
    ]
    assert sliced[1].standard_error / scale == pytest.approx(sliced[0].standard_error, rel=1e-9)
    assert sliced[1].mean / scale == pytest.approx(sliced[0].mean, rel=1e-9)


@pytest.mark.parametrize("scale", [1e-310, 1e-200, 1e200, 1e305])
@pytest.mark.parametrize(
    "known", [{}, {"diameter": 9.0}, {"sigma": 2.0}, {"diameter": (9.0, None), "sigma": (None, 1.0)}]
)
def test_margins_are_of_the_size_of_the_scores(scale, known):
    x, y = np.random.default_rng(0).random(size=(2, 50))
    x += 2
    scaled = {
        name: tuple(one and scale * one for one in value) if isinstance(value, tuple) else scale * value
        for name, value in known.items()
    }
    one, other = population_lower(x, y, **known), population_lower(scale * x, scale * y, **scaled)
    assert other.margin / scale == pytest.approx(one.margin, rel=1e-9)
    assert other.value / scale == pytest.approx(one.value, rel=1e-9)
    upper = population_upper(1.0, 50, 50, **known), population_upper(scale, 50, 50, **scaled)
    assert upper[1].value / scale == pytest.approx(upper[0].value, rel=1e-9)


def test_margins_below_the_smallest_number_are_no_zero():
    assert population_upper(0.0, 9, 9, sigma=SMALLEST).value > 0
    assert population_lower(np.full(4, 2 * SMALLEST), np.zeros(4), sigma=SMALLEST).value == 0


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("scale", [1e-318, 1e-300, 1e-200, 1.0, 1e200, 1e304])
@pytest.mark.parametrize("flush", [False, True])
def test_extended_potentials_are_feasible_and_lipschitz(norm, scale, flush):
    rng = np.random.default_rng(0)
    x, y, z = scale * np.rint(64 * rng.normal(size=(3, 5, 2))) / 64
    with flushed(flush):
        solution = wasserstein1(x, y, norm=norm)
        f = c_transform(x, y, solution.y_potential, norm=norm)
        values = mcshane_extension(x, y, solution, norm=norm)(z)
    for i, one in enumerate(f.tolist()):
        for j, other in enumerate(solution.y_potential.tolist()):
            assert Fraction(one) + Fraction(other) <= exact_w1(x[[i]], y[[j]], norm)[1]
    for i, one in enumerate(values.tolist()):
        for j, other in enumerate(values.tolist()):
            slope = abs(Fraction(one) - Fraction(other)) - exact_w1(z[[i]], z[[j]], norm)[1]
            assert slope <= Fraction(1e-13 * scale + 4 * SMALLEST)


def test_points_far_below_their_potential_have_an_extension():
    tiny = np.array([[0.0], [1e-310]])
    assert c_transform(tiny, tiny, np.array([1.0, 2.0])).tolist() == pytest.approx([-2.0, -2.0])


def test_numbers_are_scaled_and_rounded_back():
    assert [unit_of(np.array([value])) for value in (1.0, -3.0, 0.0, SMALLEST, 1.7e308)] == [
        1.0,
        2.0,
        0.5,
        SMALLEST,
        2.0**1023,
    ]
    assert (rounded_down(0.5, SMALLEST), rounded_up(0.5, SMALLEST)) == (0.0, SMALLEST)
    assert (rounded_down(-0.5, SMALLEST), rounded_up(-0.5, SMALLEST)) == (-SMALLEST, 0.0)
    assert rounded_down(np.array([0.3, 3.0, -2.5]), SMALLEST).tolist() == [0.0, 3 * SMALLEST, -3 * SMALLEST]
    assert rounded_down(0.1, 4.0) == rounded_up(0.1, 4.0) == 0.4


def test_flushing_is_restored_also_after_an_error():
    @gradual_underflow()
    def fails():
        raise ArithmeticError(f"{np.float64(2.0**-1022) / 2 > 0}")

    with flushed(True):
        with pytest.raises(ArithmeticError, match="True"):
            fails()
        assert np.float64(2.0**-1022) / 2 == 0
    with gradual_underflow():
        pass
    assert np.float64(2.0**-1022) / 2 > 0


def test_the_standard_error_of_a_mean():
    values = np.array([1.0, 4.0, 4.0, 7.0])
    assert standard_error(values) == pytest.approx(values.std(ddof=1) / 2)
    assert math.isnan(standard_error(values[:1]))
    assert math.isnan(standard_error(values, np.array([0.0, 1, 0, 0])))
    assert standard_error(np.full(3, 0.1)) == pytest.approx(0, abs=1e-16)
