"""Feasible potentials: by the c-transform from any values, by shortest paths from a plan."""

from collections.abc import Callable

import numpy as np

from wgan_lip.transport.plan import Plan
from wgan_lip.transport.rounding import roundoff, shrink
from wgan_lip.transport.samples import FloatArray
from wgan_lip.transport.underflow import lost

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
