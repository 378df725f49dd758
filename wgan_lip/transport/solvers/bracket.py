"""Feasible potentials, and the proven bracket of a distance by plans and potentials."""

import math
from collections.abc import Callable

import numpy as np

from wgan_lip.transport.rounding import exact_dot, lost, roundoff, shrink
from wgan_lip.transport.samples import FloatArray
from wgan_lip.transport.solvers.problem import Plan, Problem


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


# Bellman-Ford rounds; problems whose plan is optimal have been seen to need up to 71.
_ROUNDS = 200
# Distances held at once by `repair`.
_HELD = 2**20


def repair(distance: FloatArray, y_potential: FloatArray, dimension: int) -> tuple[FloatArray, FloatArray]:
    """Feasible potentials by the c-transform ``min_j |x_i - y_j| - y_potential[j]``.

    Args:
        distance: computed distances, shape (n, m).
        y_potential: any values, shape (m,).
        dimension: of the points.

    Returns:
        The pair, shapes (n,) and (m,), both shrunk by what rounding can have done to the distances: it
        is feasible for the true ones.

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
    return transform - roundoff(2) * np.abs(transform) - lost(dimension), y_potential


def potentials_of_plan(
    shortest: Callable[[FloatArray], FloatArray], plan: Plan, moved: FloatArray, shape: tuple[int, int]
) -> FloatArray:
    """Potentials of an optimal plan that are no larger than its own geometry demands.

    The simplex may tie far-apart clusters together by their distance D although no mass moves
    between them; its potentials are then of size D and lose ``D * eps`` to rounding. Shortest
    paths from everywhere at once (Bellman-Ford, arcs i -> j at cost ``|x_i - y_j|`` and back at its
    negative where mass moves) give potentials that are only as large as the clusters.

    Args:
        shortest: maps lengths of paths to the points of x, shape (n,), to ``min_i x_path_i + |x_i - y_j|``
            over the arcs that there are, shape (m,).
        plan: the plan.
        moved: distance of each of its entries, shape (k,).
        shape: n and m.

    Returns:
        ``y_potential``, shape (m,).

    Source:
        Ahuja, Magnanti, Orlin, "Network Flows", 1993, theorem 9.3 and section 5.4.
    """
    x_path, y_path = np.zeros(shape[0]), np.zeros(shape[1])
    # Rounding makes negative cycles of its own size: paths that still shorten, but by no more, are done.
    # A plan that is not optimal has larger ones, on which no number of rounds would end.
    for _ in range(_ROUNDS):
        y_next = np.minimum(y_path, shortest(x_path))
        x_next = x_path.copy()
        np.minimum.at(x_next, plan.rows, y_next[plan.columns] - moved)
        change = max(np.abs(x_next - x_path).max(), np.abs(y_next - y_path).max())
        x_path, y_path = x_next, y_next
        if change <= roundoff(8) * np.abs(x_path).max():
            break
    return y_path


def shortest_of(distance: FloatArray) -> Callable[[FloatArray], FloatArray]:
    """The step of :func:`potentials_of_plan` over all arcs, distances of shape (n, m)."""
    return lambda x_path: (x_path[:, None] + distance).min(axis=0)
