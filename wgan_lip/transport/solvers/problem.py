"""Transport problems in the form that the solvers take, scaled points with integer masses, and plans."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wgan_lip.transport.norm import Norm
from wgan_lip.transport.rounding import unit_of
from wgan_lip.transport.samples import FloatArray, Samples, Weights, as_pair, as_weights

# Masses are multiples of one part in this many, unless all points of each side weigh the same.
_PARTS = 2**52


@dataclass(frozen=True)
class Problem:
    """The problem of moving ``x_mass`` at ``x`` to ``y_mass`` at ``y`` for mass times distance divided by ``total``.

    Attributes:
        x: shape (n, d); coordinates at most 1 in size.
        y: shape (m, d); likewise.
        x_mass: positive integers held as float64, shape (n,), of sum ``total``.
        y_mass: shape (m,); likewise.
        total: at most 2**53, so that every sum of masses is exact.
        norm: the ground norm.
    """

    x: FloatArray
    y: FloatArray
    x_mass: FloatArray
    y_mass: FloatArray
    total: int
    norm: Norm

    @property
    def dimension(self) -> int:
        return self.x.shape[1]


@dataclass(frozen=True)
class ScaledProblem:
    """Scaled samples, and the problem of those of positive weight.

    Attributes:
        problem: what is solved.
        scale: a power of two, by which results are multiplied.
        x: all points of x, divided by ``scale``, shape (n, d).
        y: likewise, shape (m, d).
        x_kept: indices, among all points of x, of those in ``problem.x``.
        y_kept: likewise.
        given: x and y before scaling, shapes (n, d) and (m, d), if scaling lost digits; else None.
    """

    problem: Problem
    scale: float
    x: FloatArray
    y: FloatArray
    x_kept: np.ndarray
    y_kept: np.ndarray
    given: tuple[FloatArray, FloatArray] | None = None

    def differ(self, rows: np.ndarray, columns: np.ndarray) -> bool:
        """Return whether any pair ``x[rows[k]], y[columns[k]]`` differed before scaling."""
        x, y = self.given or (self.x, self.y)
        return not np.array_equal(x[rows], y[columns])


def prepare(x: Samples, y: Samples, x_weights: Weights | None, y_weights: Weights | None, norm: Norm) -> ScaledProblem:
    """Check samples and weights, scale them, and leave out points of weight zero.

    Raises:
        ValueError, TypeError: as :func:`as_points` and :func:`as_weights`.
    """
    x_points, y_points = as_pair(x, y)
    x_share, y_share = (
        as_weights(x_weights, len(x_points), "x_weights"),
        as_weights(y_weights, len(y_points), "y_weights"),
    )
    # Scaling by a power of two is exact, except for coordinates that become subnormal; see the note in rounding.py.
    scale, given = unit_of(x_points, y_points), (x_points, y_points)
    x_points, y_points = x_points / scale, y_points / scale
    exact = all(np.array_equal(side * scale, one) for side, one in zip((x_points, y_points), given, strict=True))
    x_mass, y_mass, total = integer_masses(x_share, y_share)
    x_kept, y_kept = np.flatnonzero(x_mass), np.flatnonzero(y_mass)
    problem = Problem(_take(x_points, x_kept), _take(y_points, y_kept), x_mass[x_kept], y_mass[y_kept], total, norm)
    return ScaledProblem(problem, scale, x_points, y_points, x_kept, y_kept, None if exact else given)


def integer_masses(x_share: FloatArray, y_share: FloatArray) -> tuple[FloatArray, FloatArray, int]:
    """Compute integer masses of a common total, in the proportions of two sets of shares.

    The proportions are exact where the shares of each side are equal, else accurate to one part in 2**52.

    Args:
        x_share: non-negative, shape (n,), of any positive sum.
        y_share: likewise, shape (m,).

    Returns:
        Integers held as float64, shapes (n,) and (m,), and the sum of each.
    """
    n, m = len(x_share), len(y_share)
    common = math.lcm(n, m)
    if common <= 2 * _PARTS and np.ptp(x_share) == 0 and np.ptp(y_share) == 0:
        # Whole numbers below 2**53: exact.
        return np.full(n, common / n), np.full(m, common / m), common
    return _round(x_share), _round(y_share), _PARTS


def _round(share: FloatArray) -> FloatArray:
    mass = np.rint(share / math.fsum(share) * _PARTS)
    # Rounding changes the sum by at most half a unit for each point: it is corrected in the largest masses.
    missing = _PARTS - int(math.fsum(mass))
    mass[np.argsort(-mass, kind="stable")[: abs(missing)]] += math.copysign(1, missing)
    return mass


def _take(points: FloatArray, kept: np.ndarray) -> FloatArray:
    return points if len(kept) == len(points) else points[kept]


@dataclass(frozen=True)
class Plan:
    """Integer masses moved between points.

    Attributes:
        rows: index of the point of x, shape (k,).
        columns: index of the point of y, shape (k,).
        mass: positive integers held as float64, shape (k,).
    """

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    mass: FloatArray

    def has_marginals(self, problem: Problem) -> bool:
        """Return whether exactly the masses of the problem are moved."""
        x_moved = np.bincount(self.rows, weights=self.mass, minlength=len(problem.x))
        y_moved = np.bincount(self.columns, weights=self.mass, minlength=len(problem.y))
        positive = bool((self.mass >= 0).all())
        return positive and np.array_equal(x_moved, problem.x_mass) and np.array_equal(y_moved, problem.y_mass)


def monotone_plan(problem: Problem, x_order: NDArray[np.intp], y_order: NDArray[np.intp]) -> Plan:
    """Construct the plan that moves mass in order: the first mass of x to the first of y (north-west corner rule).

    Args:
        problem: whose masses are moved.
        x_order: the order of the points of x, as indices, shape (n,).
        y_order: likewise of y, shape (m,).

    Returns:
        At most n + m - 1 entries. Where points are sorted on a line, this plan is optimal.

    Source:
        Peyre, Cuturi, "Computational Optimal Transport", 2019, section 3.4.2 and remark 2.28.
    """
    # Cumulative masses are integers below 2**53, so they are exact.
    x_ends, y_ends = np.cumsum(problem.x_mass[x_order]), np.cumsum(problem.y_mass[y_order])
    jumps = np.union1d(x_ends, y_ends)
    return Plan(
        x_order[np.searchsorted(x_ends, jumps)],
        y_order[np.searchsorted(y_ends, jumps)],
        np.diff(jumps, prepend=0),
    )
