"""Exact W1 against independent solvers, and its proof against the distances themselves."""

import dataclasses
import math

import numpy as np
import ot
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from scipy.stats import wasserstein_distance

from tests.transport.problems import Problem, problems, weighted_problems
from wgan_lip import memory
from wgan_lip.transport import UnprovenError, W1Result, wasserstein1
from wgan_lip.transport.result import Budget
from wgan_lip.transport.solvers import bracket, column_generation, pricing, simplex


def check_proof(problem: Problem, result: W1Result) -> None:
    """The plan is a coupling of that cost; the potentials are feasible and of that value."""
    distance = problem.distance()
    x_share, y_share = problem.shares()
    scale = max(float(distance.max()), 1e-300)
    plan = result.plan.toarray()
    assert (plan >= 0).all()
    np.testing.assert_allclose(plan.sum(axis=1), x_share, rtol=1e-13, atol=2**-51)
    np.testing.assert_allclose(plan.sum(axis=0), y_share, rtol=1e-13, atol=2**-51)
    assert result.plan.nnz <= sum(distance.shape) - 1
    assert math.isclose(float((plan * distance).sum()), result.value, rel_tol=1e-12, abs_tol=1e-14 * scale)
    slack = distance - result.x_potential[:, None] - result.y_potential[None, :]
    size = max(scale, float(np.abs(result.x_potential).max()))
    assert slack.min() >= -1e-12 * size
    dual = float(x_share @ result.x_potential + y_share @ result.y_potential)
    assert math.isclose(dual, result.value, rel_tol=1e-9, abs_tol=1e-13 * size)
    assert result.exact
    assert result.norm == problem.norm
    assert result.lower <= result.value <= result.upper <= result.lower + 1e-9 * result.value


def reference(problem: Problem) -> tuple[float, float]:
    """W1 by POT's dense solver, and the largest distance, of which its rounding is a part.

    POT's simplex stops at an absolute tolerance, so it gets costs of order 1; its sum carries the
    rounding of its masses.
    """
    distance = problem.distance()
    scale = max(float(distance.max()), 1e-300)
    return ot.emd2(*problem.shares(), distance / scale, numItermax=10**7) * scale, scale


@settings(max_examples=200)
@given(weighted_problems())
def test_agrees_with_pot_and_proves_it(problem):
    result = problem.solve()
    check_proof(problem, result)
    value, scale = reference(problem)
    assert result.value == pytest.approx(value, rel=1e-9, abs=1e-14 * scale)


@settings(max_examples=200)
@given(weighted_problems(), st.sampled_from([7, 512]), st.sampled_from([5, 1000]), st.booleans())
def test_column_generation_agrees_with_pot_and_proves_it(problem, block, coarsest, start):
    # Small blocks and coarser problems, so that small problems go through all of it.
    options = {}
    if start:
        rng = np.random.default_rng(0)
        options = {"initial_potentials": tuple(10 * rng.normal(size=len(points)) for points in (problem.x, problem.y))}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pricing, "BLOCK_ROWS", block)
        patch.setattr(pricing, "_COLUMNS", block)
        patch.setattr(column_generation, "_COARSEST", coarsest)
        result = problem.solve(method="column-generation", **options)
    assert result.method == "column-generation"
    check_proof(problem, result)
    value, scale = reference(problem)
    assert result.value == pytest.approx(value, rel=1e-9, abs=1e-14 * scale)


@pytest.mark.slow
@settings(max_examples=1000)
@given(weighted_problems(max_size=400), st.sampled_from(["auto", "column-generation"]))
def test_agrees_with_pot_on_many_and_larger_problems(problem, method):
    result = problem.solve(method=method)
    check_proof(problem, result)
    value, scale = reference(problem)
    assert result.value == pytest.approx(value, rel=1e-9, abs=1e-14 * scale)


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


