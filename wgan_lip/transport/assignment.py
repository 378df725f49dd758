"""Exact W1 of two sets of equally many, equally heavy points, as an assignment problem."""

import numpy as np
from scipy.optimize import linear_sum_assignment

from wgan_lip.transport.bracket import Bracket
from wgan_lip.transport.norm import pairwise
from wgan_lip.transport.plan import Plan
from wgan_lip.transport.potentials import potentials_of_plan, repair, shortest_of
from wgan_lip.transport.problem import Problem


def is_assignment(problem: Problem) -> bool:
    """Whether each point of x goes to one point of y."""
    return bool((problem.x_mass == 1).all() and (problem.y_mass == 1).all())


def solve_assignment(problem: Problem) -> Bracket:
    """An optimal matching by scipy's shortest augmenting paths, and potentials made from it.

    Args:
        problem: with n equal masses on each side.

    Raises:
        ValueError: other masses.

    Source:
        Crouse, "On implementing 2D rectangular assignment algorithms", 2016.
    """
    if not is_assignment(problem):
        raise ValueError(
            "method='assignment' needs as many points in x as in y, all of one weight; got "
            f"{len(problem.x)} and {len(problem.y)} points: use method='auto'"
        )
    distance = pairwise(problem.x, problem.y, problem.norm)
    rows, columns = linear_sum_assignment(distance)
    plan = Plan(rows, columns, np.ones(len(rows)))
    moved = distance[rows, columns]
    bracket = Bracket(problem)
    bracket.add_plan(plan, moved)
    y_potential = potentials_of_plan(shortest_of(distance), plan, moved, distance.shape)
    bracket.add_potentials(*repair(distance, y_potential, problem.dimension))
    return bracket
