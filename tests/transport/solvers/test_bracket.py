"""Bounds of a bracket against exact arithmetic, and their tightening."""

from fractions import Fraction

import numpy as np
import pytest

from wgan_lip.transport.solvers.bracket import Bracket, dual_lower_bound, plan_bounds
from wgan_lip.transport.solvers.problem import Plan, Problem

U = Fraction(1, 2**53)
# One point each, at distance 2.
PAIR = Problem(np.array([[0.0]]), np.array([[2.0]]), np.array([3.0]), np.array([3.0]), 3, "l2")


def exact(mass, values):
    return sum(Fraction(a) * Fraction(b) for a, b in zip(mass.tolist(), values.tolist(), strict=True))


@pytest.mark.parametrize("dimension", [1, 2, 3, 784])
def test_the_upper_bound_is_above_whatever_rounding_took_from_distances_and_hardly_more(dimension):
    rng = np.random.default_rng(dimension)
    for _ in range(50):
        mass, distance = rng.integers(1, 2**40, size=9).astype(float), rng.uniform(size=9)
        total = int(mass.sum())
        cost, upper = plan_bounds(mass, distance, total, dimension)
        true = exact(mass, distance) / total
        assert abs(Fraction(cost) - true) <= 2 * U * true
        assert Fraction(upper) >= true * (1 + (dimension + 4) * U / (1 - (dimension + 4) * U))
    # Where the cost is exact: d + 8 roundings, itself rounded to the even neighbours of 1.
    cost, upper = plan_bounds(np.ones(1), np.ones(1), 1, dimension)
    assert cost == 1
    assert Fraction(upper) <= 1 + Fraction(101, 100) * (dimension + 8) * U + U


def test_the_lower_bound_is_never_above_the_value_of_the_potentials_and_hardly_below():
    rng = np.random.default_rng(0)
    for _ in range(200):
        x_mass, y_mass = rng.integers(1, 2**40, size=(2, 5)).astype(float)
        total = int(rng.integers(1, 2**50))
        x, y = rng.uniform(size=(2, 5))
        problem = Problem(x[:, None], y[:, None], x_mass, y_mass, total, "l2")
        value = (exact(x_mass, x) + exact(y_mass, y)) / total
        assert value * (1 - 5 * U) <= Fraction(dual_lower_bound(problem, x, y)) <= value
    # Where nothing is rounded before, two units are given away.
    assert Fraction(dual_lower_bound(PAIR, np.array([1.0]), np.zeros(1))) == 1 - 2 * U
    assert dual_lower_bound(PAIR, np.array([1.0]), np.array([-3.0])) == 0


def test_the_best_of_plans_and_of_potentials_are_kept():
    bracket = Bracket(PAIR)
    assert (bracket.lower, bracket.cost, bracket.upper, bracket.cut_short) == (0, np.inf, np.inf, False)
    assert bracket.x_potential.tolist() == bracket.y_potential.tolist() == [0]
    assert [len(part) for part in vars(bracket.plan).values()] == [0, 0, 0]
    plans = [Plan(np.array([0]), np.array([0]), np.array([3.0])) for _ in range(4)]
    for plan, distance in zip(plans, (4.0, 2.0, 3.0, 2.0), strict=True):
        bracket.add_plan(plan, np.array([distance]))
    assert bracket.plan is plans[1]
    assert bracket.cost == 2
    assert bracket.upper == pytest.approx(2, rel=1e-14)
    pairs = [(np.array([value]), np.zeros(1)) for value in (0.0, 1.0, 0.5)]
    found = [bracket.add_potentials(*pair) for pair in pairs]
    assert bracket.x_potential is pairs[1][0]
    assert bracket.y_potential is pairs[1][1]
    assert found == [0, bracket.lower, pytest.approx(0.5)]
    assert bracket.lower == pytest.approx(1, rel=1e-14)


def test_potentials_of_value_zero_are_kept():
    bracket, pair = Bracket(PAIR), (np.array([5.0]), np.array([-5.0]))
    assert bracket.add_potentials(*pair) == 0
    assert bracket.x_potential is pair[0]


@pytest.mark.parametrize(
    ("lower", "upper", "valid", "closed"),
    [
        (1.0, 1.0, True, True),
        (1.0, 3.0, True, True),
        (1.0, 3.5, True, False),
        (3.0, 1.0, False, False),
        (1.0, np.inf, False, False),
        (0.0, np.nan, False, False),
    ],
)
def test_is_closed_within_a_part_of_its_cost(lower, upper, valid, closed):
    bracket = Bracket(PAIR)
    bracket.lower, bracket.upper, bracket.cost = lower, upper, 4.0
    assert bracket.is_valid() == valid
    assert bracket.is_closed(0.5) == closed
