"""Exact W1 on the real line by sorting, in O((n + m) log(n + m)) time and without a cost matrix."""

import math

import numpy as np

from wgan_lip.transport.rounding import exact_dot, roundoff, underflow_bound
from wgan_lip.transport.samples import FloatArray
from wgan_lip.transport.solvers.bracket import Bracket
from wgan_lip.transport.solvers.problem import Problem, monotone_plan


def solve_sorted(problem: Problem) -> Bracket:
    """Compute an optimal plan and optimal potentials of two sample sets on the real line.

    The plan couples quantiles: the smallest with the smallest. The potential integrates
    ``f' = sign(F_y - F_x)``, F the distribution functions. It is 1-Lipschitz because its slopes are
    -1, 0 and 1, and attains ``E f(x) - E f(y) = int |F_x - F_y| dt``; that sum is the lower bound.

    Args:
        problem: in one dimension, where all ground norms are the same.

    Source:
        Villani, "Topics in Optimal Transportation", 2003, theorem 2.18 and remark 2.19.
    """
    n = len(problem.x)
    x, y = problem.x[:, 0], problem.y[:, 0]
    bracket = Bracket(problem)
    plan = monotone_plan(problem, np.argsort(x, kind="stable"), np.argsort(y, kind="stable"))
    bracket.add_plan(plan, np.abs(x[plan.rows] - y[plan.columns]))

    points = np.concatenate((x, y))
    order = np.argsort(points, kind="stable")
    gaps = np.diff(points[order])
    # total (F_x - F_y) between neighbouring points.
    excess = np.cumsum(np.concatenate((problem.x_mass, -problem.y_mass))[order])[:-1]
    f = np.empty(len(points))
    f[order] = np.concatenate(([0.0], np.cumsum(-np.sign(excess) * gaps)))
    f -= f.mean()
    bracket.x_potential, bracket.y_potential = f[:n], -f[n:]
    attained = math.fsum(exact_dot(np.abs(excess), gaps)) / problem.total * (1 - roundoff(8))
    bracket.lower = max(0.0, attained - underflow_bound(1))
    return bracket


def central_potentials_on_the_line(problem: Problem) -> tuple[FloatArray, FloatArray]:
    """Compute the mean of the two extreme optimal potentials; see :func:`central_potentials`.

    The slope of an optimal potential between two neighbouring points is determined unless the mass of x to the left
    equals that of y; there it can be anything between -1 and 1.

    Args:
        problem: in one dimension.
    """
    n = len(problem.x)
    points = np.concatenate((problem.x[:, 0], problem.y[:, 0]))
    order = np.argsort(points, kind="stable")
    gaps = np.diff(points[order])
    excess = np.cumsum(np.concatenate((problem.x_mass, -problem.y_mass))[order])[:-1]
    slope = -np.sign(excess)
    # Upper and lower bounds of the differences between neighbours, from left to right.
    up, down = np.where(excess == 0, gaps, slope * gaps), np.where(excess == 0, -gaps, slope * gaps)
    mean = (_largest_nonpositive(up, down) - _largest_nonpositive(-down, -up)) / 2
    f = np.empty(len(points))
    f[order] = mean
    return f[:n], -f[n:]


def _largest_nonpositive(up: FloatArray, down: FloatArray) -> FloatArray:
    """Compute the largest function that is nowhere above 0 and whose steps are between two bounds.

    Args:
        up: largest step from each point to the next, shape (k - 1,).
        down: smallest step, likewise.

    Returns:
        Shape (k,).
    """
    rising, falling = (np.concatenate(([0.0], np.cumsum(steps))) for steps in (up, down))
    from_left = rising - np.maximum.accumulate(rising)
    from_right = falling - np.maximum.accumulate(falling[::-1])[::-1]
    return np.minimum(from_left, from_right)
