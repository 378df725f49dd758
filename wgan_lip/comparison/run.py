"""Running cells, in this process or in several: those that are kept are not run again."""

import logging
import multiprocessing
import signal
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Protocol, cast

import torch
from pytorch_lightning.utilities.exceptions import SIGTERMException

from wgan_lip.comparison.cell import Cell
from wgan_lip.comparison.results import Failure, Outcome, Store
from wgan_lip.evaluation import evaluate_estimator
from wgan_lip.training import plain_fit

if TYPE_CHECKING:
    from submitit.helpers import DelayedSubmission


Task = Callable[[Cell], Outcome | Failure]


class Launcher(Protocol):
    """Runs a task on cells, each in whatever place, and yields their results as they end."""

    @property
    def if_interrupted(self) -> str:
        """What becomes of the cells that are left when the iterator is closed, for a line of output."""

    def __call__(self, task: Task, cells: Sequence[Cell]) -> Iterator[Outcome | Failure]:
        """Yield the result of each cell.

        Args:
            task: of a cell; it keeps the result.
            cells: of different keys.
        """


def run_cells(cells: Sequence[Cell], store: Store, launcher: Launcher | None = None) -> Iterator[Outcome | Failure]:
    """Yield each cell's outcome: first those that are in the store, then the others as they end.

    Each cell is trained on one thread, so that its result does not depend on the launcher; cells that differ in their
    labels only are trained once. A cell that fails is yielded as a Failure and not kept; it is run again next time.

    Args:
        cells: what to run.
        store: where finished cells are found and kept.
        launcher: where they are run: one after another in this process if None.

    Raises:
        ValueError: a file in the store that is not a result.
        OSError: the launcher's, such as a cluster that does not answer.
        KeyboardInterrupt: at Ctrl-C, with what is finished kept; so does SIGTERMException, where this process trains.
    """
    missing: dict[str, list[Cell]] = {}
    for cell in cells:
        kept = store.load(cell)
        if kept is None:
            missing.setdefault(cell.key, []).append(cell)
        else:
            yield kept
    task, first = TrainAndKeep(store), [same[0] for same in missing.values()]
    for result in map(task, first) if launcher is None else launcher(task, first):
        for cell in missing[result.cell.key]:
            yield replace(result, cell=cell) if isinstance(result, Failure) else replace(result, cell=cell, is_new=True)


@dataclass(frozen=True)
class TrainAndKeep:
    """Trains a cell on one thread, evaluates its critic and keeps the result, in this process or in another one.

    Args:
        store: where the result is kept.
    """

    store: Store

    def __call__(self, cell: Cell) -> Outcome | Failure:
        """Return the outcome, which is kept; or whatever went wrong.

        Args:
            cell: what to run.
        """
        try:
            with _one_quiet_thread():
                estimator = cell.build()
                start = time.perf_counter()
                plain_fit(estimator)
                seconds = time.perf_counter() - start
                estimate = evaluate_estimator(estimator.final_critic(), estimator.pair, cell.n, cell.exact_n)
            outcome = Outcome(cell, estimate, seconds, is_new=True)
            self.store.save(outcome)
        except SIGTERMException:
            raise
        except SystemExit as error:
            if error.code != 1:
                # submitit's end of a job that it has put back into the queue.
                raise
            # Lightning's answer to Ctrl-C.
            raise KeyboardInterrupt from None
        except Exception as error:
            # Whatever it is, it is reported, and the other cells go on.
            return Failure.of(cell, error)
        return outcome

    def checkpoint(self, cell: Cell) -> "DelayedSubmission":
        """Return what submitit runs when the job of a cell is requeued: the same again, from its beginning.

        Args:
            cell: of the job.
        """
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, cell)


@contextmanager
def _one_quiet_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    levels = {name: logging.getLogger(name).level for name in ("pytorch_lightning", "lightning.pytorch")}
    torch.set_num_threads(1)
    for name in levels:
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            # Lightning's, about names that PyTorch deprecates.
            warnings.filterwarnings("ignore", ".*LeafSpec.*is deprecated.*")
            yield
    finally:
        torch.set_num_threads(threads)
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


class Processes:
    """A launcher that runs cells in processes of this machine, one at a time in each.

    A process that dies costs its own cell only. Closing the iterator, as Ctrl-C does, ends all processes at once.

    Args:
        jobs: the number of processes; 1 is this process itself.

    Raises:
        ValueError: ``jobs < 1``.
    """

    if_interrupted = "the same command goes on with them"

    def __init__(self, jobs: int = 1) -> None:
        if jobs < 1:
            raise ValueError(f"jobs must be at least 1; got jobs={jobs}")
        self._jobs = jobs

    def __call__(self, task: Task, cells: Sequence[Cell]) -> Iterator[Outcome | Failure]:
        if self._jobs == 1 or len(cells) < 2:
            yield from map(task, cells)
            return
        waiting = deque(cells)
        busy: dict[Connection, _Worker] = {}
        try:
            while waiting or busy:
                while waiting and len(busy) < self._jobs:
                    worker = _Worker(task, waiting.popleft())
                    busy[worker.connection] = worker
                for connection in cast(list[Connection], wait(list(busy))):
                    worker = busy[connection]
                    result = worker.receive()
                    if waiting and worker.is_alive:
                        worker.send(waiting.popleft())
                    else:
                        busy.pop(connection).end()
                    yield result
        finally:
            for worker in busy.values():
                worker.end()


class _Worker:
    """A process and the cell that it runs."""

    def __init__(self, task: Task, cell: Cell) -> None:
        # Forked, it would inherit PyTorch's threads in an unknown state.
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, task), daemon=True)
        is_main = threading.current_thread() is threading.main_thread()
        # A terminal sends Ctrl-C to all; only this process may act on it. A child inherits that a signal is ignored.
        handler = signal.signal(signal.SIGINT, signal.SIG_IGN) if is_main else None
        try:
            self._process.start()
        finally:
            if is_main:
                signal.signal(signal.SIGINT, handler)
        # Its death closes the pipe only if no other process holds that end.
        theirs.close()
        self.is_alive = True
        self.send(cell)

    def send(self, cell: Cell) -> None:
        self._cell = cell
        # If it is dead, that is noticed when its result is received.
        with suppress(BrokenPipeError):
            self.connection.send(cell)

    def receive(self) -> Outcome | Failure:
        try:
            return cast(Outcome | Failure, self.connection.recv())
        except (EOFError, ConnectionResetError):
            self.is_alive = False
            self._process.join()
            # Such as one that the system killed for its memory.
            return Failure.of(self._cell, ChildProcessError(f"the process died, exit code {self._process.exitcode}"))

    def end(self) -> None:
        # Nothing in it is worth keeping: what is finished has been sent.
        self._process.kill()
        self._process.join()
        self.connection.close()


def _serve(connection: Connection, task: Task) -> None:
    # The other end is closed, or its process is dead: no more results are needed.
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            connection.send(task(connection.recv()))
