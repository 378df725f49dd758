"""Choice of the solver, its memory, and its initial potentials."""

import math
import re

import numpy as np
import pytest

from wgan_lip.transport import Progress, UnprovenError, exact, wasserstein1
from wgan_lip.transport.solvers import simplex
from wgan_lip.transport.solvers.bracket import Bracket
from wgan_lip.transport.solvers.problem import Problem, integer_masses


def problem_of(n, m, d):
    return Problem(np.zeros((n, d)), np.ones((m, d)), *integer_masses(np.ones(n), np.ones(m)), "l2")


def test_the_solver_is_the_fastest_for_the_size(monkeypatch):
    monkeypatch.setattr(exact, "_FEW_ARCS_FLAT", 40)
    monkeypatch.setattr(exact, "_FEW_ARCS", 12)
    chosen = {
        shape: exact._fastest_method(problem_of(*shape))
        for shape in ((100, 100, 1), (4, 10, 2), (4, 10, 7), (4, 11, 7), (3, 4, 8), (3, 5, 8), (13, 1, 9))
    }
    assert chosen == {
        (100, 100, 1): "sort",
        (4, 10, 2): "network-simplex",
        (4, 10, 7): "network-simplex",
        (4, 11, 7): "column-generation",
        (3, 4, 8): "network-simplex",
        (3, 5, 8): "column-generation",
        (13, 1, 9): "column-generation",
    }


@pytest.mark.parametrize(
    ("method", "needed", "instead"),
    [
        (
            "assignment",
            45 * 30 * 30,
            "use method='column-generation', whose memory grows with n + m, or fewer points",
        ),
        (
            "network-simplex",
            45 * 30 * 30,
            "use method='column-generation', whose memory grows with n + m, or fewer points",
        ),
        (
            "column-generation",
            60 * (12_000 + 24 * 3),
            "use fewer points (a random subset is a valid sample too), or more memory",
        ),
    ],
)
def test_memory_is_refused_by_the_byte(method, needed, instead):
    problem = problem_of(30, 30, 3)
    exact._check_method(method, problem, float(needed))
    message = f"method='{method}' on 30 and 30 points in dimension 3 needs about "
    with pytest.raises(ValueError, match=f"^{re.escape(message)}.*: {re.escape(instead)}$"):
        exact._check_method(method, problem, needed - 1.0)


def test_sorting_is_for_the_line_and_needs_no_memory():
    exact._check_method("sort", problem_of(9, 9, 1), 0.0)
    message = "method='sort' needs points on the real line; got dimension 2: use method='auto'"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        exact._check_method("sort", problem_of(9, 9, 2), None)


def test_a_start_is_centred_scaled_and_no_larger_than_potentials_can_be():
    problem = problem_of(3, 3, 2)
    start = exact._scaled_start(np.array([10.0, 12.0, 16.0]), 4.0, problem)
    assert start.tolist() == [-0.5, 0, 1]
    # Distances are at most 2 d, in units in which coordinates are at most 1; twice that is allowed.
    assert exact._scaled_start(np.array([-1e3, 0.0, 1e3]), 1.0, problem).tolist() == [-8, 0, 8]
    assert exact._scaled_start(np.array([-1e308, 0.0, 1e308]), 1e-308, problem).tolist() == [-8, 0, 8]
    assert exact._scaled_start(np.array([1e308, -1e308, 1e308]), 1.0, problem).tolist() == [0, -8, 0]
    # The mean of the two in the middle overflows.
    assert exact._scaled_start(np.array([1.7e308] * 2), 1.0, problem).tolist() == [-8, -8]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"method": "best"},
            "method must be one of auto, sort, assignment, network-simplex, column-generation; got me",
        ),
        ({"time_budget": -1e-9}, "time_budget must be at least 0; got time_budget=-1e-09"),
        ({"memory_budget": -1}, "memory_budget must be at least 0; got memory_budget=-1"),
    ],
)
def test_errors_name_the_option_and_its_requirement(options, message):
    x = np.zeros((1, 2))
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        wasserstein1(x, x, **options)


def test_limits_themselves_are_allowed():
    x = np.zeros((1, 2))
    assert wasserstein1(x, x + 1, time_budget=0, method="network-simplex").value > 1
    assert wasserstein1(np.zeros(2), np.ones(2), memory_budget=0).value == 1


def test_the_error_of_an_open_proof_names_its_bounds(monkeypatch):
    x, y = np.random.default_rng(0).normal(size=(2, 6, 3))
    value = wasserstein1(x, y).value
    monkeypatch.setattr(Bracket, "add_potentials", lambda self, *pair: setattr(self, "lower", 0.1))
    with pytest.raises(UnprovenError) as error:
        wasserstein1(x, y)
    told = re.fullmatch(
        r"the proof of optimality does not close: lower bound (\S+), upper bound (\S+) "
        r"\(network-simplex, 6 and 6 points\)",
        str(error.value),
    )
    assert told
    assert float(told[1]) < value <= float(told[2]) <= value * (1 + 1e-12)


