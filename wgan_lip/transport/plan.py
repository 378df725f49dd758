"""Transport plans: integer masses moved between points."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wgan_lip.transport.problem import Problem
from wgan_lip.transport.samples import FloatArray


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
        """Whether all of the masses of the problem are moved, exactly."""
        x_moved = np.bincount(self.rows, weights=self.mass, minlength=len(problem.x))
        y_moved = np.bincount(self.columns, weights=self.mass, minlength=len(problem.y))
        positive = bool((self.mass >= 0).all())
        return positive and np.array_equal(x_moved, problem.x_mass) and np.array_equal(y_moved, problem.y_mass)


def monotone_plan(problem: Problem, x_order: NDArray[np.intp], y_order: NDArray[np.intp]) -> Plan:
    """The plan that moves mass in order: the first of x to the first of y, until it is full (north-west corner rule).

    Args:
        problem: whose masses are moved.
        x_order: the order of the points of x, shape (n,).
        y_order: of those of y, shape (m,).

    Returns:
        At most n + m - 1 entries. Where points are sorted on a line, this plan is optimal.

    Source:
        Peyre, Cuturi, "Computational Optimal Transport", 2019, section 3.4.2 and remark 2.28.
    """
    # Where the cumulative masses jump: integers below 2**53, so they are exact.
    x_ends, y_ends = np.cumsum(problem.x_mass[x_order]), np.cumsum(problem.y_mass[y_order])
    jumps = np.union1d(x_ends, y_ends)
    return Plan(
        x_order[np.searchsorted(x_ends, jumps)],
        y_order[np.searchsorted(y_ends, jumps)],
        np.diff(jumps, prepend=0),
    )
