"""Problems in the form of the solvers: integer masses in exact proportion, and exact scaling; plans."""

import math

import numpy as np
import pytest

from wgan_lip.transport.solvers import problem
from wgan_lip.transport.solvers.problem import Plan, Problem, integer_masses, monotone_plan, prepare


def test_equal_shares_have_the_least_common_masses():
    x, y, total = integer_masses(np.full(4, 0.25), np.full(6, 17.0))
    assert (x.tolist(), y.tolist(), total) == ([3] * 4, [2] * 6, 12)
    # Equal on one side only.
    x, y, total = integer_masses(np.full(4, 0.25), np.array([0.5, 0.25, 0.25]))
    assert (x.tolist(), y.tolist(), total) == ([2**50] * 4, [2**51, 2**50, 2**50], 2**52)
    y, x, total = integer_masses(np.array([0.5, 0.25, 0.25]), np.full(4, 0.25))
    assert (x.tolist(), y.tolist(), total) == ([2**50] * 4, [2**51, 2**50, 2**50], 2**52)


@pytest.mark.parametrize(("parts", "total"), [(6, 12), (5, 5)])
def test_sums_of_masses_stay_exact(parts, total, monkeypatch):
    # Beyond twice the parts there are no masses in exact proportion.
    monkeypatch.setattr(problem, "_PARTS", parts)
    x, y, found = integer_masses(np.full(3, 1.0), np.full(4, 1.0))
    assert found == x.sum() == y.sum() == total


def test_masses_are_the_shares_rounded_to_the_same_total():
    rng = np.random.default_rng(0)
    for n in (1, 2, 7, 1000):
        for share in (rng.dirichlet(np.ones(n)), 3 * rng.uniform(size=n), rng.integers(0, 2, size=n) + 1e-30):
            mass = integer_masses(share, np.array([0.1, 0.2]))[0]
            assert math.fsum(mass) == 2**52
            assert (mass == np.rint(mass)).all()
            assert (mass >= 0).all()
            # Half a unit of rounding, and one of those that were missing.
            assert np.abs(mass / 2**52 - share / math.fsum(share)).max() <= 1.5 / 2**52 * (1 + 1e-9)


@pytest.mark.parametrize(("parts", "expected"), [(10, [3, 3, 4]), (11, [4, 4, 3]), (8, [3, 3, 2])])
def test_the_largest_masses_take_the_error_of_rounding(parts, expected, monkeypatch):
    monkeypatch.setattr(problem, "_PARTS", parts)
    # A third each, the last one a little less; 10 parts lack one, 11 and 8 have one too many.
    share = np.array([1.0, 1.0, 1.0 - 1e-9])
    mass = integer_masses(share, np.array([0.1, 0.2]))[0]
    assert sorted(mass.tolist()) == sorted(expected)
    assert mass.sum() == parts
    changed = np.flatnonzero(mass != np.rint(share / 3 * parts))
    assert changed.tolist() == [0]


def test_points_are_scaled_by_a_power_of_two_and_those_without_weight_are_left_out():
    x, y = np.array([[3.0, -1.0], [0.5, 0.0], [1.0, 2.0]]), np.array([[-5.0, 4.0], [0.0, 1.0]])
    weights = np.array([0.5, 0.0, 0.5])
    prepared = prepare(x, y, weights, None, "l1")
    assert prepared.scale == 4
    assert np.array_equal(prepared.x, x / 4)
    assert np.array_equal(prepared.y, y / 4)
    assert (prepared.x_kept.tolist(), prepared.y_kept.tolist()) == ([0, 2], [0, 1])
    assert np.array_equal(prepared.problem.x, x[[0, 2]] / 4)
    assert prepared.problem.y is prepared.y
    assert prepared.problem.x_mass.tolist() == prepared.problem.y_mass.tolist() == [2**51, 2**51]
    assert (prepared.problem.total, prepared.problem.norm, prepared.problem.dimension) == (2**52, "l1", 2)
    assert prepare(y, x, None, weights, "l2").scale == 4
    assert np.array_equal(prepare(y, x, None, weights, "l2").problem.y, x[[0, 2]] / 4)
    # The largest coordinate is scaled to between 1 and 2.
    for largest in (0.999, 1.0, 1.5, 2.0, 1e300):
        assert 1 <= largest / prepare(np.array([[largest]]), np.array([[0.0]]), None, None, "l2").scale < 2


def test_errors_name_the_weights():
    for side in (0, 1):
        weights = [None, None]
        weights[side] = np.array([0.5, 0.6])
        with pytest.raises(ValueError, match=f"^{'xy'[side]}_weights must sum to 1"):
            prepare(np.zeros((2, 1)), np.ones((2, 1)), *weights, "l2")


PROBLEM = Problem(np.zeros((3, 1)), np.zeros((2, 1)), np.array([2.0, 3, 1]), np.array([4.0, 2]), 6, "l2")


def test_mass_is_moved_in_order():
    plan = monotone_plan(PROBLEM, np.array([2, 0, 1]), np.array([1, 0]))
    # Of x in order 1, 2, 3 pieces; of y 2, 4.
    assert plan.rows.tolist() == [2, 0, 0, 1]
    assert plan.columns.tolist() == [1, 1, 0, 0]
    assert plan.mass.tolist() == [1, 1, 1, 3]
    assert plan.has_marginals(PROBLEM)


@pytest.mark.parametrize(
    ("rows", "columns", "mass"),
    [
        # x moved less, y received less, both one too much, one that is negative.
        ([0, 1, 1], [0, 0, 1], [2, 2, 2]),
        ([0, 1, 2], [0, 0, 0], [2, 3, 1]),
        ([0, 1, 1, 2], [0, 0, 1, 1], [2, 2, 2, 1]),
        ([0, 0, 1, 2, 0], [0, 0, 0, 1, 1], [3, -1, 2, 1, 1]),
        ([0, 0, 1, 1, 2, 0], [0, 0, 0, 1, 1, 1], [3, -1, 2, 1, 1, 0]),
    ],
)
def test_plans_of_other_marginals_or_negative_masses_are_refused(rows, columns, mass):
    assert not Plan(np.array(rows), np.array(columns), np.array(mass, dtype=float)).has_marginals(PROBLEM)


def test_masses_of_zero_are_allowed():
    plan = Plan(np.array([0, 1, 1, 2, 2]), np.array([0, 0, 1, 1, 0]), np.array([2.0, 2, 1, 1, 0]))
    assert plan.has_marginals(PROBLEM)
    # Of points that the plan does not name none is moved.
    alone = Problem(np.zeros((2, 1)), np.zeros((2, 1)), np.array([1.0, 0]), np.array([1.0, 0]), 1, "l2")
    assert Plan(np.array([0]), np.array([0]), np.ones(1)).has_marginals(alone)
