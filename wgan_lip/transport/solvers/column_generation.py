"""Exact W1 in memory that grows with n + m: the simplex on few arcs, and prices of all others."""

from collections.abc import Callable

import numpy as np
import torch

from wgan_lip.transport.norm import paired
from wgan_lip.transport.result import Budget, BudgetSpentError, Progress, ProgressCallback
from wgan_lip.transport.rounding import shrink
from wgan_lip.transport.samples import FloatArray
from wgan_lip.transport.solvers.arcs import Arcs, IndexArray
from wgan_lip.transport.solvers.bracket import Bracket, potentials_of_plan
from wgan_lip.transport.solvers.pricing import FEW_COORDINATES, Level, Pricer, Transform, TwoSidedPricer
from wgan_lip.transport.solvers.problem import Plan, Problem, integer_masses, monotone_plan
from wgan_lip.transport.solvers.simplex import SMALL_GAP, network_simplex

# Note [column generation]
# An optimal plan uses n + m - 1 of the n m arcs. The simplex solves the problem on a few arcs; its potentials price all
# the others, blockwise; arcs of negative reduced cost are added, and it starts again from its last potentials. If no
# reduced cost is negative, this proves that the few arcs suffice (Ford and Fulkerson 1958; Dantzig and Wolfe 1960).
# Good initial potentials halve the number of rounds: with those of a quarter of the points, solved in the same way and
# extended to all points by the c-transform, two rounds are left.

# Cheapest arcs of each point at the start, fewer where potentials of a similar problem are known; and those that are
# returned by a pass in each round.
_FIRST, _FIRST_WARM, _PRICED = 16, 8, 16
# Each coarser problem has 1 / _COARSER of the points, and at least _COARSEST of them on either side.
_COARSER, _COARSEST = 4, 1000
# Arcs whose reduced cost is within this part of the worst violation are added with it: they would be violated next.
_FORESIGHT = 0.5
# Arcs for each point beyond which those of the largest reduced cost are dropped, and how many are kept.
_MANY, _KEPT = 48, 24
# Bytes that the simplex and its copies use for an arc.
_BYTES_AN_ARC = 300
_ROUNDS = 1000
# Sets are apart if the distance between their means exceeds this many standard deviations along the widest axis.
_APART = 0.1
# Relative gap that is accepted once no reduced cost is negative.
_ACCEPTED_GAP = 5e-10


def solve_column_generation(
    problem: Problem,
    *,
    start: tuple[FloatArray, FloatArray] | None = None,
    budget: Budget | None = None,
    report: ProgressCallback | None = None,
    device: torch.device | str = "cpu",
) -> Bracket:
    """Solve a problem on few arcs, and prove that they suffice.

    Args:
        problem: any.
        start: potentials near the optimal ones, shapes (n,) and (m,), feasible or not.
        budget: time and memory; when they are spent, the current bracket is returned.
        report: called after each step.
        device: where arcs are priced.

    Returns:
        A bracket that is closed, unless the budget ran out or the precision of float64 does not suffice for its proof.
    """
    budget = budget or Budget()

    def report_step(points: tuple[int, int], round_: int, arcs: int) -> None:
        if report is not None:
            bracket = generation.bracket
            report(Progress(points, round_, arcs, bracket.lower, bracket.upper, budget.elapsed()))

    generation = _Generation(problem, budget, report_step, device)
    try:
        generation.run(start)
    except BudgetSpentError:
        generation.bracket.cut_short = True
    return generation.bracket


