"""POT's network simplex with its results checked, and the solver of small problems on all arcs."""

import math
import warnings
from dataclasses import dataclass

import numpy as np
import ot
from scipy.sparse import coo_array

from wgan_lip.transport.norm import pairwise
from wgan_lip.transport.result import UnprovenError
from wgan_lip.transport.samples import FloatArray
from wgan_lip.transport.solvers.bracket import Bracket, potentials_of_plan, repair, shortest_step
from wgan_lip.transport.solvers.problem import Plan, Problem

# POT's result code of an optimal solution; with any other code the value is too low.
_OPTIMAL = 1
# Pivots after which the simplex gives up.
_PIVOTS = 100_000_000
# A larger relative gap is not caused by rounding alone if the potentials are of the size of the value.
SMALL_GAP = 1e-10


@dataclass(frozen=True)
class Basis:
    """The result of a simplex: a plan, and potentials of shapes (n,) and (m,)."""

    plan: Plan
    x_potential: FloatArray
    y_potential: FloatArray


def network_simplex(
    problem: Problem,
    cost: FloatArray | coo_array,
    start: tuple[FloatArray, FloatArray] | None = None,
) -> Basis:
    """Compute an optimal plan and potentials of a problem on all arcs, or on some.

    Args:
        problem: whose masses are moved.
        cost: of every arc, shape (n, m); arcs that are absent from a sparse matrix are forbidden.
        start: potentials near the optimal ones, shapes (n,) and (m,); good ones save pivots.

    Raises:
        UnprovenError: it gave up, or its plan does not have the marginals.

    Source:
        Bonneel et al., "Displacement interpolation using Lagrangian mass transport", 2011.
    """
    n, m = cost.shape
    # The simplex stops at an absolute tolerance, so costs are scaled to order 1.
    unit = 2.0 ** math.frexp(float(cost.max()))[1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plan, log = ot.lp.emd(
            problem.x_mass,
            problem.y_mass,
            cost / unit,
            numItermax=_PIVOTS,
            log=True,
            potentials_init=None if start is None else (start[0] / unit, start[1] / unit),
        )
    if log["result_code"] != _OPTIMAL:
        raise UnprovenError(
            f"the network simplex did not prove optimality for {n} and {m} points within {_PIVOTS:,} pivots "
            f"(POT: {log['warning']})"
        )
    if isinstance(cost, coo_array):
        found = Plan(plan.row.astype(np.intp), plan.col.astype(np.intp), plan.data)
    else:
        rows, columns = np.nonzero(plan)
        found = Plan(rows, columns, plan[rows, columns])
    if not found.has_marginals(problem):
        raise UnprovenError("the network simplex returned a plan that does not have the marginals")
    return Basis(found, *(unit * np.asarray(log[name]) for name in ("u", "v")))


def solve_network_simplex(problem: Problem, start: tuple[FloatArray, FloatArray] | None = None) -> Bracket:
    """Compute an optimal plan and optimal potentials by the network simplex on the full cost matrix.

    Args:
        problem: of n and m points; the memory grows with n m.
        start: potentials near the optimal ones, shapes (n,) and (m,).

    Raises:
        UnprovenError: the simplex gave up, or its plan does not have the marginals.
    """
    distance = pairwise(problem.x, problem.y, problem.norm)
    bracket = Bracket(problem)

    def prove(basis: Basis) -> bool:
        """Tighten the bracket by plan and potentials, and if it stays open, by potentials made from the plan."""
        plan = basis.plan
        bracket.add_plan(plan, distance[plan.rows, plan.columns])
        bracket.add_potentials(*repair(distance, basis.y_potential, problem.dimension))
        if not bracket.is_closed(SMALL_GAP):
            moved = distance[plan.rows, plan.columns]
            path = potentials_of_plan(shortest_step(distance), plan, moved, distance.shape)
            bracket.add_potentials(*repair(distance, path, problem.dimension))
        return bracket.is_closed(SMALL_GAP)

    basis = network_simplex(problem, distance, start)
    if not prove(basis):
        # Note [capped distances]
        # If clusters are a distance D apart, the simplex in float64 cannot distinguish costs that differ by D * eps.
        # Distances far longer than any that mass is moved can be capped: potentials that are feasible for the capped
        # distances are feasible for the true ones, and the cost of the plan is computed from the true ones.
        cap = 4 * float(distance[basis.plan.rows, basis.plan.columns].max())
        prove(network_simplex(problem, np.minimum(distance, cap)))
    return bracket
