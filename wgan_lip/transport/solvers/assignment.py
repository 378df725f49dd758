"""Exact W1 of equally many, equally heavy points, as an assignment problem."""

import numpy as np
from scipy.optimize import linear_sum_assignment

from wgan_lip.transport.norm import pairwise
from wgan_lip.transport.solvers.bracket import Bracket, potentials_of_plan, repair, shortest_step
from wgan_lip.transport.solvers.problem import Plan, Problem


def solve_assignment(problem: Problem) -> Bracket:
    """Compute an optimal matching by scipy's shortest augmenting paths, and potentials from it.

    Args:
        problem: with n equal masses on each side.

    Raises:
        ValueError: other masses.

    Source:
        Crouse, "On implementing 2D rectangular assignment algorithms", 2016.
    """
    if not ((problem.x_mass == 1).all() and (problem.y_mass == 1).all()):
        raise ValueError(
            "method='assignment' requires as many points in x as in y, all of one weight; got "
            f"{len(problem.x)} and {len(problem.y)} points: use method='auto'"
        )
    distance = pairwise(problem.x, problem.y, problem.norm)
    rows, columns = linear_sum_assignment(distance)
    plan, moved = Plan(rows, columns, np.ones(len(rows))), distance[rows, columns]
    bracket = Bracket(problem)
    bracket.add_plan(plan, moved)
    path = potentials_of_plan(shortest_step(distance), plan, moved, distance.shape)
    bracket.add_potentials(*repair(distance, path, problem.dimension))
    return bracket
