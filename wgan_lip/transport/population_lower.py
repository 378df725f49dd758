"""A lower confidence bound of the population's W1, from a critic's scores of samples it has never seen."""

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from scipy.special import stdtrit

from wgan_lip.transport.assumptions import PerSide, Spread, check_probability, spreads
from wgan_lip.transport.rounding import roundoff
from wgan_lip.transport.samples import FloatArray, Samples, as_points

Guarantee: TypeAlias = Literal["finite-sample", "asymptotic"]
Interval: TypeAlias = Literal["empirical-bernstein", "sub-gaussian", "welch"]


@dataclass(frozen=True)
class LowerBound:
    """W1(P, Q) is at least ``value`` with probability at least 1 - ``delta`` over the samples.

    Attributes:
        value: ``estimate - margin``, but not below 0, in the units of the samples.
        estimate: ``mean f(x) - mean f(y)``: without bias for ``E f(x) - E f(y) <= W1(P, Q)``.
        margin: what sampling may have added.
        delta: the probability of error.
        guarantee: whether that probability holds at these sizes, or only in the limit of large ones.
        interval: which inequality gave the margin.
    """

    value: float
    estimate: float
    margin: float
    delta: float
    guarantee: Guarantee
    interval: Interval


def population_lower(
    x_scores: Samples, y_scores: Samples, *, delta: float = 0.05, diameter: PerSide = None, sigma: PerSide = None
) -> LowerBound:
    """A lower confidence bound of W1(P, Q) from scores of independent samples by a 1-Lipschitz function.

    ``W1(P, Q) >= E f(x) - E f(y) >= mean f(x) - mean f(y) - margin``, the latter with probability 1 - delta

    The function must have been chosen without a look at the samples that it scores, and must be 1-Lipschitz:
    divide a critic's scores by its certified constant. What is known beforehand, and nothing that the samples
    show, decides between three margins:

    * Both diameters: empirical Bernstein, ``sqrt(2 V ln(2/d) / n) + 7 D ln(2/d) / (3 (n - 1))`` for each side, V the
      sample variance, D the diameter, d = delta / 2 (all of delta if the other side is a Dirac, which costs
      nothing). Chosen over Hoeffding's ``D sqrt(ln(1/d) / (2 n))`` because in high dimension a 1-Lipschitz
      function varies far less than the diameter allows; for fewer than some hundred samples it can be wider.
    * Otherwise, both sub-Gaussian constants: ``sqrt(2 (sigma_x^2 / n + sigma_y^2 / m) ln(1/delta))``.
    * Otherwise Welch's t for the difference of two means, which holds only asymptotically.

    Args:
        x_scores: ``f(x)`` for n independent samples of P, shape (n,) or (n, 1), in the units of the samples.
        y_scores: ``f(y)`` for m samples of Q, likewise.
        delta: the probability of error.
        diameter: of the supports of P and Q in the ground norm: one number for both, or a pair; 0 for a Dirac,
            None where it is not known.
        sigma: sub-Gaussian constants, likewise; see the note at ``Spread``.

    Returns:
        The bound. Rounding of the scores themselves is the critic's affair, and is not in the margin.

    Raises:
        ValueError: delta outside (0, 1), NaN, fewer scores than the interval needs (two; one of a Dirac), a range
            of scores that contradicts the diameter, negative diameters or sigmas.
        TypeError: scores that are no tensor or array.

    Source:
        Maurer, Pontil, "Empirical Bernstein bounds and sample variance penalization", 2009, theorem 4; Boucheron,
        Lugosi, Massart, "Concentration Inequalities", 2013, section 2.3; Welch, "The generalization of 'Student's'
        problem when several different population variances are involved", 1947.
    """
    check_probability(delta, "delta")
    sides = spreads(diameter, sigma)
    scores = _scores(x_scores, "x_scores"), _scores(y_scores, "y_scores")
    for side, values, name in zip(sides, scores, ("x_scores", "y_scores"), strict=True):
        side.check_scores(values, name)
    guarantee: Guarantee = "finite-sample"
    interval: Interval
    if all(side.diameter is not None for side in sides):
        interval, margin = "empirical-bernstein", _empirical_bernstein(sides, scores, delta)
    elif all(side.sigma is not None for side in sides):
        interval, margin = "sub-gaussian", sub_gaussian_margin(sides, (len(scores[0]), len(scores[1])), delta)
    else:
        interval, margin = "welch", _welch(sides, scores, delta)
        guarantee = "asymptotic"
    x_mean, y_mean = (math.fsum(values) / len(values) for values in scores)
    estimate = x_mean - y_mean
    rounding = roundoff(8) * (abs(x_mean) + abs(y_mean) + abs(margin))
    return LowerBound(
        value=max(0.0, estimate - margin - rounding),
        estimate=estimate,
        margin=margin,
        delta=delta,
        guarantee=guarantee,
        interval=interval,
    )


def sub_gaussian_margin(sides: tuple[Spread, Spread], sizes: tuple[int, int], delta: float) -> float:
    """What a difference of means ``mean f(x) - mean f(y)`` of a fixed 1-Lipschitz f exceeds with probability delta.

    ``sqrt(2 (sigma_x^2 / n + sigma_y^2 / m) ln(1/delta))``, by Chernoff: the logarithm of its centred moment
    generating function at t is at most ``n (t / n)^2 sigma_x^2 / 2 + m (t / m)^2 sigma_y^2 / 2``.

    Args:
        sides: both with sigma known; otherwise the margin is infinite.
        sizes: n and m.
        delta: the probability of error.
    """
    variance = 0.0
    for side, size in zip(sides, sizes, strict=True):
        if side.sigma is None:
            return math.inf
        variance += side.sigma**2 / size
    return math.sqrt(2 * variance * math.log(1 / delta))


def _empirical_bernstein(sides: tuple[Spread, Spread], scores: tuple[FloatArray, FloatArray], delta: float) -> float:
    random = [(side.diameter, values) for side, values in zip(sides, scores, strict=True) if side.diameter]
    margin = 0.0
    for diameter, values in random:
        log = math.log(2 * len(random) / delta)
        margin += math.sqrt(2 * _variance_of_mean(values) * log)
        margin += 7 * diameter * log / (3 * (len(values) - 1))
    return margin


def _welch(sides: tuple[Spread, Spread], scores: tuple[FloatArray, FloatArray], delta: float) -> float:
    random = [values for side, values in zip(sides, scores, strict=True) if not side.is_dirac]
    variances = [_variance_of_mean(values) for values in random]
    total = sum(variances)
    if total == 0:
        return 0.0
    shares = [variance / total for variance in variances]
    freedom = 1 / sum(share**2 / (len(values) - 1) for share, values in zip(shares, random, strict=True))
    return float(stdtrit(freedom, 1 - delta)) * math.sqrt(total)


def _variance_of_mean(scores: FloatArray) -> float:
    n = len(scores)
    if n < 2:
        raise ValueError(
            "x_scores and y_scores must hold at least two scores each (one of a Dirac, diameter 0) "
            f"for their variance to be known; got {n}"
        )
    return float(scores.var(ddof=1)) / n


def _scores(scores: Samples, name: str) -> FloatArray:
    values = as_points(scores, name)
    if values.shape[1] != 1:
        raise ValueError(f"{name} must be one number for each sample; got shape {tuple(np.shape(scores))}")
    return values[:, 0]
