"""Running cells: those that are kept are not run again."""

import logging
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import torch
from pytorch_lightning.utilities.exceptions import SIGTERMException

from wgan_lip.comparison.cell import Cell
from wgan_lip.comparison.store import Outcome, Store
from wgan_lip.evaluation import evaluate_estimator
from wgan_lip.training import plain_fit

if TYPE_CHECKING:
    from submitit.helpers import DelayedSubmission


@dataclass(frozen=True)
class Failure:
    """A cell that could not be finished.

    Attributes:
        cell: what was run.
        error: what went wrong, in one line.
        trace: the traceback.
    """

    cell: Cell
    error: str
    trace: str

    @classmethod
    def of(cls, cell: Cell, error: Exception) -> "Failure":
        """Return an error as a failure.

        Args:
            cell: what was run.
            error: what it raised.
        """
        line = " ".join(f"{type(error).__name__}: {error}".split())
        return cls(cell, line, "".join(traceback.format_exception(error)))


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
