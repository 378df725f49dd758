"""Exact W1 on the real line, by sorting: O((n + m) log(n + m)) time, no cost matrix."""

import math

import numpy as np
from scipy.sparse import coo_array

from wgan_lip.transport.bracket import plan_bounds, roundoff
from wgan_lip.transport.result import Solution
from wgan_lip.transport.samples import FloatArray


def solve_sorted(x: FloatArray, y: FloatArray) -> Solution:
    """An optimal plan and optimal potentials of two sample sets on the real line.

    The plan couples quantiles: the i-th smallest with the i-th smallest. The potential integrates
    ``f' = sign(F_y - F_x)``, F the distribution functions. It is 1-Lipschitz because its slopes are
    -1, 0 and 1, and attains ``E f(x) - E f(y) = int |F_x - F_y| dt``; that sum is the lower bound.

    Args:
        x: shape (n, 1).
        y: shape (m, 1).

    Source:
        Villani, "Topics in Optimal Transportation", 2003, theorem 2.18 and remark 2.19.
    """
    n, m = len(x), len(y)
    # Scaling by a power of two is exact, and keeps differences and sums from overflowing.
    scale = 2.0 ** (math.frexp(max(np.abs(x).max(), np.abs(y).max()))[1] - 1)
    x, y = x[:, 0] / scale, y[:, 0] / scale
    x_order, y_order = np.argsort(x, kind="stable"), np.argsort(y, kind="stable")

    # Where the quantile functions jump, in units of 1 / (n m): integers, so the masses are exact.
    jumps = np.union1d(np.arange(1, n + 1) * m, np.arange(1, m + 1) * n)
    mass = np.diff(jumps, prepend=0)
    rows, columns = x_order[(jumps - 1) // m], y_order[(jumps - 1) // n]
    value, upper = plan_bounds(mass, np.abs(x[rows] - y[columns]), n * m, dimension=1)

    points = np.concatenate((x, y))
    order = np.argsort(points, kind="stable")
    gaps = np.diff(points[order])
    # n m (F_x - F_y) between neighbouring points.
    excess = np.cumsum(np.concatenate((np.full(n, m), np.full(m, -n)))[order])[:-1]
    f = np.empty(n + m)
    f[order] = np.concatenate(([0.0], np.cumsum(-np.sign(excess) * gaps)))
    f -= f.mean()
    lower = math.fsum(np.abs(excess) * gaps) / (n * m) * (1 - roundoff(8))
    plan = coo_array((mass / (n * m), (rows, columns)), shape=(n, m))
    return Solution(value * scale, lower * scale, upper * scale, f[:n] * scale, -f[n:] * scale, plan)
