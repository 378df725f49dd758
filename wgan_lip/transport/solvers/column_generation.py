"""Exact W1 in memory that grows with n + m: the simplex on few arcs, all others priced against its potentials."""

from collections.abc import Callable

import numpy as np
import torch

from wgan_lip.transport.norm import paired
from wgan_lip.transport.result import Budget, BudgetSpentError, Progress, Watcher
from wgan_lip.transport.rounding import shrink
from wgan_lip.transport.samples import FloatArray
from wgan_lip.transport.solvers.arcs import Arcs, IndexArray
from wgan_lip.transport.solvers.bracket import Bracket, potentials_of_plan
from wgan_lip.transport.solvers.pricing import FEW_COORDINATES, BothSides, Level, Pricer, Transform
from wgan_lip.transport.solvers.problem import Plan, Problem, integer_masses, monotone_plan
from wgan_lip.transport.solvers.simplex import CLOSE, network_simplex

# Note [column generation]
# Of the n m arcs an optimal plan uses n + m - 1. The simplex solves the problem on a few arcs; its potentials price all
# the others, blockwise; those that would pay are added, and it starts again from where it was. No arc that pays is a
# proof that the few suffice (Ford and Fulkerson 1958; Dantzig and Wolfe 1960). Good potentials to begin with halve the
# rounds: those of a quarter of the points, solved in the same way and extended to all by the c-transform, leave two.

# Cheapest arcs of each point to begin with, fewer where a similar problem's potentials are known; and to look at
# in each round.
_FIRST, _FIRST_WARM, _LOOKED_AT = 16, 8, 16
# Each coarser problem has this part of the points, and no fewer than these on either side.
_COARSER, _COARSEST = 4, 1000
# Arcs whose price is within this part of the worst violation join it: they would be violated next.
_FORESIGHT = 0.5
# Arcs a point beyond which the dearest are dropped, and how many are kept.
_MANY, _KEPT = 48, 24
# Bytes that the simplex and its copies use for an arc, and for each of a block's entries.
_BYTES_AN_ARC = 300
_ROUNDS = 1000
# Distance between the means, in standard deviations along the widest axis, from which on sets are apart.
_APART = 0.1
# Relative gap that need not be made smaller when nothing pays any more.
_CLOSE_ENOUGH = 5e-10


def solve_column_generation(
    problem: Problem,
    *,
    start: tuple[FloatArray, FloatArray] | None = None,
    budget: Budget | None = None,
    watch: Watcher | None = None,
    device: torch.device | str = "cpu",
) -> Bracket:
    """An optimal plan and optimal potentials, from few arcs.

    Args:
        problem: any.
        start: potentials near the optimal ones, shapes (n,) and (m,), feasible or not.
        budget: time and memory, after which the bracket is returned as it is.
        watch: called after each step.
        device: where arcs are priced.

    Returns:
        A bracket that is closed, unless the budget ran out or float64 does not suffice for its proof.
    """
    budget = budget or Budget()

    def report(points: tuple[int, int], round_: int, arcs: int) -> None:
        if watch is not None:
            bracket = generation.bracket
            watch(Progress(points, round_, arcs, bracket.lower, bracket.upper, budget.elapsed()))

    generation = _Generation(problem, budget, report, device)
    try:
        generation.run(start)
    except BudgetSpentError:
        generation.bracket.cut_short = True
    return generation.bracket


