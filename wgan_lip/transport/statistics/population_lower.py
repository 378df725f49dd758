"""Lower confidence bounds of the population's W1, from the scores of a critic on held-out samples."""

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from wgan_lip.transport.deviation import mean, standard_error
from wgan_lip.transport.rounding import SMALLEST, gradual_underflow, roundoff, unit_of
from wgan_lip.transport.samples import FloatArray, Samples, as_points
from wgan_lip.transport.statistics.assumptions import (
    Guarantee,
    PerSide,
    Spread,
    check_probability,
    spreads,
    sub_gaussian_margin,
)

Interval: TypeAlias = Literal["empirical-bernstein", "sub-gaussian", "betting"]

# Note [clipped scores]
# If nothing is known of a distribution, there is no confidence bound of its mean at any sample size (Bahadur, Savage
# 1956): a rare score far out may have been missed. But W1 is the largest difference of means of 1-Lipschitz functions,
# and clip(f, a, b) is 1-Lipschitz if f is. So any a < b that are chosen independently of the scores make f a bounded
# function that bounds W1 as well; scores far out are clipped, whether they were drawn or missed.

# The range of 1 / _PART of the scores clips the others.
_PART = 4
# No bet risks more than this part of the capital.
_MOST = 0.75
# Bisections of [0, 1], and the largest effect of rounding on their result.
_BISECTIONS, _ROUNDING = 50, 2.0**-40


@dataclass(frozen=True)
class LowerBound:
    """A lower confidence bound: W1(P, Q) is at least ``value`` with probability at least 1 - ``delta``.

    Attributes:
        value: ``estimate - margin``, but not below 0, in the units of the samples.
        estimate: ``mean f(x) - mean f(y)``, an unbiased estimate of ``E f(x) - E f(y) <= W1(P, Q)``. For betting, f is
            clipped, and the means are over the scores that did not choose the range.
        margin: bound of the sampling error of the estimate.
        delta: the probability of error over the samples.
        guarantee: "finite-sample": the probability holds at any size.
        interval: the inequality that gave the margin.
    """

    value: float
    estimate: float
    margin: float
    delta: float
    guarantee: Guarantee
    interval: Interval


@gradual_underflow()
def population_lower(
    x_scores: Samples,
    y_scores: Samples,
    *,
    delta: float = 0.05,
    diameter: PerSide = None,
    sigma: PerSide = None,
    scores_range: tuple[float, float] | None = None,
) -> LowerBound:
    """Compute a lower confidence bound of W1(P, Q) from a 1-Lipschitz function's scores of independent samples.

    ``W1(P, Q) >= E f(x) - E f(y) >= mean f(x) - mean f(y) - margin``, the latter with probability 1 - delta

    The function must have been chosen independently of the samples that it scores, and must be 1-Lipschitz:
    divide a critic's scores by its certified constant. What is known before sampling, not the samples, decides
    between three margins:

    * Both diameters are known: empirical Bernstein, ``sqrt(2 V ln(2/d) / n) + 7 D ln(2/d) / (3 (n - 1))`` for each
      side, V the sample variance, D the diameter, d = delta / 2 (all of delta if the other side is a Dirac, which has
      no error). Chosen over Hoeffding's ``D sqrt(ln(1/d) / (2 n))`` because in high dimension a 1-Lipschitz
      function varies far less than the diameter allows; for fewer than some hundred samples it can be wider.
    * Otherwise, if both sub-Gaussian constants are known: ``sqrt(2 (sigma_x^2 / n + sigma_y^2 / m) ln(1/delta))``.
    * Otherwise the scores are clipped to a range [a, b], see the note above, and each mean is bounded by betting
      (half of delta each, all of it if the other side is a Dirac); see :func:`betting_lower`.

    No margin depends on the variance of the samples alone, as that of Welch's t does: it would be 0 for scores that
    happen to be equal.

    Args:
        x_scores: ``f(x)`` for n independent samples of P, shape (n,) or (n, 1), in the units of the samples.
        y_scores: ``f(y)`` for m samples of Q, likewise.
        delta: the probability of error.
        diameter: of the supports of P and Q in the ground norm: one number for both, or a pair; 0 for a Dirac,
            None where it is not known.
        sigma: sub-Gaussian constants, likewise; see the note at ``Spread``.
        scores_range: a and b, used if neither is known, and chosen independently of these scores, such as the range
            of f on the samples that it was fitted to. If None, a random quarter of the scores gives the range and is
            left out.

    Returns:
        The bound. The margin does not include rounding of the scores themselves.

    Raises:
        ValueError: delta outside (0, 1), NaN, fewer scores than the interval needs (two; one of a Dirac), a range
            of scores that contradicts the diameter, negative diameters or sigmas.
        TypeError: scores that are not a tensor or array.

    Source:
        Maurer, Pontil, "Empirical Bernstein bounds and sample variance penalization", 2009, theorem 4; Boucheron,
        Lugosi, Massart, "Concentration Inequalities", 2013, section 2.3; Bahadur, Savage, "The nonexistence of
        certain statistical procedures in nonparametric problems", 1956 (why f is clipped).
    """
    check_probability(delta, "delta")
    sides = spreads(diameter, sigma)
    scores = _scores(x_scores, "x_scores"), _scores(y_scores, "y_scores")
    for side, values, name in zip(sides, scores, ("x_scores", "y_scores"), strict=True):
        side.check_scores(values, name)
    unit = unit_of(*scores, np.array([known for side in sides for known in (side.diameter, side.sigma) if known]))
    sides = sides[0].scaled(unit), sides[1].scaled(unit)
    scores = scores[0] / unit, scores[1] / unit
    interval: Interval
    if all(side.diameter is not None for side in sides):
        interval, margin = "empirical-bernstein", _empirical_bernstein(sides, scores, delta)
    elif all(side.sigma is not None for side in sides):
        interval, margin = "sub-gaussian", sub_gaussian_margin(sides, (len(scores[0]), len(scores[1])), delta)
    else:
        interval = "betting"
        scaled_range = scores_range and (scores_range[0] / unit, scores_range[1] / unit)
        scores, margin = _betting_margin(sides, scores, delta, scaled_range)
    x_mean, y_mean = mean(scores[0]), mean(scores[1])
    estimate = x_mean - y_mean
    rounding = roundoff(8) * (abs(x_mean) + abs(y_mean) + abs(margin))
    return LowerBound(
        value=max(0.0, (estimate - margin - rounding) * unit - 4 * SMALLEST),
        estimate=estimate * unit,
        margin=margin * unit,
        delta=delta,
        guarantee="finite-sample",
        interval=interval,
    )


