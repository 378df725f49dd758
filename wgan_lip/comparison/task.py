"""What is done for one cell, wherever it is done: train, evaluate, keep."""

import logging
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch
from pytorch_lightning.utilities.exceptions import SIGTERMException

from wgan_lip.comparison.cell import Cell
from wgan_lip.comparison.store import Store
from wgan_lip.evaluation import evaluate_estimator
from wgan_lip.training import plain_fit

# As the store keeps it.
Result = dict[str, Any]


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
        """An error as a failure.

        Args:
            cell: what was run.
            error: what it raised.
        """
        line = " ".join(f"{type(error).__name__}: {error}".split())
        return cls(cell, line, "".join(traceback.format_exception(error)))


@dataclass(frozen=True)
class TrainAndKeep:
    """Trains a cell on one thread and keeps its result, in this process or in another one.

    Args:
        store: where the result is kept.
    """

    store: Store

    def __call__(self, cell: Cell) -> Result | Failure:
        """The result, which is kept; or whatever went wrong.

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
            result = {"estimate": asdict(estimate), "seconds": seconds}
            self.store.save(cell, result)
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
        return result


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
