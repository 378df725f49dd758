"""Exact W1 against independent solvers, and its proof against the distances themselves."""

import dataclasses
import math

import numpy as np
import ot
import pytest
import torch
from hypothesis import given, settings
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from scipy.stats import wasserstein_distance

from tests.transport.problems import Problem, problems
from wgan_lip.transport import UnprovenError, W1Result, wasserstein1


def check_proof(problem: Problem, result: W1Result) -> None:
    """The plan is a coupling of that cost; the potentials are feasible and of that value."""
    n, m = len(problem.x), len(problem.y)
    distance = cdist(problem.x, problem.y)
    scale = max(float(distance.max()), 1e-300)
    plan = result.plan.toarray()
    assert (plan >= 0).all()
    np.testing.assert_allclose(plan.sum(axis=1), 1 / n, rtol=1e-13)
    np.testing.assert_allclose(plan.sum(axis=0), 1 / m, rtol=1e-13)
    assert result.plan.nnz <= n + m - 1
    assert math.isclose(float((plan * distance).sum()), result.value, rel_tol=1e-12, abs_tol=1e-14 * scale)
    slack = distance - result.x_potential[:, None] - result.y_potential[None, :]
    size = max(scale, float(np.abs(result.x_potential).max()))
    assert slack.min() >= -1e-12 * size
    dual = float(result.x_potential.mean() + result.y_potential.mean())
    assert math.isclose(dual, result.value, rel_tol=1e-9, abs_tol=1e-13 * size)
    assert result.lower <= result.value <= result.upper
    assert result.upper - result.lower <= max(1e-9 * result.value, 1e-13 * size)


@settings(max_examples=150)
@given(problems())
def test_agrees_with_pot_and_proves_it(problem):
    result = wasserstein1(problem.x, problem.y)
    check_proof(problem, result)
    # POT's simplex stops at an absolute tolerance, so it gets costs of order 1; its sum carries the
    # rounding of its masses.
    distance = cdist(problem.x, problem.y)
    scale = max(float(distance.max()), 1e-300)
    reference = ot.emd2(ot.unif(len(problem.x)), ot.unif(len(problem.y)), distance / scale, numItermax=10**7) * scale
    assert result.value == pytest.approx(reference, rel=1e-9, abs=1e-14 * scale)


@pytest.mark.slow
@settings(max_examples=1000)
@given(problems(max_size=400))
def test_agrees_with_pot_on_many_and_larger_problems(problem):
    test_agrees_with_pot_and_proves_it.hypothesis.inner_test(problem)


@settings(max_examples=100)
@given(problems())
def test_agrees_with_the_assignment_where_sizes_are_equal(problem):
    n = min(len(problem.x), len(problem.y))
    x, y = problem.x[:n], problem.y[:n]
    distance = cdist(x, y)
    reference = float(distance[linear_sum_assignment(distance)].mean())
    assert wasserstein1(x, y).value == pytest.approx(reference, rel=1e-9, abs=1e-14 * float(distance.max()))


@settings(max_examples=100)
@given(problems(max_size=200, max_dimension=1))
def test_agrees_with_scipy_on_the_real_line(problem):
    result = wasserstein1(problem.x, problem.y)
    assert result.method == "sort"
    reference = wasserstein_distance(problem.x[:, 0], problem.y[:, 0])
    size = float(max(np.abs(problem.x).max(), np.abs(problem.y).max()))
    assert result.value == pytest.approx(reference, rel=1e-9, abs=1e-13 * size)


