"""Exact W1 by POT's dense network simplex, in float64, verified."""

import math
import warnings
from dataclasses import dataclass

import numpy as np
import ot
from numpy.typing import NDArray
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
    """
    # Scaling by a power of two is exact; squares of the scaled coordinates cannot overflow.
    scale = 2.0 ** (math.frexp(max(np.abs(x).max(), np.abs(y).max()))[1] - 1)
    distance = cdist(x / scale, y / scale)
    dimension = x.shape[1]
    basis = _network_simplex(distance, max_iterations)
    solution = _prove(distance, dimension, basis, basis.y_potential)
    if _is_open(solution):
        y_potential = potentials_of_plan(distance, basis.rows, basis.columns)
        solution = _better(solution, _prove(distance, dimension, basis, y_potential))
    if _is_open(solution):
        # Note [capped distances]
        # Beside clusters at distance D the simplex, in float64, cannot tell costs apart that differ by D * eps.
        # Distances far beyond any that mass moves can be cut to a common length: potentials that are feasible
        # for the shorter ones are feasible for the true ones, and the plan is judged by the true ones.
        cap = 4 * float(distance[basis.rows, basis.columns].max())
        basis = _network_simplex(np.minimum(distance, cap), max_iterations)
        solution = _better(solution, _prove(distance, dimension, basis, basis.y_potential))
        if _is_open(solution):
            y_potential = potentials_of_plan(distance, basis.rows, basis.columns)
            solution = _better(solution, _prove(distance, dimension, basis, y_potential))
    return Solution(
        value=solution.value * scale,
        lower=solution.lower * scale,
        upper=solution.upper * scale,
        x_potential=solution.x_potential * scale,
        y_potential=solution.y_potential * scale,
        plan=solution.plan,
    )


@dataclass(frozen=True)
class _Basis:
    """What the simplex ends with: the plan's entries with their integer masses, and a potential."""

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    mass: FloatArray
    total: int
    y_potential: FloatArray


def _network_simplex(cost: FloatArray, max_iterations: int) -> _Basis:
    n, m = cost.shape
    # The simplex stops at an absolute tolerance, so it gets costs of order 1.
    unit = 2.0 ** math.frexp(float(cost.max()))[1]
    # Integer masses keep every flow an integer, so that the plan is exact (see the note in bracket.py).
    total = math.lcm(n, m)
    x_mass, y_mass = np.full(n, float(total // n)), np.full(m, float(total // m))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plan, log = ot.lp.emd(x_mass, y_mass, cost / unit, numItermax=max_iterations, log=True)
    if log["result_code"] != _OPTIMAL:
        raise UnprovenError(
            f"the network simplex did not prove optimality for {n} and {m} points within "
            f"max_iterations={max_iterations} (POT: {log['warning']})"
        )
    rows, columns = np.nonzero(plan)
    mass = plan[rows, columns]
    for index, wanted in ((rows, x_mass), (columns, y_mass)):
        if not np.array_equal(np.bincount(index, weights=mass, minlength=len(wanted)), wanted) or (mass < 0).any():
            raise UnprovenError("the network simplex returned a plan that does not have the marginals")
    return _Basis(rows, columns, mass, total, unit * np.asarray(log["v"], dtype=np.float64))


def _prove(distance: FloatArray, dimension: int, basis: _Basis, y_potential: FloatArray) -> Solution:
    """Bound the distance from both sides: by the plan, and by the potential with its c-transform."""
    value, upper = plan_bounds(basis.mass, distance[basis.rows, basis.columns], basis.total, dimension)
    x_potential, y_potential = repair(distance, y_potential, dimension)
    lower = dual_lower_bound(x_potential, y_potential)
    plan = coo_array((basis.mass / basis.total, (basis.rows, basis.columns)), shape=distance.shape)
    return Solution(value, lower, upper, x_potential, y_potential, plan)


def _is_open(solution: Solution) -> bool:
    return solution.upper - solution.lower > _CLOSE * solution.value


def _better(first: Solution, second: Solution) -> Solution:
    """The lower plan with the higher potentials: each bound is proven by itself."""
    plan = first if first.upper <= second.upper else second
    dual = first if first.lower >= second.lower else second
    return Solution(plan.value, dual.lower, plan.upper, dual.x_potential, dual.y_potential, plan.plan)