def test_a_solver_that_gives_up_is_an_error_not_a_number(monkeypatch):
    monkeypatch.setattr(simplex, "_PIVOTS", 3)
    x, y = torch.randn(2, 200, 5)
    with pytest.raises(UnprovenError, match=r"200 and 200 points within 3 pivots"):
        wasserstein1(x, y)


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
    with pytest.raises(UnprovenError, match=r"^the network simplex returned a plan that does not have the marginals$"):
        wasserstein1(x, y)
    monkeypatch.setattr(ot.lp, "emd", suboptimal_plan)
    with pytest.raises(UnprovenError, match="does not close"):
        wasserstein1(x, y)


def test_a_wrong_potential_is_repaired_or_an_error(monkeypatch):
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
        (np.ma.masked_array(np.ones((2, 2))), np.ones((2, 2)), ValueError, "x must not be a masked array"),
        (np.full((2, 2), 1e308), np.full((2, 2), -1e308), ValueError, "overflow float64"),
        (np.full(2, 1e308), np.full(2, -1e308), ValueError, "overflow float64"),
        ([[1.0]], np.ones((1, 1)), TypeError, "x must be a torch.Tensor or numpy.ndarray; got list"),
    ],
)
def test_bad_input_is_named(x, y, error, message):
    with pytest.raises(error, match=message):
        wasserstein1(x, y)


GOOD = np.ones((2, 2))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"x_weights": np.array([1.5, -0.5])},
            ValueError,
            r"x_weights must not be negative or NaN; got -0.5 at point 1",
        ),
        (
            {"y_weights": np.array([np.nan, 1])},
            ValueError,
            r"y_weights must not be negative or NaN; got nan at point 0",
        ),
        ({"y_weights": np.array([0.5, 0.4])}, ValueError, "y_weights must sum to 1; got the sum 0.9: divide"),
        ({"x_weights": np.zeros(2)}, ValueError, "x_weights must sum to 1; got the sum 0.0"),
        ({"x_weights": np.array([np.inf, 0])}, ValueError, "x_weights must sum to 1; got a weight of .*inf"),
        ({"x_weights": np.array([1e308, 1e308])}, ValueError, "x_weights must sum to 1; got a weight of .*1e.308"),
        ({"x_weights": np.ones(3) / 3}, ValueError, r"x_weights must have one entry for each point, shape \(2,\)"),
        ({"x_weights": np.ones((2, 1)) / 2}, ValueError, r"got shape \(2, 1\)"),
        ({"x_weights": np.array([1, 0])}, ValueError, "at most 64 bits; got dtype int64"),
        ({"x_weights": [0.5, 0.5]}, TypeError, "x_weights must be a torch.Tensor or numpy.ndarray; got list"),
        ({"norm": "l3"}, ValueError, "norm must be one of l2, l1, linf; got norm='l3'"),
        ({"method": "sinkhorn"}, ValueError, "method must be one of auto, sort, .*; got method='sinkhorn'"),
        ({"method": "sort"}, ValueError, "method='sort' needs points on the real line; got dimension 2"),
        ({"time_budget": -1.0}, ValueError, "time_budget must be at least 0; got time_budget=-1.0"),
        ({"time_budget": float("nan")}, ValueError, "time_budget must be at least 0; got time_budget=nan"),
        ({"memory_budget": -1}, ValueError, "memory_budget must be at least 0"),
        (
            {"initial_potentials": (np.ones(2), np.ones(3))},
            ValueError,
            r"shapes \(2,\) and \(2,\); got \(2,\) and \(3,\)",
        ),
        (
            {"initial_potentials": (np.ones(2), np.full(2, np.nan))},
            ValueError,
            "initial_potentials must be finite; got NaN",
        ),
        ({"initial_potentials": np.ones(2)}, TypeError, "initial_potentials must be a pair"),
    ],
)
def test_bad_options_are_named(options, error, message):
    with pytest.raises(error, match=message):
        wasserstein1(GOOD, GOOD, **options)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_weights_may_carry_the_rounding_of_their_precision(dtype):
    x, y = torch.randn(2, 1000, 2)
    weights = torch.rand(1000).to(dtype)
    result = wasserstein1(x, y, x_weights=(weights / weights.sum()).to(dtype))
    assert result.plan.sum() == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("total", [0.0, 0.9, 1.999])
