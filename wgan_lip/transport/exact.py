"""Exact Wasserstein-1 distance between two sample sets."""

import math
import time

from wgan_lip.transport.result import UnprovenError, W1Result
from wgan_lip.transport.samples import Samples, as_pair
from wgan_lip.transport.simplex import solve_network_simplex
from wgan_lip.transport.sorting import solve_sorted

# The proof must close to this, relative to the value; a value of zero is proven by bounds of zero.
_RELATIVE_GAP = 1e-9


def wasserstein1(x: Samples, y: Samples, *, max_iterations: int = 100_000_000) -> W1Result:
    """The exact W1 distance, in the l2 norm, of two uniformly weighted sample sets, with a proof.

    ``W1 = min_plan sum_ij plan_ij |x_i - y_j| = max_(f_i + g_j <= |x_i - y_j|) mean f + mean g``

    Both sides are computed: the plan's cost bounds the distance from above, potentials that were
    repaired to feasibility bound it from below, and they must agree. On the real line the points
    are sorted; otherwise POT's network simplex solves the problem in float64.

    Args:
        x: floating-point tensor or array of shape (n, ...); axes after the first are flattened, and
            (n,) is n points on the real line. A tensor on an accelerator is copied to the CPU.
        y: likewise, shape (m, ...), of the same dimension.
        max_iterations: pivots after which the simplex gives up.

    Returns:
        The distance in the units of the samples, its bounds, potentials and plan. It is the distance
        between the *samples*; how far that is from the distance of their distributions is another matter.

    Raises:
        ValueError: NaN, infinity, an empty set, dimensions that differ, numbers that are not floating
            point of at most 64 bits, distances that overflow.
        TypeError: not a tensor or array.
        UnprovenError: no proof of optimality was reached; there is never an unproven value.

    Source:
        Peyre, Cuturi, "Computational Optimal Transport", 2019, equations (2.11) and (2.20); Bonneel et
        al., "Displacement interpolation using Lagrangian mass transport", 2011 (the network simplex).
    """
    start = time.perf_counter()
    x_points, y_points = as_pair(x, y)
    if max_iterations < 1:
        raise ValueError(f"max_iterations must be at least 1; got max_iterations={max_iterations}")
    if x_points.shape[1] == 1:
        method, answer = "sort", solve_sorted(x_points, y_points)
    else:
        method, answer = "network-simplex", solve_network_simplex(x_points, y_points, max_iterations)
    if not math.isfinite(answer.upper):
        raise ValueError("distances between x and y overflow float64: scale both down")
    if not answer.lower <= answer.value <= answer.upper <= answer.lower + _RELATIVE_GAP * answer.value:
        raise UnprovenError(
            f"the proof of optimality does not close: lower bound {answer.lower!r}, upper bound {answer.upper!r} "
            f"({method}, {len(x_points)} and {len(y_points)} points)"
        )
    return W1Result(**vars(answer), method=method, seconds=time.perf_counter() - start)
