"""What a solver tells while it works, and the budget that ends it early."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from wgan_lip.memory import available_memory


@dataclass(frozen=True)
class Progress:
    """The state of a column generation after one of its steps.

    Attributes:
        points: points of x and of y in the problem that is being solved: the whole one, or the coarser one
            that its first potentials come from.
        round: of that problem; 0 is its start.
        arcs: that are in use.
        lower: proven lower bound of the whole problem, in the units of the samples.
        upper: proven upper bound of the whole problem.
        seconds: since the start.
    """

    points: tuple[int, int]
    round: int
    arcs: int
    lower: float
    upper: float
    seconds: float


Watcher: TypeAlias = Callable[[Progress], None]


class BudgetSpentError(Exception):
    """Raised within a solver when its time or memory is spent; it ends with the bracket that it has."""


@dataclass(frozen=True)
class Budget:
    """Time and memory that a solver may use.

    Attributes:
        seconds: wall time; None for any.
        memory: bytes in addition to those in use at the start; None for what the machine has.
        start: when the time began to count.
    """

    seconds: float | None = None
    memory: float | None = None
    start: float = field(default_factory=time.perf_counter)

    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self.start

    def check(self, needed: float = 0) -> None:
        """End the solver if its time is spent, or if so many bytes are not there.

        Raises:
            BudgetSpentError: it is.
        """
        if self.seconds is not None and self.elapsed() > self.seconds:
            raise BudgetSpentError
        if needed > (available_memory() if self.memory is None else self.memory):
            raise BudgetSpentError