class _Generation:
    """The state of one column generation."""

    def __init__(
        self,
        problem: Problem,
        budget: Budget,
        report: Callable[[tuple[int, int], int, int], None],
        device: torch.device | str,
    ) -> None:
        self.problem, self.bracket = problem, Bracket(problem)
        self._budget, self._report, self._device = budget, report, device
        self._sides = BothSides(problem, budget, device)
        self._cap = np.inf
        self._apart = problem.x.mean(axis=0) - problem.y.mean(axis=0)
        axis = self._apart if self._is_apart() else np.eye(problem.dimension)[np.ptp(problem.x, axis=0).argmax()]
        x_order, y_order = (np.argsort(points @ axis, kind="stable") for points in (problem.x, problem.y))
        self._first_plan = monotone_plan(problem, x_order, y_order)
        self._judge(self._first_plan)

    def _is_apart(self) -> bool:
        """Whether the sets lie in different places, compared with how wide x is."""
        width = float(self.problem.x.std(axis=0).max())
        return bool(np.linalg.norm(self._apart) > _APART * width)

    def run(self, start: tuple[FloatArray, FloatArray] | None) -> None:
        """Tighten the bracket until it is closed, or float64 cannot tell more.

        Args:
            start: potentials near the optimal ones, shapes (n,) and (m,).
        """
        if start is None:
            arcs, start = self._first_arcs(self._coarse(), _FIRST, (False, True))
        else:
            # What a similar problem knew spares a pass: the cheapest arcs of the side with more points will do.
            arcs, start = self._first_arcs(start, _FIRST_WARM, (len(self.problem.y) > len(self.problem.x),))
        self._generate(arcs, start)
        if self.bracket.is_closed(_CLOSE_ENOUGH):
            return
        # See the note on capped distances in simplex.py.
        self._cap = 4 * float(self._cost(self.bracket.plan).max())
        self._sides.cut(self._cap)
        self._generate(Arcs(arcs.shape, arcs.keys, np.minimum(arcs.cost, self._cap)), None)

    def _coarse(self) -> tuple[FloatArray, FloatArray] | None:
        """Potentials of a quarter of the points, extended to all."""
        problem = self.problem
        if min(len(problem.x), len(problem.y)) < _COARSER * _COARSEST:
            return None
        if problem.dimension < FEW_COORDINATES and not self._is_apart():
            # Nearest neighbours know more than potentials that fit the noise of fewer points.
            return None
        x_part, y_part = _drawn(problem.x_mass), _drawn(problem.y_mass)
        masses = integer_masses(np.ones(len(x_part)), np.ones(len(y_part)))
        part = Problem(problem.x[x_part], problem.y[y_part], *masses, problem.norm)
        coarser = _Generation(part, self._budget, self._report, self._device)
        coarser.run(None)
        # From here on the whole problem has a lower bound that is nearly its own.
        level, center = self._sides.levels[0], self._sides.center
        pricer = Pricer(problem.y, part.x, problem.norm, level, center, self._device, check=self._budget.check)
        y_potential = pricer.transform(shrink(coarser.bracket.x_potential, problem.dimension), 1).potential
        return np.zeros(len(problem.x)), y_potential

    def _first_arcs(
        self, start: tuple[FloatArray, FloatArray] | None, k: int, sides: tuple[bool, ...]
    ) -> tuple[Arcs, tuple[FloatArray, FloatArray] | None]:
        """The k cheapest arcs of each point, priced with the potentials if there are any, and a feasible plan.

        Sides are those of ``_price``. The potentials come back repaired: c-transforms of each other.
        """
        n, m = len(self.problem.x), len(self.problem.y)
        arcs = Arcs((n, m), np.empty(0, dtype=np.int64), np.empty(0))
        x_potential, y_potential = (np.zeros(n), np.zeros(m)) if start is None else start
        for swapped in sides:
            self._budget.check(_BYTES_AN_ARC * (len(arcs) + k * (m if swapped else n)))
            priced = self._price(swapped, self._sides.levels[0], x_potential if swapped else y_potential, k)
            arcs = self._with(arcs, *self._endpoints(swapped, priced))
            if start is not None and not swapped:
                x_potential = priced.potential
            elif start is not None:
                y_potential = priced.potential
        plan = self._first_plan
        arcs = arcs.merged(plan.rows, plan.columns, self._cost(plan))
        return arcs, None if start is None else (x_potential, y_potential)

    def _generate(self, arcs: Arcs, start: tuple[FloatArray, FloatArray] | None) -> None:
        """Solve and price in turn until nothing pays at any level of precision."""
        remaining, swapped = list(self._sides.levels), False
        for round_ in range(_ROUNDS):
            self._budget.check(_BYTES_AN_ARC * len(arcs))
            basis = network_simplex(self.problem, arcs.matrix(), start)
            self._judge(basis.plan)
            self._budget.check()
            start = _centered(basis.x_potential, basis.y_potential)
            while True:
                priced = self._price(swapped, remaining[0], start[0 if swapped else 1], _LOOKED_AT)
                self._report(arcs.shape, round_, len(arcs))
                if self.bracket.is_closed(CLOSE):
                    return
                more = self._with_paying(arcs, swapped, priced, *start)
                if len(more) > len(arcs):
                    break
                # Nothing pays, yet the bracket is open: look closer.
                if len(remaining) == 1:
                    self._polish(basis.plan, arcs)
                    return
                remaining.pop(0)
            arcs = self._without_the_dearest(arcs, more, basis.plan, *start)
            if round_ == 0:
                arcs = self._without_the_first_plan(arcs, basis.plan)
            swapped = not swapped

    def _with_paying(
        self, arcs: Arcs, swapped: bool, priced: Transform, x_potential: FloatArray, y_potential: FloatArray
    ) -> Arcs:
        """The arcs, and those of the priced ones that pay or will soon."""
        low = (priced.bounds - (y_potential if swapped else x_potential)[:, None]).ravel()
        rows, columns = self._endpoints(swapped, priced)
        # Below this it is rounding.
        noise = 1e-15 * max(np.abs(x_potential).max(), np.abs(y_potential).max(), arcs.cost.max())
        may_pay = low < _FORESIGHT * max(0.0, -float(low.min()))
        keys = np.setdiff1d(arcs.keys_of(rows[may_pay], columns[may_pay]), arcs.keys)
        rows, columns = keys // arcs.shape[1], keys % arcs.shape[1]
        cost = self._distance(rows, columns)
        price = cost - x_potential[rows] - y_potential[columns]
        worst = -float(price.min(initial=0))
        pays = price < (_FORESIGHT * worst if worst > noise else -np.inf)
        return arcs.merged(rows[pays], columns[pays], cost[pays])

    def _polish(self, plan: Plan, arcs: Arcs) -> None:
        """Try the plan's own potentials where those of the simplex leave the bracket open."""
        if not self.bracket.is_closed(_CLOSE_ENOUGH):
            moved = np.minimum(self._cost(plan), self._cap)
            path = potentials_of_plan(arcs.shortest(), plan, moved, arcs.shape)
            self._price(False, self._sides.levels[-1], path, _LOOKED_AT)

    def _without_the_dearest(
        self, arcs: Arcs, more: Arcs, plan: Plan, x_potential: FloatArray, y_potential: FloatArray
    ) -> Arcs:
        """All arcs; if they are too many, those in use, the new ones, and the cheapest."""
        kept = _KEPT * sum(arcs.shape)
        if len(more) <= _MANY * sum(arcs.shape) or len(arcs) <= kept:
            return more
        price = arcs.reduced_cost(x_potential, y_potential)
        dear = arcs.keys[price > np.partition(price, kept)[kept]]
        return more.kept(~np.isin(more.keys, np.setdiff1d(dear, arcs.keys_of(plan.rows, plan.columns))))

    def _without_the_first_plan(self, arcs: Arcs, plan: Plan) -> Arcs:
        """The arcs, without those that only made the first plan feasible: long ones cost the simplex its precision."""
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
        """Indices of points of x and of y of the priced arcs, each of shape (n k,)."""
        own = np.repeat(np.arange(len(priced.arcs)), priced.arcs.shape[1])
        return (priced.arcs.ravel(), own) if swapped else (own, priced.arcs.ravel())

    def _with(self, arcs: Arcs, rows: IndexArray, columns: IndexArray) -> Arcs:
        """The arcs and others, shapes (k,)."""
        keys = np.setdiff1d(arcs.keys_of(rows, columns), arcs.keys)
        rows, columns = keys // arcs.shape[1], keys % arcs.shape[1]
        return arcs.merged(rows, columns, self._distance(rows, columns))

    def _judge(self, plan: Plan) -> None:
        self.bracket.add_plan(plan, self._cost(plan))

    def _cost(self, plan: Plan) -> FloatArray:
        """True distances of a plan's entries."""
        problem = self.problem
        return paired(problem.x, problem.y, plan.rows, plan.columns, problem.norm)

    def _distance(self, rows: IndexArray, columns: IndexArray) -> FloatArray:
        """Distances of arcs, shapes (k,), no longer than the cap."""
        return np.minimum(paired(self.problem.x, self.problem.y, rows, columns, self.problem.norm), self._cap)


def _centered(x_potential: FloatArray, y_potential: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The same potentials, a constant moved between them: small numbers have small roundings."""
    shift = float(np.median(y_potential))
    return x_potential + shift, y_potential - shift


def _drawn(mass: FloatArray) -> IndexArray:
    """A random quarter of the points: of equal ones each at most once, of others in proportion to their masses."""
    rng, size = np.random.default_rng(0), len(mass) // _COARSER
    if np.ptp(mass) == 0:
        return np.sort(rng.permutation(len(mass))[:size])
    return np.sort(rng.choice(len(mass), size, p=mass / mass.sum()))
