"""Cells as jobs of a cluster: each is submitted once, gathered when it ends, and submitted again if it is lost."""

import secrets
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from wgan_lip.comparison.cell import Cell
from wgan_lip.comparison.launcher import Task
from wgan_lip.comparison.ledger import Ledger
from wgan_lip.comparison.slurm import LARGEST_ARRAY
from wgan_lip.comparison.squeue import Seen
from wgan_lip.comparison.store import Store
from wgan_lip.comparison.task import Failure, Result

# Seconds after which a scheduler that does not answer is given up.
_PATIENCE = 900.0


class Scheduler(Protocol):
    """What :class:`~wgan_lip.comparison.slurm.Slurm` does."""

    name: str
    folder: Path

    def submit(self, task: Task, cells: Sequence[Cell], comment: str) -> list[str]: ...

    def queue(self) -> Mapping[str, Seen]: ...

    def failure(self, job: str, cell: Cell) -> Failure | None: ...

    def log(self, job: str) -> Path: ...


class JobArray:
    """A launcher whose cells are jobs, which outlive this process.

    A job writes its result into the store. So a comparison whose process was killed loses nothing: the next one finds
    what is written and which jobs go on, and submits the rest.

    Args:
        store: to which the jobs' task writes; all nodes see it.
        scheduler: of the jobs; beside their files lies the list of those that were submitted.
        retries: how often a lost cell is submitted again. Lost is one whose job is gone without result and error.
        say: is told in a line what happens to the jobs.
        grace: seconds until what a job wrote at its end must be seen here.
        every: seconds between two looks at the store and the queue.

    Raises:
        ValueError: a negative number, or a list of jobs that cannot be read.
    """

    def __init__(
        self,
        store: Store,
        scheduler: Scheduler,
        retries: int,
        say: Callable[[str], None],
        grace: float = 30.0,
        every: float = 5.0,
    ) -> None:
        for name, value in (("retries", retries), ("grace", grace)):
            if value < 0:
                raise ValueError(f"{name} must not be negative; got {name}={value}")
        self._store = store
        self._scheduler = scheduler
        self._ledger = Ledger(scheduler.folder / "jobs.json")
        self._retries = retries
        self._say = say
        self._grace = grace
        self._every = every

    @property
    def if_interrupted(self) -> str:
        return (
            "their jobs go on, and the same command gathers them; this ends them: "
            f"scancel --name={self._scheduler.name}"
        )

    def __call__(self, task: Task, cells: Sequence[Cell]) -> Iterator[tuple[Cell, Result | Failure]]:
        if not cells:
            return
        waiting = self._start(task, cells)
        while waiting:
            time.sleep(self._every)
            # The queue first: what a job has written lies in the store before the job is seen to have ended.
            queue, kept = self._look(), self._store.keys()
            lost = []
            for one in list(waiting):
                result = self._result(one, kept, queue)
                if result is None and self._is_lost(one, queue):
                    one.losses += 1
                    known = str(queue[one.job]) if queue and one.job in queue else "Slurm knows it no longer"
                    if one.losses > self._retries:
                        result = self._given_up(one, known)
                    else:
                        self._say(f"{one.cell.label}: Slurm job {one.job} is lost ({known}) and submitted again")
                        lost.append(one)
                if result is not None:
                    waiting.remove(one)
                    self._ledger.forget({one.cell.key})
                    yield one.cell, result
            self._submit(task, lost)

    def _start(self, task: Task, cells: Sequence[Cell]) -> list["_Waiting"]:
        """Find the jobs of an earlier process, and submit the other cells."""
        self._ledger.forget(self._store.keys())
        queue = self._scheduler.queue()
        self._answered = time.monotonic()
        found = self._ledger.find([cell.key for cell in cells], queue)
        if found:
            alive = sum(_is_alive(job, queue) for job in found.values())
            self._say(f"{len(found)} of {len(cells)} cells were submitted before; {alive} of their jobs wait or run")
        waiting = [_Waiting(cell, found.get(cell.key, "")) for cell in cells]
        self._submit(task, [one for one in waiting if not one.job])
        return waiting

    def _submit(self, task: Task, some: Sequence["_Waiting"]) -> None:
        for start in range(0, len(some), LARGEST_ARRAY):
            part = some[start : start + LARGEST_ARRAY]
            keys = [one.cell.key for one in part]
            comment = secrets.token_hex(8)
            self._ledger.announce(keys, comment)
            jobs = self._scheduler.submit(task, [one.cell for one in part], comment)
            self._ledger.submitted(dict(zip(keys, jobs, strict=True)))
            for one, job in zip(part, jobs, strict=True):
                one.job, one.ended = job, None
            self._say(f"{len(part)} of the cells submitted: Slurm job {jobs[0].partition('_')[0]}")

    def _look(self) -> Mapping[str, Seen] | None:
        """The queue; None while the scheduler is away, for a while."""
        try:
            queue = self._scheduler.queue()
        except OSError as error:
            if time.monotonic() - self._answered > _PATIENCE:
                raise OSError(f"{error}, for {_PATIENCE:.0f} seconds; {self.if_interrupted}") from error
            return None
        self._answered = time.monotonic()
        return queue

    def _result(
        self, one: "_Waiting", kept: Collection[str], queue: Mapping[str, Seen] | None
    ) -> Result | Failure | None:
        result = self._store.load(one.cell) if one.cell.key in kept else None
        if result is None and not _is_alive(one.job, queue):
            return self._scheduler.failure(one.job, one.cell)
        return result

    def _is_lost(self, one: "_Waiting", queue: Mapping[str, Seen] | None) -> bool:
        if _is_alive(one.job, queue):
            # It was requeued.
            one.ended = None
            return False
        one.ended = one.ended or time.monotonic()
        return time.monotonic() - one.ended >= self._grace

    def _given_up(self, one: "_Waiting", known: str) -> Failure:
        log = self._scheduler.log(one.job)
        times = "once" if one.losses == 1 else f"{one.losses} times"
        said = log.read_text(encoding="utf-8", errors="replace")[-4000:] if log.is_file() else "(no log)"
        error = f"lost {times}; Slurm of its last job, {one.job}: {known}; its log: {log}"
        return Failure(one.cell, error, f"{error}\n{said}")


@dataclass(eq=False)
class _Waiting:
    """A cell whose end is waited for: its job, how many were lost, and when this one was first seen to have ended."""

    cell: Cell
    job: str
    losses: int = 0
    ended: float | None = None


def _is_alive(job: str, queue: Mapping[str, Seen] | None) -> bool:
    """Whether it waits or runs; so it does as long as nobody knows better."""
    return queue is None or (job in queue and queue[job].is_alive)
