"""Exact W1 by POT's dense network simplex, in float64, verified."""

import math
import warnings

import numpy as np
import ot
from scipy.sparse import coo_array
from scipy.spatial.distance import cdist

from wgan_lip.transport.bracket import dual_lower_bound, plan_bounds, potentials_of_plan, repair
from wgan_lip.transport.result import Solution, UnprovenError
from wgan_lip.transport.samples import FloatArray

# POT's result code of an optimal solution; any other one comes with a value that is too low.
_OPTIMAL = 1
# A relative gap above this is more than rounding leaves where the potentials are of the value's size.
_CLOSE = 1e-10


def solve_network_simplex(x: FloatArray, y: FloatArray, max_iterations: int) -> Solution:
    """An optimal plan and optimal potentials by the network simplex on the full cost matrix.

    Args:
        x: shape (n, d).
        y: shape (m, d).
        max_iterations: pivots after which the simplex gives up.

    Raises:
        UnprovenError: the simplex gave up, or its plan does not have the marginals.
        ValueError: distances overflow float64.
    """
    (n, dimension), m = x.shape, len(y)
    # Scaling by a power of two is exact; squares of the scaled coordinates cannot overflow.
    scale = 2.0 ** (math.frexp(max(np.abs(x).max(), np.abs(y).max()))[1] - 1)
    distance = cdist(x / scale, y / scale)
    # Integer masses keep every flow an integer, so that the plan is exact (see the note in bracket.py).
    total = math.lcm(n, m)
    x_mass, y_mass = np.full(n, float(total // n)), np.full(m, float(total // m))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dense_plan, log = ot.lp.emd(x_mass, y_mass, distance, numItermax=max_iterations, log=True)
    if log["result_code"] != _OPTIMAL:
        raise UnprovenError(
            f"the network simplex did not prove optimality for {n} and {m} points within "
            f"max_iterations={max_iterations} (POT: {log['warning']})"
        )
    rows, columns = np.nonzero(dense_plan)
    mass = dense_plan[rows, columns]
    _check_marginals(rows, mass, x_mass)
    _check_marginals(columns, mass, y_mass)

    value, upper = plan_bounds(mass, distance[rows, columns], total, dimension)
    y_potential = np.asarray(log["v"], dtype=np.float64)
    x_potential = repair(distance, y_potential, dimension)
    lower = dual_lower_bound(x_potential, y_potential)
    if upper - lower > _CLOSE * value:
        y_potential = potentials_of_plan(distance, rows, columns)
        x_potential = repair(distance, y_potential, dimension)
        lower = dual_lower_bound(x_potential, y_potential)
    plan = coo_array((mass / total, (rows, columns)), shape=(n, m))
    return Solution(value * scale, lower * scale, upper * scale, x_potential * scale, y_potential * scale, plan)


def _check_marginals(index: np.ndarray, mass: np.ndarray, wanted: np.ndarray) -> None:
    if not np.array_equal(np.bincount(index, weights=mass, minlength=len(wanted)), wanted) or (mass < 0).any():
        raise UnprovenError("the network simplex returned a plan that does not have the marginals")
