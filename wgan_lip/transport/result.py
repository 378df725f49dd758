"""What the solvers return, and the error of one that did not prove its answer."""

from dataclasses import dataclass

from scipy.sparse import coo_array

from wgan_lip.transport.samples import FloatArray


class UnprovenError(RuntimeError):
    """A solver stopped without a proof of optimality, so there is no exact value to return."""


@dataclass(frozen=True)
class Solution:
    """A transport problem's solution, with its proof.

    Attributes:
        value: cost of ``plan``: the distance, in the units of the samples.
        lower: proven lower bound of the distance: the value of the potentials, which satisfy
            ``x_potential[i] + y_potential[j] <= |x_i - y_j|``, less what rounding can have added. (On
            the real line the potentials that are returned satisfy this up to their own rounding.)
        upper: proven upper bound: the plan's cost, plus what rounding can have taken.
        x_potential: shape (n,); for a 1-Lipschitz critic f that is optimal, f(x) up to a constant.
        y_potential: shape (m,); for that critic, -f(y) up to the same constant.
        plan: sparse, shape (n, m), with row sums 1 / n and column sums 1 / m; at most n + m - 1 entries.
    """

    value: float
    lower: float
    upper: float
    x_potential: FloatArray
    y_potential: FloatArray
    plan: coo_array


@dataclass(frozen=True)
class W1Result(Solution):
    """The exact Wasserstein-1 distance of two sample sets: a :class:`Solution`, and how it was found.

    Attributes:
        method: the solver: "sort" or "network-simplex".
        seconds: wall time of the whole call, the verification included.
    """

    method: str
    seconds: float
