"""Where cells are run: in this process, in several, or, in a module of its own, on a cluster."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from wgan_lip.comparison.cell import Cell
from wgan_lip.comparison.task import Failure, Result
from wgan_lip.comparison.workers import run_in_processes

Task = Callable[[Cell], Result | Failure]


class Launcher(Protocol):
    """Runs a task on cells, each in whatever place, and yields what becomes of them as they end."""

    @property
    def if_interrupted(self) -> str:
        """What becomes of the cells that are left when the iterator is closed, for a line of output."""

    def __call__(self, task: Task, cells: Sequence[Cell]) -> Iterator[tuple[Cell, Result | Failure]]:
        """Yield each cell with its result or failure, once it is known.

        Args:
            task: of a cell; it keeps the result.
            cells: of different keys.
        """


class Processes:
    """Cells in processes of this machine, one at a time in each.

    Args:
        jobs: processes; 1 is this process itself.

    Raises:
        ValueError: ``jobs < 1``.
    """

    def __init__(self, jobs: int = 1) -> None:
        if jobs < 1:
            raise ValueError(f"jobs must be at least 1; got jobs={jobs}")
        self._jobs = jobs

    @property
    def if_interrupted(self) -> str:
        return "the same command goes on with them"

    def __call__(self, task: Task, cells: Sequence[Cell]) -> Iterator[tuple[Cell, Result | Failure]]:
        if self._jobs == 1 or len(cells) < 2:
            for cell in cells:
                yield cell, task(cell)
            return
        for cell, result in run_in_processes(task, cells, self._jobs):
            yield cell, Failure.of(cell, result) if isinstance(result, Exception) else result
