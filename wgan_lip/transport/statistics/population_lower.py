"""Lower confidence bounds of the population's W1, from the scores of a critic on held-out samples."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from wgan_lip.transport.deviation import mean
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
from wgan_lip.transport.statistics.betting import betting_lower

Interval: TypeAlias = Literal["sub-gaussian", "betting"]


@dataclass(frozen=True)
class LowerBound:
    """A lower confidence bound: W1(P, Q) is at least ``value`` with probability at least 1 - ``delta``.

    Attributes:
        value: ``estimate - margin``, but not below 0, in the units of the samples.
        estimate: ``mean f(x) - mean f(y)``, an unbiased estimate of ``E f(x) - E f(y) <= W1(P, Q)``.
        margin: bound of the sampling error of the estimate. For betting, it includes the effect of clipping, which may
            make it negative if scores of P far below the others, or of Q far above, were clipped.
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
) -> LowerBound:
    """Compute a lower confidence bound of W1(P, Q) from a 1-Lipschitz function's scores of independent samples.

    ``W1(P, Q) >= E f(x) - E f(y) >= mean f(x) - mean f(y) - margin``, the latter with probability 1 - delta

    The function must have been chosen independently of the samples that it scores, and must be 1-Lipschitz:
    divide a critic's scores by its certified constant. What is known before sampling, not the samples, decides
    between two margins:

    * Only one or none of the diameters is known, but both sub-Gaussian constants are (a diameter gives one):
      ``sqrt(2 (sigma_x^2 / n + sigma_y^2 / m) ln(1/delta))``.
    * Otherwise betting on pairs of clipped scores, :func:`betting_lower`, which requires no knowledge and adapts to the
      variance: ``2.1 sqrt(var f(x) / n + var f(y) / m)`` for many scores and delta = 0.025. A known diameter is
      checked, and does not change the margin, unless it is 0.

    No margin depends on the variance of the samples alone, as that of Welch's t does: it would be 0 for scores that
    happen to be equal.

    Args:
        x_scores: ``f(x)`` for n independent samples of P, shape (n,) or (n, 1), in the units of the samples.
        y_scores: ``f(y)`` for m samples of Q, likewise.
        delta: the probability of error.
        diameter: of the supports of P and Q in the ground norm: one number for both, or a pair; 0 for a Dirac,
            None where it is not known.
        sigma: sub-Gaussian constants, likewise; see the note at ``Spread``.

    Returns:
        The bound. The margin does not include rounding of the scores themselves.

    Raises:
        ValueError: delta outside (0, 1), NaN, fewer scores than the interval needs (two; one of a Dirac), a range
            of scores that contradicts the diameter, negative diameters or sigmas.
        TypeError: scores that are not a tensor or array.

    Source:
        Waudby-Smith, Ramdas, "Estimating means of bounded random variables by betting", Journal of the Royal
        Statistical Society B 86, 2024; Boucheron, Lugosi, Massart, "Concentration Inequalities", 2013, section 2.3
        (sub-Gaussian); Bahadur, Savage, "The nonexistence of certain statistical procedures in nonparametric
        problems", 1956 (why f is clipped).
    """
    check_probability(delta, "delta")
    sides = spreads(diameter, sigma)
    scores = _scores(x_scores, "x_scores"), _scores(y_scores, "y_scores")
    for side, values, name in zip(sides, scores, ("x_scores", "y_scores"), strict=True):
        side.check_scores(values, name)
    unit = unit_of(*scores, np.array([known for side in sides for known in (side.diameter, side.sigma) if known]))
    sides = sides[0].scaled(unit), sides[1].scaled(unit)
    scores = scores[0] / unit, scores[1] / unit
    x_mean, y_mean = mean(scores[0]), mean(scores[1])
    estimate = x_mean - y_mean
    interval: Interval = "betting"
    if any(side.diameter is None for side in sides) and all(side.sigma is not None for side in sides):
        interval, margin = "sub-gaussian", sub_gaussian_margin(sides, (len(scores[0]), len(scores[1])), delta)
    else:
        margin = _betting_margin(sides, scores, delta, estimate)
    rounding = roundoff(8) * (abs(x_mean) + abs(y_mean) + abs(margin))
    return LowerBound(
        value=max(0.0, (estimate - margin - rounding) * unit - 4 * SMALLEST),
        estimate=estimate * unit,
        margin=margin * unit,
        delta=delta,
        guarantee="finite-sample",
        interval=interval,
    )


def _betting_margin(
    sides: tuple[Spread, Spread], scores: tuple[FloatArray, FloatArray], delta: float, estimate: float
) -> float:
    if all(side.is_dirac for side in sides):
        return 0.0
    for side, values in zip(sides, scores, strict=True):
        if len(values) < 2 and not side.is_dirac:
            raise ValueError(
                "x_scores and y_scores must each hold at least two scores (one for a Dirac, diameter 0); "
                f"got {len(values)}"
            )
    x, y = (values[:1] if side.is_dirac else values for side, values in zip(sides, scores, strict=True))
    return estimate - betting_lower(x, y, delta, (sides[0].is_dirac, sides[1].is_dirac))


def _scores(scores: Samples, name: str) -> FloatArray:
    values = as_points(scores, name)
    if values.shape[1] != 1:
        raise ValueError(f"{name} must hold one number for each sample; got shape {tuple(np.shape(scores))}")
    return values[:, 0]
