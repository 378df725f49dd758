"""W1 on the real line against exact arithmetic."""

import itertools
from fractions import Fraction

import numpy as np
import pytest

from wgan_lip.transport.solvers.problem import Problem
from wgan_lip.transport.solvers.real_line import solve_sorted

U = Fraction(1, 2**53)


def exact(x, y, x_mass, y_mass, total):
    """``int |F_x - F_y| dt``, in fractions."""
    jumps = sorted(
        [(Fraction(p), int(a)) for p, a in zip(x, x_mass, strict=True)]
        + [(Fraction(p), -int(a)) for p, a in zip(y, y_mass, strict=True)]
    )
    value, excess = Fraction(0), 0
    for (place, mass), (after, _) in itertools.pairwise(jumps):
        excess += mass
        value += abs(excess) * (after - place)
    return value / total


@pytest.mark.parametrize("seed", range(20))
def test_bounds_enclose_the_exact_value_closely_and_potentials_attain_it(seed):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=7), rng.normal(size=5)
    # Ties within and between the sets.
    x[1], y[2] = x[0], x[3]
    x_mass, y_mass = np.full(7, 5.0), np.full(5, 7.0)
    problem = Problem(x[:, None], y[:, None], x_mass, y_mass, 35, "l2")
    bracket, value = solve_sorted(problem), exact(x.tolist(), y.tolist(), x_mass, y_mass, 35)
    assert value * (1 - 14 * U) <= Fraction(bracket.lower) <= value <= Fraction(bracket.upper)
    f = np.concatenate((bracket.x_potential, -bracket.y_potential))
    points = np.concatenate((x, y))
    assert (np.abs(f[:, None] - f) <= np.abs(points[:, None] - points) + 1e-14).all()
    assert f.mean() == pytest.approx(0, abs=1e-15)
    score = (x_mass @ bracket.x_potential + y_mass @ bracket.y_potential) / 35
    assert score == pytest.approx(float(value), rel=1e-12)
    cost = (np.abs(x[bracket.plan.rows] - y[bracket.plan.columns]) * bracket.plan.mass).sum() / 35
    assert cost == pytest.approx(float(value), rel=1e-12)
    assert bracket.plan.has_marginals(problem)


def test_the_lower_bound_is_reduced_by_eight_roundings():
    problem = Problem(np.array([[0.0]]), np.array([[1.0]]), np.ones(1), np.ones(1), 1, "l2")
    lost = 1 - Fraction(solve_sorted(problem).lower)
    assert 4 * U <= lost <= Fraction(17, 2) * U


def test_the_potential_is_flat_where_the_distribution_functions_agree():
    x, y = np.array([[0.0], [10.0]]), np.array([[1.0], [11.0]])
    bracket = solve_sorted(Problem(x, y, np.ones(2), np.ones(2), 2, "l2"))
    f = np.concatenate((bracket.x_potential, -bracket.y_potential))
    assert f.tolist() == [1, 0, 0, -1]
