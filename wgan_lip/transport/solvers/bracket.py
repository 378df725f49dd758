"""Proven brackets of a distance, from plans and potentials, and how potentials are made feasible."""

import math
from collections.abc import Callable

import numpy as np

from wgan_lip.transport.rounding import exact_dot, roundoff, shrink, underflow_bound
from wgan_lip.transport.samples import FloatArray
from wgan_lip.transport.solvers.problem import Plan, Problem


class Bracket:
    """A proven bracket of a problem's distance, tightened by plans and pairs of potentials.

    Args:
        problem: whose distance is bracketed; at first by [0, infinity].

    Attributes:
        cost: of the best plan.
        lower: the largest proven lower bound.
        upper: the smallest proven upper bound.
        x_potential: the potential that gave ``lower``, shape (n,).
        y_potential: likewise, shape (m,).
        plan: the plan that gave ``upper``; without entries at first.
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
        """Tighten the upper bound by a plan that has the marginals.

        Args:
            plan: with k entries.
            distance: computed distance of each entry's two points, shape (k,).
        """
        cost, upper = plan_bounds(plan.mass, distance, self._problem.total, self._problem.dimension)
        if upper < self.upper:
            self.cost, self.upper, self.plan = cost, upper, plan

    def add_potentials(self, x_potential: FloatArray, y_potential: FloatArray) -> float:
        """Tighten the lower bound by a feasible pair of potentials, shapes (n,) and (m,); return the pair's bound."""
        lower = dual_lower_bound(self._problem, x_potential, y_potential)
        if lower >= self.lower:
            self.lower, self.x_potential, self.y_potential = lower, x_potential, y_potential
        return lower

    def is_closed(self, relative_gap: float) -> bool:
        """Return whether the bounds differ by at most this part of the cost; for a cost of zero, by nothing."""
        return self.is_valid() and self.upper - self.lower <= relative_gap * self.cost

    def is_valid(self) -> bool:
        """Return whether the lower bound is at most the upper one, and that is finite."""
        return self.lower <= self.upper < np.inf


def plan_bounds(mass: FloatArray, distance: FloatArray, total: int, dimension: int) -> tuple[float, float]:
    """Compute the cost of a plan, and a proven upper bound of its true cost.

    Args:
        mass: integer masses of the plan's entries, shape (k,).
        distance: computed distance of each entry's two points, shape (k,).
        total: sum of the masses.
        dimension: of the points.

    Returns:
        ``sum mass * distance / total``, and the same increased by all that rounding and underflow can have taken;
        0 if all distances are 0.
    """
    cost = math.fsum(exact_dot(mass, distance)) / total
    return cost, cost * (1 + roundoff(dimension + 8)) + (underflow_bound(dimension) if distance.any() else 0.0)


def dual_lower_bound(problem: Problem, x_potential: FloatArray, y_potential: FloatArray) -> float:
    """Compute the value of a feasible pair of potentials, rounded down: a proven lower bound of W1.

    Args:
        problem: its masses are the weights of the potentials.
        x_potential: shape (n,).
        y_potential: shape (m,).
    """
    terms = exact_dot(problem.x_mass, x_potential) + exact_dot(problem.y_mass, y_potential)
    # Zero is a lower bound of any distance.
    return max(0.0, math.fsum(terms) / problem.total * (1 - roundoff(2)) - underflow_bound(problem.dimension))


# Rounds of Bellman-Ford; the most that a problem with an optimal plan was seen to need is 71.
_ROUNDS = 200
# Distances held at once by `repair`.
_HELD = 2**20


def repair(distance: FloatArray, y_potential: FloatArray, dimension: int) -> tuple[FloatArray, FloatArray]:
    """Make potentials feasible by the c-transform ``min_j |x_i - y_j| - y_potential[j]``.

    Args:
        distance: computed distances, shape (n, m).
        y_potential: any values, shape (m,).
        dimension: of the points.

    Returns:
        The pair, shapes (n,) and (m,), both shrunk by what rounding can have added to the distances: it
        is feasible for the true distances.

    Source:
        Villani, "Topics in Optimal Transportation", 2003, section 1.2 (c-concave functions).
    """
    transform = np.empty(len(distance))
    y_potential = shrink(y_potential, dimension)
    rows = max(1, _HELD // distance.shape[1])
    for start in range(0, len(distance), rows):
        block = shrink(distance[start : start + rows], dimension)
        block -= y_potential
        transform[start : start + rows] = block.min(axis=1)
    return transform - roundoff(2) * np.abs(transform) - underflow_bound(dimension), y_potential


def potentials_of_plan(
    shortest: Callable[[FloatArray], FloatArray], plan: Plan, moved: FloatArray, shape: tuple[int, int]
) -> FloatArray:
    """Compute potentials of an optimal plan, no larger than the distances that its mass moves require.

    The simplex may join clusters by their distance D although no mass moves between them; its potentials are then of
    size D and lose ``D * eps`` to rounding. Lengths of shortest paths that start at any point (Bellman-Ford; arcs
    i -> j of cost ``|x_i - y_j|``, and back at its negative where mass moves) are potentials that are only as large as
    the clusters.

    Args:
        shortest: maps lengths of paths to the points of x, shape (n,), to ``min_i x_path_i + |x_i - y_j|``
            over the existing arcs, shape (m,).
        plan: an optimal plan.
        moved: distance of each of its entries, shape (k,).
        shape: n and m.

    Returns:
        ``y_potential``, shape (m,).

    Source:
        Ahuja, Magnanti, Orlin, "Network Flows", 1993, theorem 9.3 and section 5.4.
    """
    x_path, y_path = np.zeros(shape[0]), np.zeros(shape[1])
    # Rounding makes negative cycles of its own size: once paths shorten by no more than that, they are shortest.
    # A plan that is not optimal has larger negative cycles, on which no number of rounds would end.
    for _ in range(_ROUNDS):
        y_next = np.minimum(y_path, shortest(x_path))
        x_next = x_path.copy()
        np.minimum.at(x_next, plan.rows, y_next[plan.columns] - moved)
        change = max(np.abs(x_next - x_path).max(), np.abs(y_next - y_path).max())
        x_path, y_path = x_next, y_next
        if change <= roundoff(8) * np.abs(x_path).max():
            break
    return y_path


def shortest_step(distance: FloatArray) -> Callable[[FloatArray], FloatArray]:
    """Return the argument ``shortest`` of :func:`potentials_of_plan` over all arcs, distances of shape (n, m)."""
    return lambda x_path: (x_path[:, None] + distance).min(axis=0)
