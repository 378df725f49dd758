"""A proven bracket of the distance: the best plan from above, the best potentials from below."""

import math

import numpy as np

from wgan_lip.transport.plan import Plan
from wgan_lip.transport.problem import Problem
from wgan_lip.transport.rounding import exact_dot, roundoff
from wgan_lip.transport.samples import FloatArray
from wgan_lip.transport.underflow import lost


class Bracket:
    """A proven bracket of a problem's distance, tightened by every plan and every pair of potentials.

    Args:
        problem: whose distance is bracketed; the bracket begins as [0, infinity].

    Attributes:
        cost: of the best plan.
        lower: the largest proven lower bound.
        upper: the smallest proven upper bound.
        x_potential: of ``lower``, shape (n,).
        y_potential: of ``lower``, shape (m,).
        plan: of ``upper``; none at the beginning.
        cut_short: whether the solver was stopped by its budget.
    """

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self.cost = self.upper = np.inf
        self.lower = 0.0
        self.x_potential, self.y_potential = np.zeros(len(problem.x)), np.zeros(len(problem.y))
        self.plan = Plan(np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0))
        self.cut_short = False

    def add_plan(self, plan: Plan, distance: FloatArray) -> None:
        """Judge a plan that has the marginals, by the computed distances of its entries, shape (k,)."""
        cost, upper = plan_bounds(plan.mass, distance, self._problem.total, self._problem.dimension)
        if upper < self.upper:
            self.cost, self.upper, self.plan = cost, upper, plan

    def add_potentials(self, x_potential: FloatArray, y_potential: FloatArray) -> float:
        """Judge a feasible pair of potentials, shapes (n,) and (m,); returns its lower bound."""
        lower = dual_lower_bound(self._problem, x_potential, y_potential)
        if lower >= self.lower:
            self.lower, self.x_potential, self.y_potential = lower, x_potential, y_potential
        return lower

    def is_closed(self, relative_gap: float) -> bool:
        """Whether the bounds agree so closely; those of a value of zero are both zero."""
        return self.is_valid() and self.upper - self.lower <= relative_gap * self.cost

    def is_valid(self) -> bool:
        """Whether the bounds are in order, as all proven ones are."""
        return self.lower <= self.upper < np.inf


def plan_bounds(mass: FloatArray, distance: FloatArray, total: int, dimension: int) -> tuple[float, float]:
    """Cost of a plan, and a proven upper bound of its true cost.

    Args:
        mass: integer masses of the plan's entries, shape (k,).
        distance: computed distance of each entry's two points, shape (k,).
        total: sum of the masses.
        dimension: of the points.

    Returns:
        ``sum mass * distance / total``, and the same with every rounding and underflow against it; 0 where no
        distance is seen.
    """
    cost = math.fsum(exact_dot(mass, distance)) / total
    return cost, cost * (1 + roundoff(dimension + 8)) + (lost(dimension) if distance.any() else 0.0)


def dual_lower_bound(problem: Problem, x_potential: FloatArray, y_potential: FloatArray) -> float:
    """Value of a feasible pair of potentials, rounded down: a proven lower bound of W1.

    Args:
        problem: whose masses weigh the potentials.
        x_potential: shape (n,).
        y_potential: shape (m,).
    """
    terms = exact_dot(problem.x_mass, x_potential) + exact_dot(problem.y_mass, y_potential)
    # Zero is a lower bound of any distance.
    return max(0.0, math.fsum(terms) / problem.total * (1 - roundoff(2)) - lost(problem.dimension))