def test_points_of_weight_zero_get_the_c_transform_and_others_keep_their_potential():
    points, others = np.array([[0.0, 0], [3, 4], [9, 9]]), np.array([[0.0, 0], [3, 0]])
    kept, potential = np.array([0, 2]), np.array([-5.0, -6.0])
    for norm, expected in (("l2", 4 - 1), ("l1", 4 - 1), ("linf", 4 - 1)):
        found = exact._extend(points, kept, potential, others, np.array([0.5, 1.0]), norm)
        assert found[[0, 2]].tolist() == [-5, -6]
        assert found[1] == pytest.approx(expected, rel=1e-12)


def test_distances_that_overflow_are_refused():
    with pytest.raises(ValueError, match=r"^distances between x and y overflow float64: scale both down$"):
        wasserstein1(np.full((1, 2), 1.7e308), np.full((1, 2), -1.7e308))


def test_the_gap_is_closed_relatively_to_a_billionth(monkeypatch):
    x, y = np.random.default_rng(0).normal(size=(2, 6, 3))
    plain = Bracket.add_potentials
    for gap, closes in ((0.9e-9, True), (1.1e-9, False)):

        def loosened(self, *pair, gap=gap):
            found = plain(self, *pair)
            self.lower = self.upper - gap * self.cost
            return found

        with monkeypatch.context() as patch:
            patch.setattr(Bracket, "add_potentials", loosened)
            if closes:
                assert wasserstein1(x, y).exact
            else:
                with pytest.raises(UnprovenError):
                    wasserstein1(x, y)


def test_the_simplex_gets_costs_of_order_one_and_returns_potentials_in_the_units_of_the_costs(monkeypatch):
    seen, emd = [], simplex.ot.lp.emd

    def spy(a, b, cost, **options):
        seen.append((float(cost.max()), options["potentials_init"]))
        return emd(a, b, cost, **options)

    monkeypatch.setattr(simplex.ot.lp, "emd", spy)
    x, y = np.random.default_rng(0).normal(size=(2, 7, 3))
    problem = Problem(x, y, np.ones(7), np.ones(7), 7, "l2")
    cost = np.linalg.norm(x[:, None] - y, axis=2) * 37
    start = (np.arange(7.0), -np.arange(7.0))
    basis = simplex.network_simplex(problem, cost, start)
    unit = 2.0 ** math.frexp(cost.max())[1]
    assert seen[0][0] == cost.max() / unit
    assert 0.5 <= seen[0][0] < 1
    assert [part.tolist() for part in seen[0][1]] == [(part / unit).tolist() for part in start]
    slack = cost - basis.x_potential[:, None] - basis.y_potential
    assert slack.min() >= -1e-12
    np.testing.assert_allclose(slack[basis.plan.rows, basis.plan.columns], 0, atol=1e-12)
    assert basis.plan.has_marginals(problem)
    # On some arcs only, of the same units.
    kept = cost <= np.sort(cost, axis=1)[:, 4:5]
    kept |= kept.T
    sparse = simplex.coo_array(np.where(kept, cost, 0))
    some = simplex.network_simplex(problem, sparse)
    assert kept[some.plan.rows, some.plan.columns].all()
    assert seen[1] == (sparse.max() / unit, None)
    slack = cost - some.x_potential[:, None] - some.y_potential
    assert slack[kept].min() >= -1e-12


def test_a_simplex_that_gives_up_is_an_error_with_its_reason(monkeypatch):
    monkeypatch.setattr(simplex, "_PIVOTS", 1)
    x, y = np.random.default_rng(0).normal(size=(2, 40, 3))
    message = "the network simplex did not prove optimality for 40 and 40 points within 1 pivots (POT: numItermax"
    with pytest.raises(UnprovenError, match=f"^{re.escape(message)}"):
        wasserstein1(x, y)


def test_far_clusters_are_solved_again_with_capped_distances(monkeypatch):
    seen, solve = [], simplex.network_simplex

    def spy(problem, cost, *rest):
        seen.append(float(cost.max()))
        return solve(problem, cost, *rest)

    monkeypatch.setattr(simplex, "network_simplex", spy)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 30, 3))
    x[:15] += 1e12
    y[:15] += 1e12
    result = wasserstein1(x, y, method="network-simplex")
    moved = np.linalg.norm(x[result.plan.row] - y[result.plan.col], axis=1).max()
    if len(seen) > 1:
        # Coordinates are scaled to about 1: the second time nothing is longer than four times what mass moves.
        assert seen[1] == pytest.approx(4 * moved / 2.0**40, rel=1e-2)
    assert result.upper - result.lower <= 1e-9 * result.value


class StoppedError(Exception):
    """A solver that only tells what it was asked for."""


