"""Processes that price arcs together: one leads and solves, the others serve."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import get_args

import torch.distributed as dist

from wgan_lip.parts import Part, share_of
from wgan_lip.transport.messages import Messages
from wgan_lip.transport.norm import Norm
from wgan_lip.transport.pricing import BLOCK_ROWS, Level, Pricer, Transform
from wgan_lip.transport.progress import Budget
from wgan_lip.transport.samples import FloatArray
from wgan_lip.transport.underflow import gradual_underflow

# Note [one leads]
# Were every process to run the solver, a clock or a processor that rounds differently could make them disagree about
# what comes next, and wait for each other for ever. So one process alone decides; the others do what they are told, and
# tell what went wrong. With each question goes the time that is left for it, which every process counts by its own
# clock: none prices on when the leader has stopped.

_DONE, _PROBLEM, _PRICE = range(3)
_LEVELS, _NORMS = get_args(Level), get_args(Norm)
# Passes over less than so many arcs times coordinates take less time alone than the messages; the constant stands for
# what an arc costs beside its coordinates. Measured by scripts/bench_team.py.
_SMALLEST_PASS, _BESIDE_COORDINATES = 5e8, 32


class Team:
    """The processes of a group, of which the first solves and all price.

    On the first: ``with team.leading(): wasserstein1(x, y, team=team)``; on all others meanwhile: ``team.serve()``. A
    pass over all arcs is split by rows, in the blocks in which one process alone would go through them, so the numbers
    are the same.

    Args:
        group: of ``torch.distributed``, for tensors on the CPU (gloo); None is the default group.
        smallest_pass: passes over fewer arcs times coordinates are the leader's alone.

    Raises:
        ValueError: a group that sends tensors of GPUs only.
    """

    def __init__(self, group: dist.ProcessGroup | None = None, smallest_pass: float = _SMALLEST_PASS) -> None:
        self._messages = Messages(group)
        self._smallest_pass = smallest_pass
        self._leading = False
        self.rank, self.size = self._messages.rank, self._messages.size

    @contextmanager
    def leading(self) -> Iterator[None]:
        """While it lasts the others serve; at its end, also by an error, they are released.

        Raises:
            ValueError: this process is to serve, or leads already.
        """
        if self.rank or self._leading:
            why = f"this is rank {self.rank}: call serve()" if self.rank else "this one leads already"
            raise ValueError(f"rank 0 of a team leads it, once at a time; {why}")
        self._leading = True
        try:
            yield
        except BaseException as error:
            try:
                self._release()
            except RuntimeError as other:
                # Most likely a process is gone, which is what the error says too.
                error.add_note(f"the processes that serve could not be released: {other}")
            raise
        self._release()

    def _release(self) -> None:
        self._leading = False
        self._messages.tell(_DONE)

    @gradual_underflow()
    def serve(self) -> None:
        """Price what the leader asks for, until it is done.

        Raises:
            ValueError: this process is to lead.
        """
        if self.rank == 0:
            raise ValueError("rank 0 of a team leads it; this is rank 0: use leading()")
        problem: _Problem | None = None
        while True:
            command, *numbers = self._messages.hear()
            if command == _DONE:
                return
            if command == _PROBLEM:
                n, m, d, norm = map(int, numbers[:4])
                x, y, center = (self._messages.spread(None, shape) for shape in ((n, d), (m, d), (d,)))
                problem = _Problem(x, y, _NORMS[norm], center)
            elif problem is not None:
                swapped, level, k = bool(numbers[0]), _LEVELS[int(numbers[1])], int(numbers[2])
                cap, problem.budget = numbers[3], Budget(numbers[4])
                potential = self._messages.spread(None, (len(problem.sides(swapped)[1]),))
                mine = self._rows(len(problem.sides(swapped)[0]), self.rank)
                self._messages.answer(partial(problem.transform, swapped, level, cap, mine, potential, k))

    def begin(self, x: FloatArray, y: FloatArray, norm: Norm, center: FloatArray) -> None:
        """Tell the servers of a problem that is priced from now on; the leader does.

        Args:
            x: shape (n, d).
            y: shape (m, d).
            norm: the ground norm.
            center: see ``Pricer``, shape (d,).

        Raises:
            ValueError: outside of ``leading()``, where nobody listens.
        """
        if not self._leading:
            raise ValueError("team must be led while it is used; it is not: solve within team.leading()")
        self._messages.tell(_PROBLEM, len(x), len(y), x.shape[1], _NORMS.index(norm))
        for array in (x, y, center):
            self._messages.spread(array, array.shape)

    def is_worth(self, x: FloatArray, y: FloatArray) -> bool:
        """Whether a pass over all arcs of a problem takes long enough to be shared.

        Args:
            x: shape (n, d).
            y: shape (m, d).
        """
        work = float(len(x)) * len(y) * (x.shape[1] + _BESIDE_COORDINATES)
        return self.size > 1 and work >= self._smallest_pass

    def pricer(
        self,
        swapped: bool,
        points: FloatArray,
        others: FloatArray,
        norm: Norm,
        level: Level,
        center: FloatArray,
        cap: float,
        budget: Budget,
    ) -> "SharedPricer":
        """A pricer of the problem that was begun; see :class:`Pricer` for the other arguments.

        Args:
            swapped: whether points are y and others x.
            budget: whose time every process looks at before each block of rows.
        """
        mine = self._rows(len(points), 0).of(points)
        own = Pricer(mine, others, norm, level, center, cap=cap, check=budget.check)
        return SharedPricer(self, own, (float(swapped), float(_LEVELS.index(level)), cap), budget)

    def price(
        self, own: Pricer, asked: tuple[float, float, float], seconds: float, potential: FloatArray, k: int
    ) -> Transform:
        """Have all rows of a pass priced; see :class:`SharedPricer`.

        Args:
            seconds: that are left for it.
        """
        swapped, level, cap = asked
        self._messages.tell(_PRICE, swapped, level, k, cap, seconds)
        self._messages.spread(potential, potential.shape)
        return self._messages.collected(partial(own.transform, potential, k))

    def _rows(self, points: int, rank: int) -> Part:
        """A rank's rows, whole blocks of those in which a single process prices them."""
        blocks = share_of(-(-points // BLOCK_ROWS), rank, self.size)
        return Part(min(blocks.start * BLOCK_ROWS, points), min(blocks.stop * BLOCK_ROWS, points), points)


class _Problem:
    """What a server knows of the problem that is priced.

    Attributes:
        budget: of the pass that is asked for.
    """

    def __init__(self, x: FloatArray, y: FloatArray, norm: Norm, center: FloatArray) -> None:
        self._x, self._y, self._norm, self._center = x, y, norm, center
        self.budget = Budget()
        self._pricers: dict[tuple[bool, Level, float], Pricer] = {}

    def sides(self, swapped: bool) -> tuple[FloatArray, FloatArray]:
        """The points that are priced, and the others."""
        return (self._y, self._x) if swapped else (self._x, self._y)

    def transform(
        self, swapped: bool, level: Level, cap: float, rows: Part, potential: FloatArray, k: int
    ) -> Transform:
        """As :meth:`Pricer.transform` for some rows of the points."""
        if (swapped, level, cap) not in self._pricers:
            # One level at a time: each holds copies of the points.
            self._pricers = {key: pricer for key, pricer in self._pricers.items() if key[1:] == (level, cap)}
            points, others = self.sides(swapped)
            self._pricers[swapped, level, cap] = Pricer(
                rows.of(points), others, self._norm, level, self._center, cap=cap, check=lambda: self.budget.check()
            )
        return self._pricers[swapped, level, cap].transform(potential, k)


class SharedPricer:
    """A :class:`Pricer` whose rows are priced by all processes of a team.

    Args:
        team: whose leader this process is.
        own: of the leader's rows.
        asked: what the servers are told of the pricer: whether it is swapped, its level's number, its cap.
        budget: whose time is left for a pass.
    """

    def __init__(self, team: Team, own: Pricer, asked: tuple[float, float, float], budget: Budget) -> None:
        self._team, self._own, self._asked, self._budget = team, own, asked, budget

    def transform(self, potential: FloatArray, k: int) -> Transform:
        """As :meth:`Pricer.transform`, with the same numbers.

        Raises:
            BudgetSpentError: the time is over, here or elsewhere.
            ServerError: another process could not do its part.
        """
        return self._team.price(self._own, self._asked, self._budget.left(), potential, k)
