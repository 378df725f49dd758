"""The standard error of W1, from optimal potentials that depend on the samples only and not on the solver."""

import math
from collections.abc import Callable

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from wgan_lip.transport.deviation import standard_error
from wgan_lip.transport.norm import paired, pairwise
from wgan_lip.transport.samples import FloatArray
from wgan_lip.transport.solvers.bracket import Bracket
from wgan_lip.transport.solvers.pricing import TwoSidedPricer
from wgan_lip.transport.solvers.problem import Problem
from wgan_lip.transport.solvers.real_line import central_potentials_on_the_line

# Note [the standard error of W1]
# Let f be an optimal potential of the samples, and W' their distance after x_i is drawn anew. W1 is a maximum over
# potentials, so W' >= W + a_i (f(x_i') - f(x_i)). By Efron and Stein var W <= sum_i E[(W - W')_+^2]: the variance of
# the potentials bounds that of the distance, except that f is optimised at its own points and not at new ones. Where P
# and Q differ by much, f hardly depends on the draw, and the bound is attained; where they are alike it is too large.
# It holds for any optimal potential, so one of small variance is chosen; see the next note.

# Note [which optimal critic]
# Optimal potentials are critics phi = f on x, -g on y. Pointwise maxima and minima of optimal critics are optimal, so
# among those that are nowhere above 0 there is a largest one, and among those nowhere below 0 a smallest. Neither
# depends on the solver, nor on the order of the samples; their mean, which is optimal too, is symmetric in x and y. It
# places each of the clusters between which no mass needs to move about 0, whatever the distance between them. If
# potentials are unique up to a constant, it is the unique one.
#
# Both are shortest paths from any optimal phi: phi + p is optimal if p_i - p_j <= |x_i - y_j| - f_i - g_j on all arcs,
# with p_i = p_j where mass moves.

# Up to this many arcs all of them are constraints; beyond, this many of each point, and those found to be violated.
_FEW_ARCS, _FIRST = 90_000, 16
_ROUNDS = 20
# Violations up to this, relative to the sizes of distances and potentials, are rounding.
_NOISE = 1e-12


def standard_error_of(problem: Problem, bracket: Bracket, check: Callable[[], None] = lambda: None) -> float:
    """Estimate the standard deviation of W1 over draws of both samples, in the units of the problem.

    ``sqrt(sum a_i^2 (f_i - f_mean)^2 / (1 - sum a_i^2) + sum b_j^2 (g_j - g_mean)^2 / (1 - sum b_j^2))``

    for the optimal potentials f, g of :func:`central_potentials` and weights a, b; with equal weights
    ``sqrt(var f / n + var g / m)``. It is about right where the distributions differ by much, and too large where they
    are alike. It does not include the bias: the distance of samples exceeds that of their distributions in the mean,
    in high dimension by far more than this. Points must be independent; it is NaN if either side is a single point. If
    no mass moves between clusters, each contributes its own spread only: the varying number of points in each cluster
    is then not included.

    Args:
        problem: of points of positive weight.
        bracket: closed: its plan and potentials are optimal.
        check: called between blocks of prices; may end them by an error.

    Source:
        Boucheron, Lugosi, Massart, "Concentration Inequalities", 2013, theorem 3.1 (Efron and Stein's inequality);
        Sommerfeld, Munk, "Inference for empirical Wasserstein distances on finite spaces", 2018, theorem 1 (the
        limit, of which this is the variance where potentials are unique); Hundrieser, Klatt, Staudt, Munk, "A unifying
        approach to distributional limits for empirical optimal transport", 2024 (where they are not).
    """
    f, g = central_potentials(problem, bracket, check)
    x = standard_error(f, problem.x_mass / problem.total)
    y = standard_error(g, problem.y_mass / problem.total)
    return math.hypot(x, y)


def central_potentials(
    problem: Problem, bracket: Bracket, check: Callable[[], None] = lambda: None
) -> tuple[FloatArray, FloatArray]:
    """Compute the mean of the two extreme optimal critics, as potentials on x and y, shapes (n,) and (m,).

    Args:
        problem: of points of positive weight.
        bracket: closed: its plan and potentials are optimal.
        check: called between blocks of prices; may end them by an error.

    Source:
        Ahuja, Magnanti, Orlin, "Network Flows", 1993, sections 5.2 and 9.4 (optimal potentials as shortest paths).
    """
    if problem.dimension == 1:
        return central_potentials_on_the_line(problem)
    return _ExtremeCritics(problem, bracket, check).potentials()