@pytest.fixture
def asked(monkeypatch):
    """Solvers that only tell what they are asked for."""

    def tell(name):
        def solver(*arguments, **options):
            raise StoppedError(name, arguments, options)

        return solver

    for name in ("sorted", "assignment", "network_simplex", "column_generation"):
        monkeypatch.setattr(exact, f"solve_{name}", tell(name))

    def ask(*arguments, **options):
        with pytest.raises(StoppedError) as raised:
            wasserstein1(*arguments, **options)
        return raised.value.args

    return ask


def test_each_method_calls_its_solver(asked):
    x = np.zeros((2, 1))
    for method in ("assignment", "network-simplex", "column-generation"):
        assert asked(x, x + 1, method=method)[0] == method.replace("-", "_")
    assert asked(x, x + 1, method="sort")[0] == "sorted"
    assert asked(x, x + 1)[0] == "sorted"


def test_a_column_generation_is_given_all_options(asked):
    x, y = np.full((2, 3), 6.0), np.full((4, 3), -2.0)
    _, (problem,), options = asked(x, y, method="column-generation")
    defaults = {name: options[name] for name in ("start", "device")}
    assert defaults == {"start": None, "device": "cpu"}
    assert (options["budget"].seconds, options["budget"].memory) == (None, None)
    assert np.array_equal(problem.x, x / 4)
    assert problem.norm == "l2"
    seen = []
    weights = np.array([0.25, 0.75]), np.array([0.5, 0.5, 0.0, 0.0])
    _, (problem,), options = asked(
        x,
        y,
        x_weights=weights[0],
        y_weights=weights[1],
        norm="linf",
        method="column-generation",
        initial_potentials=(np.array([8.0, -8.0]), np.array([4.0, 0, 9, 9])),
        progress=seen.append,
        time_budget=3.0,
        memory_budget=10**6,
        device="cuda",
    )
    assert (problem.x_mass / problem.total).tolist() == [0.25, 0.75]
    assert (problem.y_mass / problem.total).tolist() == [0.5, 0.5]
    assert problem.norm == "linf"
    # In the problem's units, about their medians, of the points that weigh anything.
    assert [part.tolist() for part in options["start"]] == [[2, -2], [0.5, -0.5]]
    assert (options["budget"].seconds, options["budget"].memory) == (3, 10**6)
    assert options["device"] == "cuda"
    options["report"](Progress((2, 2), 1, 5, 0.5, 1.5, 9.0))
    assert seen == [Progress((2, 2), 1, 5, 2.0, 6.0, 9.0)]


def test_progress_is_optional(asked):
    x = np.zeros((2, 2))
    _, _, options = asked(x, x + 1, method="column-generation")
    assert options["report"](Progress((2, 2), 1, 5, 0.5, 1.5, 9.0)) is None


def test_the_simplex_is_given_the_start(asked):
    x = np.zeros((2, 2))
    _, (_, start), _ = asked(x, x + 1, method="network-simplex")
    assert start is None
    potentials = np.array([1.0, -1.0]), np.array([0.0, 0.5])
    _, (_, start), _ = asked(x, x + 1, method="network-simplex", initial_potentials=potentials)
    assert [part.tolist() for part in start] == [[1, -1], [-0.25, 0.25]]


def test_memory_is_refused_for_what_was_allowed():
    x = np.zeros((2, 2))
    with pytest.raises(ValueError, match=r"allowed by memory_budget: use method='column-generation'"):
        wasserstein1(x, x + 1, method="network-simplex", memory_budget=179)
    assert wasserstein1(x, x + 1, method="network-simplex", memory_budget=180).exact


def test_the_simplex_on_all_arcs_starts_from_what_it_is_given(monkeypatch):
    starts, solve = [], simplex.network_simplex

    def spy(problem, cost, start=None):
        starts.append(start)
        return solve(problem, cost, start)

    monkeypatch.setattr(simplex, "network_simplex", spy)
    x, y = np.random.default_rng(0).normal(size=(2, 7, 3))
    start = np.arange(7.0), -np.arange(7.0)
    bracket = simplex.solve_network_simplex(Problem(x, y, np.ones(7), np.ones(7), 7, "l2"), start)
    assert starts == [start]
    assert bracket.is_closed(1e-10)


def test_plans_have_rows_and_columns_for_points_without_weight():
    x, y = np.random.default_rng(0).normal(size=(2, 4, 3))
    weights = np.array([0.5, 0.5, 0.0, 0.0])
    result = wasserstein1(8 * x, 8 * y, x_weights=weights, y_weights=weights)
    assert result.plan.shape == (4, 4)
    assert result.plan.sum() == pytest.approx(1)
    slack = 8 * np.linalg.norm(x[:, None] - y, axis=2) - result.x_potential[:, None] - result.y_potential
    assert slack.min() >= -1e-12
    assert weights @ result.x_potential + weights @ result.y_potential == pytest.approx(result.value)