class _Generation:
    """A column generation and its state.

    A pass is ``swapped`` if it prices the arcs of each point of y, not of x.
    """

    def __init__(
        self,
        problem: Problem,
        budget: Budget,
        report: Callable[[tuple[int, int], int, int], None],
        device: torch.device | str,
    ) -> None:
        self.problem, self.bracket = problem, Bracket(problem)
        self._budget, self._report, self._device = budget, report, device
        self._sides = TwoSidedPricer(problem, budget.check, device)
        self._cap = np.inf
        self._apart = problem.x.mean(axis=0) - problem.y.mean(axis=0)
        axis = self._apart if self._are_apart() else np.eye(problem.dimension)[np.ptp(problem.x, axis=0).argmax()]
        x_order, y_order = (np.argsort(points @ axis, kind="stable") for points in (problem.x, problem.y))
        self._first_plan = monotone_plan(problem, x_order, y_order)
        self._add_plan(self._first_plan)

    def _are_apart(self) -> bool:
        """Return whether the means are far apart in comparison with the width of x."""
        width = float(self.problem.x.std(axis=0).max())
        return bool(np.linalg.norm(self._apart) > _APART * width)

    def run(self, start: tuple[FloatArray, FloatArray] | None) -> None:
        """Tighten the bracket until it is closed, or as far as float64 allows.

        Args:
            start: potentials near the optimal ones, shapes (n,) and (m,).
        """
        if start is None:
            arcs, start = self._first_arcs(self._coarser_potentials(), _FIRST, (False, True))
        else:
            # Potentials of a similar problem save a pass: the cheapest arcs of the side with more points suffice.
            arcs, start = self._first_arcs(start, _FIRST_WARM, (len(self.problem.y) > len(self.problem.x),))
        self._generate(arcs, start)
        if self.bracket.is_closed(_ACCEPTED_GAP):
            return
        # See the note on capped distances in simplex.py.
        self._cap = 4 * float(self._cost(self.bracket.plan).max())
        self._sides.cap_distances(self._cap)
        self._generate(Arcs(arcs.shape, arcs.keys, np.minimum(arcs.cost, self._cap)), None)

    def _coarser_potentials(self) -> tuple[FloatArray, FloatArray] | None:
        """Solve the problem of a quarter of the points and extend its potentials; None where that does not help."""
        problem = self.problem
        if min(len(problem.x), len(problem.y)) < _COARSER * _COARSEST:
            return None
        if problem.dimension < FEW_COORDINATES and not self._are_apart():
            # Nearest neighbours are better arcs than those of potentials that fit the noise of fewer points.
            return None
        x_part, y_part = _random_quarter(problem.x_mass), _random_quarter(problem.y_mass)
        masses = integer_masses(np.ones(len(x_part)), np.ones(len(y_part)))
        part = Problem(problem.x[x_part], problem.y[y_part], *masses, problem.norm)
        coarser = _Generation(part, self._budget, self._report, self._device)
        coarser.run(None)
        level, center = self._sides.levels[0], self._sides.center
        pricer = Pricer(problem.y, part.x, problem.norm, level, center, self._device, check=self._budget.check)
        y_potential = pricer.transform(shrink(coarser.bracket.x_potential, problem.dimension), 1).potential
        return np.zeros(len(problem.x)), y_potential

    def _first_arcs(
        self, start: tuple[FloatArray, FloatArray] | None, k: int, sides: tuple[bool, ...]
    ) -> tuple[Arcs, tuple[FloatArray, FloatArray] | None]:
        """Return the k cheapest arcs of each point and those of a feasible plan, and the potentials, repaired.

        Args:
            start: potentials that price the arcs; zeros if None, and then None is returned for them.
            k: arcs of each point.
            sides: whether each pass is swapped.
        """
        n, m = len(self.problem.x), len(self.problem.y)
        arcs = Arcs((n, m), np.empty(0, dtype=np.int64), np.empty(0))
        x_potential, y_potential = (np.zeros(n), np.zeros(m)) if start is None else start
        for swapped in sides:
            self._budget.check(_BYTES_AN_ARC * (len(arcs) + k * (m if swapped else n)))
            priced = self._price(swapped, self._sides.levels[0], x_potential if swapped else y_potential, k)
            arcs = self._merged(arcs, *self._endpoints(swapped, priced))
            if start is not None and not swapped:
                x_potential = priced.potential
            elif start is not None:
                y_potential = priced.potential
        plan = self._first_plan
        arcs = arcs.merged(plan.rows, plan.columns, self._cost(plan))
        return arcs, None if start is None else (x_potential, y_potential)

    def _generate(self, arcs: Arcs, start: tuple[FloatArray, FloatArray] | None) -> None:
        """Solve and price in turn until no reduced cost is negative at any level of precision."""
        remaining, swapped = list(self._sides.levels), False
        for round_ in range(_ROUNDS):
            self._budget.check(_BYTES_AN_ARC * len(arcs))
            basis = network_simplex(self.problem, arcs.matrix(), start)
            self._add_plan(basis.plan)
            self._budget.check()
            start = _centered(basis.x_potential, basis.y_potential)
            while True:
                priced = self._price(swapped, remaining[0], start[0 if swapped else 1], _PRICED)
                self._report(arcs.shape, round_, len(arcs))
                if self.bracket.is_closed(SMALL_GAP):
                    return
                more = self._add_violated(arcs, swapped, priced, *start)
                if len(more) > len(arcs):
                    break
                # No reduced cost is negative, yet the bracket is open: price more accurately.
                if len(remaining) == 1:
                    self._use_plan_potentials(basis.plan, arcs)
                    return
                remaining.pop(0)
            arcs = self._drop_dearest(arcs, more, basis.plan, *start)
            if round_ == 0:
                arcs = self._drop_first_plan(arcs, basis.plan)
            swapped = not swapped

    def _add_violated(
        self, arcs: Arcs, swapped: bool, priced: Transform, x_potential: FloatArray, y_potential: FloatArray
    ) -> Arcs:
        """The arcs, and those of the priced ones whose reduced cost is negative, or likely to be in the next round."""
        low = (priced.bounds - (y_potential if swapped else x_potential)[:, None]).ravel()
        rows, columns = self._endpoints(swapped, priced)
        # Violations below this are rounding.
        noise = 1e-15 * max(np.abs(x_potential).max(), np.abs(y_potential).max(), arcs.cost.max())
        candidates = low < _FORESIGHT * max(0.0, -float(low.min()))
        keys = np.setdiff1d(arcs.keys_of(rows[candidates], columns[candidates]), arcs.keys)
        rows, columns = keys // arcs.shape[1], keys % arcs.shape[1]
        cost = self._distance(rows, columns)
        price = cost - x_potential[rows] - y_potential[columns]
        worst = -float(price.min(initial=0))
        added = price < (_FORESIGHT * worst if worst > noise else -np.inf)
        return arcs.merged(rows[added], columns[added], cost[added])

    def _use_plan_potentials(self, plan: Plan, arcs: Arcs) -> None:
        """Price with potentials made from the plan, where those of the simplex leave the bracket open."""
        if not self.bracket.is_closed(_ACCEPTED_GAP):
            moved = np.minimum(self._cost(plan), self._cap)
            path = potentials_of_plan(arcs.shortest(), plan, moved, arcs.shape)
            self._price(False, self._sides.levels[-1], path, _PRICED)

    def _drop_dearest(
        self, arcs: Arcs, more: Arcs, plan: Plan, x_potential: FloatArray, y_potential: FloatArray
    ) -> Arcs:
        """All arcs; if they are too many, those of the plan, the new ones, and those of the smallest reduced cost."""
        kept = _KEPT * sum(arcs.shape)
        if len(more) <= _MANY * sum(arcs.shape) or len(arcs) <= kept:
            return more
        price = arcs.reduced_cost(x_potential, y_potential)
        dearest = arcs.keys[price > np.partition(price, kept)[kept]]
        return more.kept(~np.isin(more.keys, np.setdiff1d(dearest, arcs.keys_of(plan.rows, plan.columns))))

    def _drop_first_plan(self, arcs: Arcs, plan: Plan) -> Arcs:
        """The arcs without those of the first plan that the current one does not use: long arcs cost precision."""
        first = arcs.keys_of(self._first_plan.rows, self._first_plan.columns)
        return arcs.kept(~np.isin(arcs.keys, np.setdiff1d(first, arcs.keys_of(plan.rows, plan.columns))))

    def _price(self, swapped: bool, level: Level, potential: FloatArray, k: int) -> Transform:
        """Price all arcs against a potential on y, or on x if swapped, and tighten the bracket by its c-transform."""
        potential = shrink(potential, self.problem.dimension)
        priced = self._sides.transform(swapped, level, potential, k)
        pair = (potential, priced.potential) if swapped else (priced.potential, potential)
        self.bracket.add_potentials(*pair)
        return priced

    def _endpoints(self, swapped: bool, priced: Transform) -> tuple[IndexArray, IndexArray]:
        """Indices of the points of x and of y that the priced arcs join, each of shape (n k,)."""
        own = np.repeat(np.arange(len(priced.arcs)), priced.arcs.shape[1])
        return (priced.arcs.ravel(), own) if swapped else (own, priced.arcs.ravel())

    def _merged(self, arcs: Arcs, rows: IndexArray, columns: IndexArray) -> Arcs:
        """The arcs and others, between points ``rows`` of x and ``columns`` of y, shapes (k,)."""
        keys = np.setdiff1d(arcs.keys_of(rows, columns), arcs.keys)
        rows, columns = keys // arcs.shape[1], keys % arcs.shape[1]
        return arcs.merged(rows, columns, self._distance(rows, columns))

    def _add_plan(self, plan: Plan) -> None:
        self.bracket.add_plan(plan, self._cost(plan))

    def _cost(self, plan: Plan) -> FloatArray:
        """Distances of a plan's entries, not capped."""
        problem = self.problem
        return paired(problem.x, problem.y, plan.rows, plan.columns, problem.norm)

    def _distance(self, rows: IndexArray, columns: IndexArray) -> FloatArray:
        """Distances of arcs, shapes (k,), at most the cap."""
        return np.minimum(paired(self.problem.x, self.problem.y, rows, columns, self.problem.norm), self._cap)


def _centered(x_potential: FloatArray, y_potential: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The same potentials but for a constant that makes them small: small numbers have small roundings."""
    shift = float(np.median(y_potential))
    return x_potential + shift, y_potential - shift


def _random_quarter(mass: FloatArray) -> IndexArray:
    """Draw a quarter of the points: without replacement if masses are equal, else in proportion to their masses."""
    rng, size = np.random.default_rng(0), len(mass) // _COARSER
    if np.ptp(mass) == 0:
        return np.sort(rng.permutation(len(mass))[:size])
    return np.sort(rng.choice(len(mass), size, p=mass / mass.sum()))