class _ExtremeCritics:
    """The extreme optimal critics of a problem, and the arcs whose constraints were found to matter."""

    def __init__(self, problem: Problem, bracket: Bracket, check: Callable[[], None]) -> None:
        self._problem, self._plan, self._pricer = problem, bracket.plan, TwoSidedPricer(problem, check)
        self._f, self._g = bracket.x_potential, bracket.y_potential
        self._shape = len(problem.x), len(problem.y)
        self._moving = np.unique(self._plan.rows * self._shape[1] + self._plan.columns)
        self._keys = np.empty(0, dtype=np.int64)
        self._slack = np.empty(0)

    def potentials(self) -> tuple[FloatArray, FloatArray]:
        n, m = self._shape
        self._is_whole = n * m <= _FEW_ARCS
        if self._is_whole:
            slack = pairwise(self._problem.x, self._problem.y, self._problem.norm) - self._f[:, None] - self._g
            phi = np.concatenate((self._f, -self._g))
            # No arc of a larger slack is part of a shortest path.
            near = np.flatnonzero(slack.ravel() < np.ptp(phi))
            self._keys = np.union1d(near, self._moving)
            self._slack = slack.ravel()[self._keys]
        else:
            self._add(np.union1d(self._cheapest(False, self._g), self._cheapest(True, self._f)))
        low, high = self._extreme(1.0), self._extreme(-1.0)
        mean = low / 2 + high / 2
        return mean[:n], -mean[n:]

    def _cheapest(self, swapped: bool, potential: FloatArray) -> np.ndarray:
        """Keys of the cheapest arcs of each point of x given a potential on y, or of y given one on x if swapped."""
        arcs = self._pricer.transform(swapped, self._pricer.levels[0], potential, _FIRST).arcs
        own, m = np.arange(len(arcs))[:, None], self._shape[1]
        return (arcs * m + own if swapped else own * m + arcs).ravel()

    def _add(self, keys: np.ndarray) -> None:
        """Add arcs, given by their keys ``i * m + j``, to the constraints."""
        keys = np.union1d(self._keys, np.union1d(keys, self._moving))
        rows, columns = keys // self._shape[1], keys % self._shape[1]
        cost = paired(self._problem.x, self._problem.y, rows, columns, self._problem.norm)
        self._keys, self._slack = keys, cost - self._f[rows] - self._g[columns]

    def _extreme(self, sign: float) -> FloatArray:
        """The largest optimal critic that is nowhere above 0; for sign -1, the smallest that is nowhere below 0."""
        phi = np.concatenate((self._f, -self._g))
        for _ in range(_ROUNDS):
            found = phi + sign * self._shift(sign, phi)
            if self._is_whole:
                return found
            missing = self._violated(found)
            if not len(missing):
                return found
            self._add(missing)
        return found

    def _shift(self, sign: float, phi: FloatArray) -> FloatArray:
        """The largest ``p <= -sign phi`` with ``sign (p_i - p_j) <= slack`` on arcs, and equality where mass moves."""
        n, m = self._shape
        rows, columns = self._keys // m, n + self._keys % m
        moving = np.isin(self._keys, self._moving)
        slack = np.where(moving, 0.0, np.maximum(self._slack, 0.0))
        tails, heads = (columns, rows) if sign > 0 else (rows, columns)
        start = -sign * phi
        source = np.full(n + m, n + m)
        graph = coo_array(
            (
                np.concatenate((slack, np.zeros(int(moving.sum())), start - start.min())),
                (
                    np.concatenate((tails, heads[moving], source)),
                    np.concatenate((heads, tails[moving], np.arange(n + m))),
                ),
            ),
            shape=(n + m + 1, n + m + 1),
        ).tocsr()
        return dijkstra(graph, indices=np.array([n + m]))[0, : n + m] + start.min()

    def _violated(self, phi: FloatArray) -> np.ndarray:
        """Keys of arcs on which the slope of a critic exceeds 1."""
        problem, (n, m) = self._problem, self._shape
        keys = np.setdiff1d(self._cheapest(False, -phi[n:]), self._keys)
        rows, columns = keys // m, keys % m
        slack = paired(problem.x, problem.y, rows, columns, problem.norm) - phi[rows] + phi[n + columns]
        return keys[slack < -_NOISE * (1 + np.abs(phi).max())]
