"""Plans: the one that moves mass in order, and which have the marginals."""

import numpy as np
import pytest

from wgan_lip.transport.solvers.problem import Plan, Problem, monotone_plan

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
def test_a_plan_of_other_marginals_or_negative_masses_is_none(rows, columns, mass):
    assert not Plan(np.array(rows), np.array(columns), np.array(mass, dtype=float)).has_marginals(PROBLEM)


def test_masses_of_zero_are_no_harm():
    plan = Plan(np.array([0, 1, 1, 2, 2]), np.array([0, 0, 1, 1, 0]), np.array([2.0, 2, 1, 1, 0]))
    assert plan.has_marginals(PROBLEM)
    # Of points that the plan does not name none is moved.
    alone = Problem(np.zeros((2, 1)), np.zeros((2, 1)), np.array([1.0, 0]), np.array([1.0, 0]), 1, "l2")
    assert Plan(np.array([0]), np.array([0]), np.ones(1)).has_marginals(alone)
