"""Training cells, one after another or several at once."""

import logging
import multiprocessing
import time
import traceback
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch
from pytorch_lightning import Trainer

from wgan_lip.comparison.cell import Cell
from wgan_lip.comparison.store import Store
from wgan_lip.training import Estimate, evaluate_estimator


@dataclass(frozen=True)
class Outcome:
    """A finished cell.

    Attributes:
        cell: what was run.
        estimate: of its critic.
        seconds: wall time of the training.
        is_new: whether it was run now, not found in the store.
    """

    cell: Cell
    estimate: Estimate
    seconds: float
    is_new: bool


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


def run_cells(cells: Sequence[Cell], store: Store, jobs: int = 1) -> Iterator[Outcome | Failure]:
    """Yield each cell's outcome: first those that are in the store, then the others as they end.

    Each cell is trained on one thread, so that its result does not depend on ``jobs``. A cell that fails is yielded as
    a Failure and not kept; it will be tried again.

    Args:
        cells: what to run.
        store: where finished cells are found and kept.
        jobs: cells at once, each in a process of its own; 1 trains in this process.

    Raises:
        ValueError: ``jobs < 1``, or a file in the store that is no result.
    """
    if jobs < 1:
        raise ValueError(f"jobs must be at least 1; got jobs={jobs}")
    missing = []
    for cell in cells:
        kept = store.load(cell)
        if kept is None:
            missing.append(cell)
        else:
            yield Outcome(cell, Estimate(**kept["estimate"]), kept["seconds"], is_new=False)
    for cell, result in _results(missing, jobs):
        if isinstance(result, Failure):
            yield result
        else:
            store.save(cell, result)
            yield Outcome(cell, Estimate(**result["estimate"]), result["seconds"], is_new=True)


def _results(cells: list[Cell], jobs: int) -> Iterator[tuple[Cell, dict[str, Any] | Failure]]:
    if jobs == 1 or len(cells) < 2:
        for cell in cells:
            yield cell, _train(cell)
        return
    # Forked, the workers would inherit PyTorch's threads in an unknown state.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(jobs, len(cells)), mp_context=context)
    try:
        futures = {pool.submit(_train, cell): cell for cell in cells}
        for future in as_completed(futures):
            cell = futures[future]
            try:
                result = future.result()
            except Exception as error:
                # A worker that was killed.
                result = _failure(cell, error)
            yield cell, result
    finally:
        # On Ctrl-C what was not begun is not begun any more.
        pool.shutdown(wait=False, cancel_futures=True)


def _train(cell: Cell) -> dict[str, Any] | Failure:
    try:
        with _one_quiet_thread():
            estimator = cell.build()
            start = time.perf_counter()
            trainer = Trainer(
                accelerator="cpu",
                max_epochs=-1,
                logger=False,
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
            )
            trainer.fit(estimator)
            seconds = time.perf_counter() - start
            estimate = evaluate_estimator(estimator.final_critic(), estimator.pair, cell.n, cell.exact_n)
    except Exception as error:
        # Whatever it is, it is reported, and the other cells go on.
        return _failure(cell, error)
    return {"estimate": asdict(estimate), "seconds": seconds}


def _failure(cell: Cell, error: Exception) -> Failure:
    line = " ".join(f"{type(error).__name__}: {error}".split())
    return Failure(cell, line, "".join(traceback.format_exception(error)))


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
