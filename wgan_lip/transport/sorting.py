"""Exact W1 on the real line, by sorting: O((n + m) log(n + m)) time, no cost matrix."""

import math

import numpy as np

from wgan_lip.transport.bracket import Bracket
from wgan_lip.transport.plan import monotone_plan
from wgan_lip.transport.problem import Problem
from wgan_lip.transport.rounding import exact_dot, roundoff
from wgan_lip.transport.underflow import lost


def solve_sorted(problem: Problem) -> Bracket:
    """An optimal plan and optimal potentials of two sample sets on the real line.

    The plan couples quantiles: the smallest with the smallest. The potential integrates
    ``f' = sign(F_y - F_x)``, F the distribution functions. It is 1-Lipschitz because its slopes are
    -1, 0 and 1, and attains ``E f(x) - E f(y) = int |F_x - F_y| dt``; that sum is the lower bound.

    Args:
        problem: in one dimension; the ground norms are the same there.

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
    bracket.lower = max(0.0, attained - lost(1))
    return bracket