@pytest.mark.parametrize("far", [1e6, 1e9, 1e12])
@pytest.mark.parametrize(("n", "m"), [(300, 300), (52, 52), (40, 31)])
def test_far_clusters_are_proven_to_full_precision(far, n, m):
    # The simplex joins the clusters by arcs of length ``far`` that carry nothing.
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(n, 3)), rng.normal(size=(m, 3))
    x[: n // 2] += far
    y[: m // 2] += far
    for first, second in ((x, y), (y, x)):
        result = wasserstein1(first, second)
        check_proof(Problem(first, second, "far clusters"), result)
        assert result.upper - result.lower < 1e-9 * result.value


@pytest.mark.parametrize("exponent", [-300, -150, 150, 300])
def test_no_over_or_underflow(exponent):
    x, y = np.random.default_rng(0).normal(size=(2, 20, 3))
    plain, scaled = wasserstein1(x, y), wasserstein1(x * 10.0**exponent, y * 10.0**exponent)
    assert scaled.value / 10.0**exponent == pytest.approx(plain.value, rel=1e-12)


def test_methods_agree_on_the_real_line_and_in_its_embedding():
    x, y = np.random.default_rng(0).normal(size=(2, 70, 1))
    embedded = wasserstein1(np.pad(x, ((0, 0), (0, 1))), np.pad(y, ((0, 0), (0, 1))))
    assert embedded.method == "network-simplex"
    assert wasserstein1(x, y).value == pytest.approx(embedded.value, rel=1e-12)


def test_a_million_points_on_the_real_line():
    x, y = np.random.default_rng(0).normal(size=(2, 10**6))
    result = wasserstein1(x, y + 3)
    assert result.upper - result.lower <= 1e-9 * result.value
    assert result.value == pytest.approx(3, abs=0.01)


def test_a_solver_that_gives_up_is_an_error_not_a_number():
    x, y = torch.randn(2, 200, 5)
    with pytest.raises(UnprovenError, match=r"200 and 200 points within max_iterations=3"):
        wasserstein1(x, y, max_iterations=3)


def test_a_wrong_plan_or_potential_is_an_error(monkeypatch):
    emd = ot.lp.emd
    x, y = np.random.default_rng(0).normal(size=(2, 20, 3))

    def wrong_plan(*args, **kwargs):
        plan, log = emd(*args, **kwargs)
        return plan * (1 + 1e-6), log

    def suboptimal_plan(a, b, cost, **kwargs):
        _, log = emd(a, b, cost, **kwargs)
        return np.eye(20), log

    monkeypatch.setattr(ot.lp, "emd", wrong_plan)
    with pytest.raises(UnprovenError, match="marginals"):
        wasserstein1(x, y)
    monkeypatch.setattr(ot.lp, "emd", suboptimal_plan)
    with pytest.raises(UnprovenError, match="does not close"):
        wasserstein1(x, y)


def test_a_wrong_potential_is_repaired_or_found_out(monkeypatch):
    emd = ot.lp.emd
    x, y = np.random.default_rng(0).normal(size=(2, 20, 3))
    right = wasserstein1(x, y).value

    def wrong_potential(*args, **kwargs):
        plan, log = emd(*args, **kwargs)
        return plan, {**log, "v": np.random.default_rng(1).normal(size=20)}

    monkeypatch.setattr(ot.lp, "emd", wrong_potential)
    result = wasserstein1(x, y)
    check_proof(Problem(x, y, "gaussian"), result)
    assert result.value == right


def test_large_numbers_on_the_real_line_do_not_overflow():
    result = wasserstein1(np.full(100, 1e308), np.zeros(100))
    assert result.lower <= 1e308 <= result.upper
    assert result.value == pytest.approx(1e308)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_little_mass_over_a_long_way_among_much_over_a_short_one(seed):
    # One part in 9,900 crosses |v|; all else moves 1e-9: potentials are large, the value is small.
    n, m, d = 99, 100, 784
    rng = np.random.default_rng(0)
    i = pow(m, -1, n)
    v = rng.standard_normal(d)
    x, y = np.zeros((n, d)), np.zeros((m, d))
    x[i:] += v
    y[(i * m - 1) // n :] += v
    rng = np.random.default_rng(seed)
    x += 1e-9 * rng.standard_normal((n, d))
    y += 1e-9 * rng.standard_normal((m, d))
    for first, second in ((x, y), (y, x)):
        result = wasserstein1(first, second)
        assert result.upper - result.lower <= 1e-9 * result.value


def test_clusters_with_ties_take_no_longer_than_the_simplex_allows():
    # Rounding-level negative cycles kept the shortest paths from ever settling.
    rng = np.random.default_rng(0)
    centers = 1e8 * rng.integers(0, 9, size=(20, 2))
    x, y = (centers[rng.permutation(np.arange(600) % 20)] + rng.integers(0, 3, size=(600, 2)) for _ in range(2))
    result = wasserstein1(x.astype(float), y.astype(float))
    assert result.upper - result.lower <= 1e-9 * result.value
    assert result.seconds < 20


def test_result_is_frozen():
    result = wasserstein1(torch.zeros(1, 2), torch.ones(1, 2))
    assert result.value == pytest.approx(2**0.5)
    assert result.seconds > 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.value = 0  # type: ignore[misc]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_tensors_of_any_precision_shape_and_gradient(dtype):
    x, y = torch.randn(2, 6, 1, 4, 4).to(dtype).requires_grad_()
    expected = wasserstein1(x.detach().double().flatten(1).numpy(), y.detach().double().flatten(1).numpy())
    assert wasserstein1(x, y).value == expected.value


def test_vectors_are_points_on_the_real_line():
    assert wasserstein1(np.array([0.0, 1.0]), np.array([0.5])).value == 0.5


NAN = np.array([[0.0, 1.0], [np.nan, 0.0]])


@pytest.mark.parametrize(
    ("x", "y", "error", "message"),
    [
        (NAN, np.ones((2, 2)), ValueError, "x holds NaN or infinity in 1 of 2 points; the first is point 1"),
        (np.ones((2, 2)), np.full((2, 2), np.inf), ValueError, "y holds NaN or infinity"),
        (np.ones((2, 2)), np.ones((2, 3)), ValueError, "same dimension; got 2 and 3"),
        (np.ones((0, 2)), np.ones((2, 2)), ValueError, r"x must hold at least one point; got shape \(0, 2\)"),
        (torch.ones(2, 2, dtype=torch.int64), torch.ones(2, 2), ValueError, "at most 64 bits; got dtype torch.int64"),
        (np.ones((2, 2), dtype=int), np.ones((2, 2)), ValueError, "at most 64 bits; got dtype int64"),
        (np.ones((2, 2), np.longdouble), np.ones((2, 2)), ValueError, "at most 64 bits; got dtype"),
        (np.ma.masked_array(np.ones((2, 2))), np.ones((2, 2)), ValueError, "x is a masked array"),
        (np.full((2, 2), 1e308), np.full((2, 2), -1e308), ValueError, "overflow float64"),
        (np.full(2, 1e308), np.full(2, -1e308), ValueError, "overflow float64"),
        ([[1.0]], np.ones((1, 1)), TypeError, "x must be a torch.Tensor or numpy.ndarray; got list"),
    ],
)
def test_bad_input_is_named(x, y, error, message):
    with pytest.raises(error, match=message):
        wasserstein1(x, y)


def test_bad_iterations_are_named():
    with pytest.raises(ValueError, match="max_iterations=0"):
        wasserstein1(np.ones((2, 2)), np.ones((2, 2)), max_iterations=0)