def _empirical_bernstein(sides: tuple[Spread, Spread], scores: tuple[FloatArray, FloatArray], delta: float) -> float:
    random = [(side.diameter, values) for side, values in zip(sides, scores, strict=True) if side.diameter]
    margin = 0.0
    for diameter, values in random:
        log = math.log(2 * len(random) / delta)
        _check_two_scores(values)
        margin += math.sqrt(2 * log) * standard_error(values)
        margin += 7 * diameter * log / (3 * (len(values) - 1))
    return margin


def _betting_margin(
    sides: tuple[Spread, Spread],
    scores: tuple[FloatArray, FloatArray],
    delta: float,
    scores_range: tuple[float, float] | None,
) -> tuple[tuple[FloatArray, FloatArray], float]:
    """Clip the scores of both sides, without those that choose the range, and compute the margin by betting."""
    kept = [values[:1] if side.is_dirac else values for side, values in zip(sides, scores, strict=True)]
    for side, values in zip(sides, kept, strict=True):
        if not side.is_dirac:
            _check_two_scores(values)
    if scores_range is None:
        parts = [_split(side, values) for side, values in zip(sides, kept, strict=True)]
        first, kept = np.concatenate([part[0] for part in parts]), [part[1] for part in parts]
        scores_range = float(first.min()), float(first.max())
    low, high = scores_range
    x, y = (np.clip(values, low, high) for values in kept)
    if not low < high:
        return (x, y), 0.0
    random = [
        values
        for side, values in zip(sides, ((x - low) / (high - low), (high - y) / (high - low)), strict=True)
        if not side.is_dirac
    ]
    excess = sum(mean(values) - betting_lower(values, delta / len(random)) for values in random)
    return (x, y), float(high - low) * excess


def _split(side: Spread, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Split scores at random into a quarter and the rest; the single score of a Dirac is returned as both."""
    if side.is_dirac:
        return values, values
    # Samples may be sorted by something that their scores depend on.
    shuffled = values[np.random.default_rng(0).permutation(len(values))]
    size = max(1, len(values) // _PART)
    return shuffled[:size], shuffled[size:]


def _check_two_scores(values: FloatArray) -> None:
    if len(values) < 2:
        raise ValueError(
            f"x_scores and y_scores must each hold at least two scores (one for a Dirac, diameter 0); got {len(values)}"
        )


def _scores(scores: Samples, name: str) -> FloatArray:
    values = as_points(scores, name)
    if values.shape[1] != 1:
        raise ValueError(f"{name} must hold one number for each sample; got shape {tuple(np.shape(scores))}")
    return values[:, 0]


def betting_lower(values: FloatArray, delta: float) -> float:
    """Compute a lower confidence bound of the mean of a distribution on [0, 1], with probability of error ``delta``.

    If the mean is m, the capital ``prod_(i <= t) 1 + s_i (v_i - m)`` of bets with stakes s_i is a martingale that
    starts at 1, and its maximum over t reaches 1/delta with probability at most delta (Ville's inequality). The bound
    is the smallest m for which the capital does not reach 1/delta. The stakes are
    ``min(sqrt(2 ln(1/delta) / (n V_i)), 3 / (4 m))`` with V_i a variance of the values before the i-th. The bound holds
    for any variance and any n.

    Args:
        values: n >= 1 independent draws, shape (n,), in an order that does not depend on them.
        delta: the probability of error.

    Source:
        Waudby-Smith, Ramdas, "Estimating means of bounded random variables by betting", Journal of the Royal
        Statistical Society B 86, 2024, theorem 3 and equation (26), one-sided.
    """
    n, goal = len(values), math.log(1 / delta)
    counts = np.arange(1, n + 1) + 1.0
    means = (0.5 + np.cumsum(values)) / counts
    variances = (0.25 + np.cumsum((values - means) ** 2)) / counts
    stakes = np.sqrt(2 * goal / (n * np.concatenate(([0.25], variances[:-1]))))

    def is_excluded(m: float) -> bool:
        capital = np.cumsum(np.log1p(np.minimum(stakes, _MOST / m) * (values - m)))
        return bool(capital.max() >= goal)

    low, high = 0.0, 1.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if is_excluded(middle) else (low, middle)
    return max(0.0, low - _ROUNDING)
