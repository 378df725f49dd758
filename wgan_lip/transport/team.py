"""Processes that price arcs together: one leads and solves, the others serve."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import cast, get_args

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from wgan_lip.parts import Part, share_of
from wgan_lip.transport.norm import Norm
from wgan_lip.transport.pricing import BLOCK_ROWS, Level, Pricer, Transform
from wgan_lip.transport.progress import Budget, BudgetSpentError
from wgan_lip.transport.samples import FloatArray

# Note [one leads]
# Were every process to run the solver, a clock or a processor that rounds differently could make them disagree about
# what comes next, and wait for each other for ever. So one process alone decides; the others do what they are told, and
# tell what went wrong. All messages are numbers in float64, which holds indices up to 2^53. With each question goes the
# time that is left for it, which every process counts by its own clock: none prices on when the leader has stopped.

_DONE, _PROBLEM, _PRICE = range(3)
# A command is its name and at most five numbers.
_WORDS = 6
# Kinds of answers.
_FAILED, _PRICED, _SPENT = range(3)
_LEVELS, _NORMS = get_args(Level), get_args(Norm)
# Passes over less than so many arcs times coordinates take less time alone than the messages; the constant stands for
# what an arc costs beside its coordinates. Measured by scripts/bench_team.py.
_SMALLEST_PASS, _BESIDE_COORDINATES = 5e8, 32


class ServerError(RuntimeError):
    """A process that served could not do its part."""


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
        if dist.get_backend(group) == dist.Backend.NCCL:
            raise ValueError("group must send tensors of the CPU; got one of nccl: use new_group(backend='gloo')")
        self._group = group
        self._smallest_pass = smallest_pass
        self._leading = False
        self.rank, self.size = dist.get_rank(group), dist.get_world_size(group)

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
        self._tell(_DONE)

    def serve(self) -> None:
        """Price what the leader asks for, until it is done.

        Raises:
            ValueError: this process is to lead.
        """
        if self.rank == 0:
            raise ValueError("rank 0 of a team leads it; this is rank 0: use leading()")
        problem: _Problem | None = None
        while True:
            command, *numbers = self._hear()
            if command == _DONE:
                return
            if command == _PROBLEM:
                n, m, d, norm = map(int, numbers[:4])
                x, y, center = (self._spread(None, shape) for shape in ((n, d), (m, d), (d,)))
                problem = _Problem(x, y, _NORMS[norm], center)
            elif problem is not None:
                swapped, level, k = bool(numbers[0]), _LEVELS[int(numbers[1])], int(numbers[2])
                cap, problem.budget = numbers[3], Budget(numbers[4])
                potential = self._spread(None, (len(problem.sides(swapped)[1]),))
                mine = self._rows(len(problem.sides(swapped)[0]), self.rank)
                self._answer(partial(problem.transform, swapped, level, cap, mine, potential, k))

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
        self._tell(_PROBLEM, len(x), len(y), x.shape[1], _NORMS.index(norm))
        for array in (x, y, center):
            self._spread(array, array.shape)

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
        own = Pricer(mine, others, norm, level, center, cap=cap, check=budget.check) if len(mine) else None
        return SharedPricer(self, own, (float(swapped), float(_LEVELS.index(level)), cap), budget)

    def price(
        self, own: Pricer | None, asked: tuple[float, float, float], seconds: float, potential: FloatArray, k: int
    ) -> Transform:
        """Have all rows of a pass priced; see :class:`SharedPricer`.

        Args:
            seconds: that are left for it.
        """
        swapped, level, cap = asked
        self._tell(_PRICE, swapped, level, k, cap, seconds)
        self._spread(potential, potential.shape)
        error: BaseException | None = None
        parts: list[Tensor] = []
        try:
            parts.append(_packed(_transform(own, potential, k)))
        except BaseException as raised:
            # The servers' answers are heard nevertheless, so that they hear what comes next.
            error = raised
        answers = [self._answer_of(rank) for rank in range(1, self.size)]
        if error is not None:
            raise error
        for rank, answer in enumerate(answers, 1):
            if isinstance(answer, str):
                raise ServerError(f"rank {rank} could not price its arcs: {answer}")
            if answer is None:
                raise BudgetSpentError
            parts.append(answer)
        return _unpacked(torch.cat(parts))

    def _rows(self, points: int, rank: int) -> Part:
        """A rank's rows, whole blocks of those in which a single process prices them."""
        blocks = share_of(-(-points // BLOCK_ROWS), rank, self.size)
        return Part(min(blocks.start * BLOCK_ROWS, points), min(blocks.stop * BLOCK_ROWS, points), points)

    def _answer(self, function: Callable[[], Transform]) -> None:
        try:
            answer, status = _packed(function()), _PRICED
        except BudgetSpentError:
            answer, status = torch.empty(0, 0, dtype=torch.float64), _SPENT
        except Exception as error:
            text = f"{type(error).__name__}: {error}".encode()
            answer, status = torch.tensor(list(text), dtype=torch.float64)[:, None], _FAILED
        shape = torch.tensor([status, *answer.shape], dtype=torch.float64)
        dist.send(shape, group_dst=0, group=self._group)
        if answer.numel():
            dist.send(answer, group_dst=0, group=self._group)

    def _answer_of(self, rank: int) -> Tensor | str | None:
        """A server's rows, what went wrong there, or nothing where its time was spent."""
        shape = torch.empty(3, dtype=torch.float64)
        dist.recv(shape, group_src=rank, group=self._group)
        status, rows, columns = map(int, shape.tolist())
        answer = torch.empty(rows, columns, dtype=torch.float64)
        if answer.numel():
            dist.recv(answer, group_src=rank, group=self._group)
        if status == _SPENT:
            return None
        return answer if status == _PRICED else bytes(int(c) for c in answer[:, 0].tolist()).decode()

    def _tell(self, *numbers: float) -> None:
        message = torch.zeros(_WORDS, dtype=torch.float64)
        message[: len(numbers)] = torch.tensor(numbers, dtype=torch.float64)
        dist.broadcast(message, group_src=0, group=self._group)

    def _hear(self) -> list[float]:
        message = torch.empty(_WORDS, dtype=torch.float64)
        dist.broadcast(message, group_src=0, group=self._group)
        return cast(list[float], message.tolist())

    def _spread(self, array: FloatArray | None, shape: tuple[int, ...]) -> FloatArray:
        """An array of the leader's, on all."""
        message = torch.empty(shape, dtype=torch.float64) if array is None else torch.tensor(array)
        dist.broadcast(message, group_src=0, group=self._group)
        return cast(FloatArray, message.numpy())


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
        if len(rows) and (swapped, level, cap) not in self._pricers:
            # One level at a time: each holds copies of the points.
            self._pricers = {key: pricer for key, pricer in self._pricers.items() if key[1:] == (level, cap)}
            points, others = self.sides(swapped)
            self._pricers[swapped, level, cap] = Pricer(
                rows.of(points), others, self._norm, level, self._center, cap=cap, check=lambda: self.budget.check()
            )
        return _transform(self._pricers.get((swapped, level, cap)), potential, k)


class SharedPricer:
    """A :class:`Pricer` whose rows are priced by all processes of a team.

    Args:
        team: whose leader this process is.
        own: of the leader's rows; None if it has none.
        asked: what the servers are told of the pricer: whether it is swapped, its level's number, its cap.
        budget: whose time is left for a pass.
    """

    def __init__(self, team: Team, own: Pricer | None, asked: tuple[float, float, float], budget: Budget) -> None:
        self._team, self._own, self._asked, self._budget = team, own, asked, budget

    def transform(self, potential: FloatArray, k: int) -> Transform:
        """As :meth:`Pricer.transform`, with the same numbers.

        Raises:
            BudgetSpentError: the time is over, here or elsewhere.
            ServerError: another process could not do its part.
        """
        return self._team.price(self._own, self._asked, self._budget.left(), potential, k)


def _transform(pricer: Pricer | None, potential: FloatArray, k: int) -> Transform:
    """The pricer's transform; without one, that of no points."""
    if pricer is not None:
        return pricer.transform(potential, k)
    none = np.empty((0, min(k, len(potential))))
    return Transform(none[:, 0], none.astype(np.int64), none, none[:, 0].astype(np.bool_))


def _packed(priced: Transform) -> Tensor:
    columns = (priced.potential[:, None], priced.attained[:, None], priced.arcs, priced.bounds)
    return torch.from_numpy(np.concatenate([np.asarray(part, dtype=np.float64) for part in columns], axis=1))


def _unpacked(rows: Tensor) -> Transform:
    table = rows.numpy()
    k = (table.shape[1] - 2) // 2
    return Transform(
        potential=np.ascontiguousarray(table[:, 0]),
        arcs=table[:, 2 : 2 + k].astype(np.int64),
        bounds=np.ascontiguousarray(table[:, 2 + k :]),
        attained=table[:, 1].astype(np.bool_),
    )
