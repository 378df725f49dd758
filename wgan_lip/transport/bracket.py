"""The proof that travels with an exact W1: a lower and an upper bound that rounding cannot break."""

import math

import numpy as np
from numpy.typing import NDArray

from wgan_lip.transport.samples import FloatArray

# Note [what rounding can do]
# The bounds hold for the true distances of the points as given, not merely for the float64 matrix
# that approximates them. A computed l2 distance in d dimensions carries d + 4 roundings, so it is
# within roundoff(d + 4) of the truth, relatively. The lower bound is taken under distances shrunk by that
# much, the upper bound under distances stretched by it. Sums are taken by math.fsum, which rounds once.
# Masses are integers, so that the plan's marginals are exact and can be checked for equality.
# Underflow is left out: differences below 1e-150 of the largest coordinate may count as zero.

# Bellman-Ford rounds; problems whose plan is optimal have been seen to need up to 71.
_ROUNDS = 200


def roundoff(n: int) -> float:
    """A bound of the relative error of n float64 roundings in a row (Higham 2002, lemma 3.1).

    Args:
        n: how many.
    """
    u = n * 2.0**-53
    return 1.01 * u / (1 - u)


def plan_bounds(mass: NDArray[np.number], distance: FloatArray, total: int, dimension: int) -> tuple[float, float]:
    """Cost of a plan, and a proven upper bound of its true cost.

    Args:
        mass: integer masses of the plan's entries, shape (k,).
        distance: computed distance of each entry's two points, shape (k,).
        total: sum of the masses.
        dimension: of the points.

    Returns:
        ``sum mass * distance / total``, and the same with every rounding against it.
    """
    cost = math.fsum(mass * distance) / total
    return cost, cost * (1 + roundoff(dimension + 8))


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
    transform = np.full(len(distance), np.inf)
    shrink = 1 - roundoff(dimension + 4)
    y_potential = y_potential * shrink
    rows = max(1, 2**22 // distance.shape[1])
    for start in range(0, len(distance), rows):
        block = distance[start : start + rows] * shrink
        block -= y_potential
        transform[start : start + rows] = block.min(axis=1)
    return transform - roundoff(2) * np.abs(transform), y_potential


def potentials_of_plan(distance: FloatArray, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> FloatArray:
    """Potentials of an optimal plan that are no larger than its own geometry demands.

    The simplex may tie far-apart clusters together by their distance D although no mass moves
    between them; its potentials are then of size D and lose ``D * eps`` to rounding. Shortest
    paths from everywhere at once (Bellman-Ford, arcs i -> j at cost ``|x_i - y_j|`` and back at its
    negative where mass moves) give potentials that are only as large as the clusters.

    Args:
        distance: computed distances, shape (n, m).
        rows, columns: the entries of the plan that carry mass.

    Returns:
        ``y_potential``, shape (m,).

    Source:
        Ahuja, Magnanti, Orlin, "Network Flows", 1993, theorem 9.3 and section 5.4.
    """
    moved = distance[rows, columns]
    x_path, y_path = np.zeros(distance.shape[0]), np.zeros(distance.shape[1])
    # Rounding makes negative cycles of its own size: paths that still shorten, but by no more, are done.
    # A plan that is not optimal has larger ones, on which no number of rounds would end.
    for _ in range(_ROUNDS):
        y_next = np.minimum(y_path, (x_path[:, None] + distance).min(axis=0))
        x_next = x_path.copy()
        np.minimum.at(x_next, rows, y_next[columns] - moved)
        change = max(np.abs(x_next - x_path).max(), np.abs(y_next - y_path).max())
        x_path, y_path = x_next, y_next
        if change <= roundoff(8) * max(np.abs(x_path).max(), moved.max()):
            break
    return y_path


def dual_lower_bound(x_potential: FloatArray, y_potential: FloatArray) -> float:
    """Value of a feasible pair of potentials, rounded down: a proven lower bound of W1.

    Args:
        x_potential: shape (n,).
        y_potential: shape (m,).
    """
    x_mean, y_mean = math.fsum(x_potential) / len(x_potential), math.fsum(y_potential) / len(y_potential)
    # Zero is a lower bound of any distance.
    return max(0.0, x_mean + y_mean - roundoff(4) * (abs(x_mean) + abs(y_mean)))
