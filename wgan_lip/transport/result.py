"""Results of a solver, its reports while it runs, and its budget of time and memory."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from scipy.sparse import coo_array

from wgan_lip.memory import available_memory
from wgan_lip.transport.norm import Norm
from wgan_lip.transport.samples import FloatArray


class UnprovenError(RuntimeError):
    """Raised where a solver stopped without a proof of optimality, so that there is no exact value."""


@dataclass(frozen=True)
class W1Result:
    """The Wasserstein-1 distance of two sample sets: plan, potentials, and the bracket that they prove.

    Attributes:
        cost: cost of ``plan``, in the units of the samples.
        lower: proven lower bound of the distance: the value of the potentials, which satisfy
            ``x_potential[i] + y_potential[j] <= |x_i - y_j|``, less what rounding can have added. (On the real line
            the returned potentials satisfy this up to their own rounding.)
        upper: proven upper bound: the cost of the plan, plus what rounding can have taken.
        x_potential: shape (n,); for a 1-Lipschitz critic f that is optimal, f(x) up to a constant.
        y_potential: shape (m,); for that critic, -f(y) up to the same constant.
        plan: sparse, shape (n, m), with the weights of x as row sums and those of y as column sums.
        exact: whether lower and upper bound agree to 1e-9, relatively, apart from the rounding of subnormal numbers.
            It is false only if a budget ran out; then there is a bracket, and no value.
        norm: the ground norm.
        method: the solver: "sort", "assignment", "network-simplex" or "column-generation".
        seconds: wall time of the whole call, the verification included.
        standard_error: estimated standard deviation of the distance over draws of both samples, see
            :func:`standard_error_of`. NaN if either side is a single point, or a budget ran out.

    Example:
        >>> from wgan_lip.transport import wasserstein1
        >>> x, y = np.random.default_rng(0).normal(size=(2, 400, 2)) + [[[0.0, 0.0]], [[3.0, 0.0]]]
        >>> result = wasserstein1(x, y)  # of the distributions: 3
        >>> abs(result.value - 3) < 3 * result.standard_error < 0.3
        True
    """

    cost: float
    lower: float
    upper: float
    x_potential: FloatArray
    y_potential: FloatArray
    plan: coo_array
    exact: bool
    norm: Norm
    method: str
    seconds: float
    standard_error: float

    @property
    def value(self) -> float:
        """The distance, in the units of the samples.

        Raises:
            UnprovenError: the budget ran out before the proof closed.
        """
        if not self.exact:
            raise UnprovenError(
                f"W1 is not known exactly: the budget ran out, and it is proven to lie in [{self.lower!r}, "
                f"{self.upper!r}]; use lower and upper, or allow more time or memory"
            )
        return self.cost


@dataclass(frozen=True)
class Progress:
    """The state of a column generation after one of its steps.

    Attributes:
        points: numbers of points of x and of y in the problem that is being solved: the whole one, or the coarser
            one that gives its first potentials.
        round: number of the round in that problem, from 0.
        arcs: number of arcs in use.
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


ProgressCallback: TypeAlias = Callable[[Progress], None]


class BudgetSpentError(Exception):
    """Raised within a solver when its time or memory is spent; the solver then returns its current bracket."""


@dataclass(frozen=True)
class Budget:
    """Time and memory that a solver may use.

    Attributes:
        seconds: wall time; None for no limit.
        memory: bytes in addition to those in use at the start; None for what the machine has available.
        start: when the time began.
    """

    seconds: float | None = None
    memory: float | None = None
    start: float = field(default_factory=time.perf_counter)

    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self.start

    def check(self, needed: float = 0) -> None:
        """End the solver if its time is spent, or if ``needed`` bytes are not available.

        Raises:
            BudgetSpentError: time or memory is spent.
        """
        if self.seconds is not None and self.elapsed() > self.seconds:
            raise BudgetSpentError
        if needed > (available_memory() if self.memory is None else self.memory):
            raise BudgetSpentError
