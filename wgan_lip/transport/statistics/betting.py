"""A lower confidence bound of the difference of two means, by betting on pairs of clipped scores."""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from wgan_lip.transport.samples import FloatArray

# Note [clipped scores]
# If nothing is known of a distribution, there is no confidence bound of its mean at any sample size (Bahadur, Savage
# 1956): a rare score far out may have been missed. But W1 is the largest difference of means of 1-Lipschitz functions,
# and clip(f, a, b) is 1-Lipschitz if f is. So any a < b that are chosen independently of a pair of scores make f a
# bounded function whose difference of means is at most W1. Here they are the range of all earlier scores: another
# function for each group of bets, and E clip(f, a, b)(x) - E clip(f, a, b)(y) <= W1 for each of them. A range that is
# known before sampling, such as the diameter of the support, is wider, and would only serve the first pairs.

# Note [stakes that aim at the goal]
# Let p be delta times the capital: it starts at delta, and the bound m is excluded once p >= 1. With r pairs left, of
# standard deviation s, a constant stake l makes ln p grow in the mean by r (l e - l^2 s^2 / 2), e the excess of their
# mean over m. The least e that suffices is that of l = sqrt(2 ln(1/p) / r) / s, so this is the stake: smaller after
# gains, larger after losses. It may depend on the past, for only the next pair must be fair given the past.
#
# Note [why bisection finds the bound]
# The capital at the end of a group is K prod(1 + l w_i), w_i = z_i - m, with one stake l = l(K) for the group.
# * In m each factor falls: for a given stake, and where the stake is limited to C / (m - low), because z_i >= low.
# * In K: d ln(K prod) / d ln K = 1 - c sum l w_i / (1 + l w_i), where c = -d ln l / d ln K is 1 / (2 ln(1/p)), or 0
#   where the stake is limited. As x / (1 + x) <= ln(1 + x), it is negative only if ln prod > 2 ln(1/p), and then p >= 1
#   after the group anyway. So what is excluded from the smaller of two capitals is excluded from the larger.
# Therefore if m is excluded, so are all smaller ones, and the same holds of larger delta.

# No bet risks more than this part of the capital.
_MOST = 0.9
# Groups of equal stakes. The first only gives the range of the second, unless it has one pair.
_GROUPS = 128
# Each round of the search divides the interval by _GRID + 1.
_GRID, _ROUNDS = 31, 8
# Bound of the effect of rounding on the logarithm of a factor.
_ROUNDING = 2.0**-46


@dataclass(frozen=True)
class _Bets:
    """A group of bets with one stake.

    Attributes:
        differences: of the clipped scores, shape (pairs,).
        low: the least difference that was possible.
        scale: ``1 / (s sqrt(r))`` of the note.
    """

    differences: FloatArray
    low: float
    scale: float


def betting_lower(x: FloatArray, y: FloatArray, delta: float, fixed: tuple[bool, bool] = (False, False)) -> float:
    """Compute a lower confidence bound of W1(P, Q) from scores of a 1-Lipschitz f, for any P and Q and any sizes.

    The scores are put into random order and joined to ``k = min(n, m)`` pairs, with means of groups of the larger
    sample. Let ``z_i`` be the difference of the i-th pair, clipped to the range of all earlier scores. If W1 is m,
    then ``E(z_i | past) <= m``, so the capital ``prod_(i <= t) 1 + l_i (z_i - m)`` of bets with stakes ``l_i >= 0``
    that depend on the past is a supermartingale from 1, and ever reaches 1/delta with probability at most delta
    (Ville's inequality). The bound is the smallest m for which it does not. The stakes are

    ``l_i = min(sqrt(2 (ln(1/delta) - ln capital) / (r V)), 0.9 / (m - low))``,

    V the variance of the earlier differences, r the number of pairs left, low the least difference within the range.
    They are renewed 128 times.

    Pairs need one margin, about ``2.1 sqrt(var z / k)`` at delta = 0.025, where separate bounds of both means need the
    sum of two with half of delta each.

    Args:
        x: n >= 2 scores ``f(x_i)`` of independent samples of P, shape (n,), or one of a Dirac.
        y: m >= 2 scores of independent samples of Q, likewise. If n = m, y_i may depend on x_i.
        delta: the probability of error.
        fixed: whether P and whether Q is a Dirac.

    Returns:
        The bound, which may be negative; at most 0 if it knows nothing.

    Source:
        Waudby-Smith, Ramdas, "Estimating means of bounded random variables by betting", Journal of the Royal
        Statistical Society B 86, 2024, theorem 3 and equation (26), one-sided (the capital, the variance); Voracek,
        Orabona, "STaR-Bets: sequential target-recalculating bets for tighter confidence intervals", 2025 (stakes from
        what is still to be gained and the number of bets left).
    """
    bets = _bets(x, y, fixed)
    if not bets:
        return min(0.0, float(x.mean() - y.mean()))
    start = math.log(delta) - _ROUNDING * max(len(x), len(y))
    low, high = min(group.low for group in bets), max(float(group.differences.max()) for group in bets)
    for _ in range(_ROUNDS):
        grid = np.linspace(low, high, _GRID + 2)
        excluded = _is_excluded(grid, bets, start)
        if excluded.all() or not excluded[0]:
            break
        first_left = int(excluded.argmin())
        low, high = float(grid[first_left - 1]), float(grid[first_left])
    return low