def test_half_precision_weights_must_sum_to_one_too(total):
    x = np.zeros((300, 2))
    with pytest.raises(ValueError, match="x_weights must sum to 1; got the sum"):
        wasserstein1(x, x, x_weights=torch.full((300,), total / 300, dtype=torch.bfloat16))


@pytest.mark.parametrize("size", [1.0, 1e100, 1e300])
def test_any_potentials_are_a_start(size):
    x, y = np.random.default_rng(0).normal(size=(2, 60, 9))
    rng, expected = np.random.default_rng(1), wasserstein1(x, y).value
    for method in ("network-simplex", "column-generation"):
        for scale in (1.0, 1e-150):
            potentials = (size * rng.normal(size=60), size * rng.normal(size=60))
            result = wasserstein1(x * scale, y * scale, method=method, initial_potentials=potentials)
            assert result.value == pytest.approx(expected * scale, rel=1e-12)


@pytest.mark.parametrize("exponent", [-18, -20, -21, -22, -22.3, -22.5, -22.7, -23, -30])
def test_small_differences_beside_a_large_coordinate(exponent):
    # Their squares underflow in float32.
    x, y = 10.0**exponent * np.random.default_rng(0).normal(size=(2, 90, 8))
    wide = [np.pad(points, ((0, 0), (1, 0)), constant_values=1.0) for points in (x, y)]
    result = wasserstein1(*wide, method="column-generation")
    assert result.value == pytest.approx(wasserstein1(x, y, method="network-simplex").value, rel=1e-9)


def test_bounds_in_the_wrong_order_are_never_an_answer(monkeypatch):
    x, y = np.random.default_rng(0).normal(size=(2, 50, 9))
    monkeypatch.setattr(bracket, "dual_lower_bound", lambda *_: 10.0)
    for method in ("network-simplex", "column-generation"):
        with pytest.raises(UnprovenError, match="does not close: lower bound"):
            wasserstein1(x, y, method=method)
    looks = iter(range(99))
    monkeypatch.setattr(Budget, "elapsed", lambda self: next(looks))
    with pytest.raises(UnprovenError, match="does not close: lower bound"):
        wasserstein1(x, y, method="column-generation", time_budget=4)


def test_points_without_weight_have_feasible_potentials_too():
    problem = Problem(*np.random.default_rng(0).normal(size=(2, 9, 3)), "gaussian", norm="l1")
    shares = np.array([0.0, 0.5, 0, 0, 0.25, 0, 0.25, 0, 0])
    for x_share, y_share in ((shares, None), (None, shares), (shares, shares[::-1].copy())):
        weighted = dataclasses.replace(problem, x_weights=x_share, y_weights=y_share)
        for method in ("auto", "column-generation"):
            check_proof(weighted, weighted.solve(method=method))


def test_repeated_points_are_one_of_their_common_weight():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 30, 4))
    counts = rng.integers(1, 5, size=30)
    weighted = wasserstein1(x, y, x_weights=counts / counts.sum())
    assert wasserstein1(np.repeat(x, counts, axis=0), y).value == pytest.approx(weighted.value, rel=1e-12)


@pytest.mark.parametrize("swapped", [False, True])
def test_an_assignment_is_of_single_points_to_single_points(swapped):
    # The masses of the four are one, those of the two are two.
    x, y = np.random.default_rng(0).normal(size=(4, 3)), np.random.default_rng(1).normal(size=(2, 3))
    message = (
        "method='assignment' requires as many points in x as in y, all of one weight; got "
        f"{'2 and 4' if swapped else '4 and 2'} points: use method='auto'"
    )
    with pytest.raises(ValueError, match=f"^{message}$"):
        wasserstein1(*((y, x) if swapped else (x, y)), method="assignment")


@pytest.mark.parametrize("norm", ["l2", "l1", "linf"])
@pytest.mark.parametrize("dimension", [1, 3, 30])
def test_a_shift_costs_its_length_in_every_norm(norm, dimension):
    rng = np.random.default_rng(0)
    x, shift = rng.normal(size=(50, dimension)), rng.normal(size=dimension)
    length = float(np.linalg.norm(shift, ord={"l2": 2, "l1": 1, "linf": np.inf}[norm]))
    for method in ("auto", "column-generation", "assignment"):
        assert wasserstein1(x, x + shift, norm=norm, method=method).value == pytest.approx(length, rel=1e-12)


