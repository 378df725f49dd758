"""Results of a solver, its reports while it works, and the budget that can end it early."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from scipy.sparse import coo_array

from wgan_lip.memory import available_memory
from wgan_lip.transport.norm import Norm
from wgan_lip.transport.samples import FloatArray


class UnprovenError(RuntimeError):
    """A solver stopped without a proof of optimality, so there is no exact value to return."""


@dataclass(frozen=True)
class Solution:
    """A plan and potentials of a transport problem, and the bracket that they prove.

    Attributes:
        cost: cost of ``plan``, in the units of the samples.
        lower: proven lower bound of the distance: the value of the potentials, which satisfy
            ``x_potential[i] + y_potential[j] <= |x_i - y_j|``, less what rounding can have added. (On
            the real line the potentials that are returned satisfy this up to their own rounding.)
        upper: proven upper bound: the plan's cost, plus what rounding can have taken.
        x_potential: shape (n,); for a 1-Lipschitz critic f that is optimal, f(x) up to a constant.
        y_potential: shape (m,); for that critic, -f(y) up to the same constant.
        plan: sparse, shape (n, m), with the weights of x as row sums and those of y as column sums.
    """

    cost: float
    lower: float
    upper: float
    x_potential: FloatArray
    y_potential: FloatArray
    plan: coo_array


@dataclass(frozen=True)
class W1Result(Solution):
    """The Wasserstein-1 distance of two sample sets: a :class:`Solution`, and how it was found.

    Attributes:
        exact: whether lower and upper bound agree to 1e-9, relatively, but for the rounding of subnormal
            numbers. Only a budget that ran out makes it false; then there is a bracket, and no value.
        norm: the ground norm.
        method: the solver: "sort", "network-simplex" or "column-generation".
        seconds: wall time of the whole call, the verification included.
        standard_error: by how much the distance changes from draw to draw of both samples: an estimated standard
            deviation, see :func:`standard_error_of`. NaN where one side is a single point, or a budget ran out.

    Example:
        >>> from wgan_lip.transport import wasserstein1
        >>> x, y = np.random.default_rng(0).normal(size=(2, 400, 2)) + [[[0.0, 0.0]], [[3.0, 0.0]]]
        >>> result = wasserstein1(x, y)  # of the distributions: 3
        >>> abs(result.value - 3) < 3 * result.standard_error < 0.3
        True
    """

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
                f"no exact W1: the budget ran out when it was proven to lie in [{self.lower!r}, {self.upper!r}]; "
                "use lower and upper, or allow more"
            )
        return self.cost


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