def _bets(x: FloatArray, y: FloatArray, fixed: tuple[bool, bool]) -> list[_Bets]:
    """Join scores in random order to pairs, and clip those of each group to the range of all earlier ones."""
    count = max(len(x), len(y)) if any(fixed) else min(len(x), len(y))
    sides = [
        # The same order for samples of one size, which keeps x_i and y_i together.
        np.full(count, values[0]) if one else values[np.random.default_rng(0).permutation(len(values))]
        for values, one in zip((x, y), fixed, strict=True)
    ]
    starts = [np.arange(count + 1) * len(values) // count for values in sides]
    ends = np.unique(np.arange(_GROUPS + 1) * count // _GROUPS)
    bets = []
    for first, last in pairwise(ends[1:].tolist()):
        earlier = [values[: start[first]] for values, start in zip(sides, starts, strict=True)]
        a, b = min(float(values.min()) for values in earlier), max(float(values.max()) for values in earlier)
        if not (b - a) ** 2 > 0:
            continue
        seen = _differences(sides, starts, 0, first, (a, b))
        variance = (float(((seen - seen.mean()) ** 2).sum()) + (b - a) ** 2 / 4) / (first + 1)
        low = (float(x[0]) if fixed[0] else a) - (float(y[0]) if fixed[1] else b)
        differences = _differences(sides, starts, first, last, (a, b))
        bets.append(_Bets(differences, low, 1 / math.sqrt(variance * (count - first))))
    return bets


def _differences(
    sides: list[FloatArray], starts: list[NDArray[np.int_]], first: int, last: int, limits: tuple[float, float]
) -> FloatArray:
    """Compute the differences of the clipped scores of some pairs, those of a pair's larger side being averaged."""
    means = []
    for values, start in zip(sides, starts, strict=True):
        clipped = np.clip(values[start[first] : start[last]], *limits) - limits[0]
        if len(clipped) > last - first:
            clipped = np.add.reduceat(clipped, start[first:last] - start[first]) / np.diff(start[first : last + 1])
        means.append(clipped)
    difference: FloatArray = means[0] - means[1]
    return difference


def _is_excluded(means: FloatArray, groups: list[_Bets], start: float) -> NDArray[np.bool_]:
    """Bet on each group against each of the means, shape (g,), and tell which lose: p reaches 1 in the note."""
    log_p = np.full(len(means), start)
    for bets in groups:
        stakes = bets.scale * np.sqrt(np.maximum(-2 * log_p, 0.0))
        # At means below the least difference every stake is safe.
        room = np.maximum(means - bets.low, np.finfo(np.float64).tiny)
        stakes = np.minimum(stakes, _MOST / room)
        log_p += np.log1p(stakes[:, None] * (bets.differences - means[:, None])).sum(axis=1)
    return log_p >= 0
