"""All arcs of one problem, priced from the points of x and from those of y."""

import numpy as np
import torch

from wgan_lip.transport.pricing import Level, Pricer, Transform, levels
from wgan_lip.transport.problem import Problem
from wgan_lip.transport.progress import Budget
from wgan_lip.transport.samples import FloatArray


class BothSides:
    """The pricers of a problem's two sides, made when they are asked for.

    Args:
        problem: any.
        budget: whose time is looked at before each block of rows.
        device: where arcs are priced.

    Attributes:
        levels: the ways to price, from the fastest to the most accurate.
        center: between the means of x and of y, shape (d,).
    """

    def __init__(self, problem: Problem, budget: Budget, device: torch.device | str) -> None:
        self._problem, self._budget, self._device = problem, budget, device
        self.levels = levels(problem.norm, problem.dimension)
        self.center = (problem.x.mean(axis=0) + problem.y.mean(axis=0)) / 2
        self._cap = np.inf
        self._pricers: dict[tuple[bool, Level], Pricer] = {}

    def cut(self, cap: float) -> None:
        """From now on distances beyond a cap count as this long; see the note on capped distances in simplex.py."""
        self._cap = cap
        self._pricers.clear()

    def transform(self, swapped: bool, level: Level, potential: FloatArray, k: int) -> Transform:
        """The c-transform on x of a potential on y, or the other way round if swapped; as ``Pricer.transform``.

        Args:
            swapped: whether points of y are priced.
            level: how distances are computed.
            potential: on the other points, already shrunk.
            k: how many arcs of each point to return.
        """
        if (swapped, level) not in self._pricers:
            # One level at a time: each pricer holds copies of the points.
            self._pricers = {key: pricer for key, pricer in self._pricers.items() if key[1] == level}
            self._pricers[swapped, level] = self._pricer(swapped, level)
        return self._pricers[swapped, level].transform(potential, k)

    def _pricer(self, swapped: bool, level: Level) -> Pricer:
        problem, budget = self._problem, self._budget
        points, others = (problem.y, problem.x) if swapped else (problem.x, problem.y)
        return Pricer(points, others, problem.norm, level, self.center, self._device, self._cap, budget.check)