def test_norms_are_ordered():
    x, y = np.random.default_rng(0).normal(size=(2, 60, 5))
    values = [wasserstein1(x, y, norm=norm).value for norm in ("linf", "l2", "l1")]
    assert values == sorted(values)
    assert values[2] <= 5**0.5 * values[1] <= 5 * values[0]


def test_large_problems_are_solved_by_column_generation_in_few_rounds():
    x, y = np.random.default_rng(0).normal(size=(2, 4500, 16))
    seen = []
    result = wasserstein1(x, y, progress=seen.append)
    assert result.method == "column-generation"
    assert result.exact
    assert seen[0].points == (1125, 1125)
    assert seen[-1].points == (4500, 4500)
    assert (seen[-1].lower, seen[-1].upper) == (result.lower, result.upper)
    # Of twenty million arcs.
    assert seen[-1].arcs < 250_000
    assert [state.seconds for state in seen] == sorted(state.seconds for state in seen)
    assert all(state.lower <= result.value <= state.upper for state in seen)
    # Started from its own potentials, it is done at once.
    again = []
    potentials = (result.x_potential, result.y_potential)
    assert wasserstein1(x, y, initial_potentials=potentials, progress=again.append).value == result.value
    assert len(again) <= 2 < len(seen)


@pytest.mark.parametrize("steps", range(6))
def test_a_budget_that_runs_out_leaves_a_bracket_without_a_value(steps, monkeypatch):
    x, y = np.random.default_rng(0).normal(size=(2, 400, 10))
    value = wasserstein1(x, y, method="network-simplex").value
    looks = iter(range(10**6))
    monkeypatch.setattr(Budget, "elapsed", lambda self: next(looks))
    result = wasserstein1(x, y, method="column-generation", time_budget=steps)
    assert not result.exact
    assert 0 <= result.lower <= value <= result.upper < np.inf
    assert result.upper - result.lower > 1e-9 * value
    np.testing.assert_allclose(result.plan.sum(axis=0), 1 / 400)
    distance = cdist(x, y)
    assert (distance - result.x_potential[:, None] - result.y_potential).min() >= -1e-12
    with pytest.raises(UnprovenError, match=r"the budget ran out, and it is proven to lie in \["):
        result.value  # noqa: B018


def test_a_real_clock_ends_a_large_problem_soon():
    x, y = np.random.default_rng(0).normal(size=(2, 6000, 30))
    result = wasserstein1(x, y, time_budget=0.05)
    assert not result.exact
    assert result.lower <= result.upper
    assert result.seconds < 10


def test_memory_is_checked_before_it_is_allocated(monkeypatch):
    x, y = np.zeros((50_000, 2)), np.ones((50_000, 2))
    with pytest.raises(
        ValueError,
        match=r"method='network-simplex' on 50000 and 50000 points in dimension 2 needs about 104.8 GiB, more than "
        r"the 1.0 GiB allowed by memory_budget: use method='column-generation'",
    ):
        wasserstein1(x, y, method="network-simplex", memory_budget=2**30)
    with pytest.raises(ValueError, match=r"needs about 1.1 GiB, more than the 0.5 GiB allowed .*: use fewer points"):
        wasserstein1(x, y, memory_budget=2**29)
    monkeypatch.setattr(memory, "available_memory", lambda: 2.0**28)
    with pytest.raises(ValueError, match=r"more than the 0.2 GiB available: use fewer points"):
        wasserstein1(x, y)


def test_arcs_that_do_not_fit_in_memory_end_the_solver_with_a_bracket(monkeypatch):
    x, y = np.random.default_rng(0).normal(size=(2, 300, 10))
    monkeypatch.setattr(column_generation, "_BYTES_AN_ARC", 10**6)
    result = wasserstein1(x, y, method="column-generation", memory_budget=10**8)
    assert not result.exact
    assert result.lower <= wasserstein1(x, y).value <= result.upper


def test_available_memory_is_positive_and_plausible():
    assert 2**20 < memory.available_memory() < 2**50
