"""Assumptions about the spread of two distributions, made before any sample is drawn."""

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from wgan_lip.transport.norm import Norm, pairwise
from wgan_lip.transport.rounding import unit_of
from wgan_lip.transport.samples import FloatArray

# One number for both distributions, or a pair for P and Q; None where it is not known.
PerSide: TypeAlias = float | tuple[float | None, float | None] | None
# Bounds that hold at any number of samples are the only ones that are given.
Guarantee: TypeAlias = Literal["finite-sample"]

# The relative excess of a diameter that float32 rounding of the samples may cause.
_POINT_SLACK = 1e-6
# The same of the range of scores, which a network has computed.
_SCORE_SLACK = 1e-5


@dataclass(frozen=True)
class Spread:
    """The known spread of one distribution: assumptions or facts, not estimates from samples.

    Note [the sub-Gaussian constant]
    ``sigma`` is such that ``E exp(t (f - E f)) <= exp(t^2 sigma^2 / 2)`` for every t and every f that is 1-Lipschitz
    in the ground norm. This is equivalent to Talagrand's inequality T1(sigma^2),
    ``W1(R, P)^2 <= 2 sigma^2 KL(R | P)`` for all R (Bobkov, Götze, "Exponential integrability and transportation cost
    related to logarithmic Sobolev inequalities", 1999). For example:

    * A Gaussian with covariance C: ``sigma^2 = sup_u u^T C u`` over ``|u|_* <= 1``, the dual of the ground norm.
      l2: the largest eigenvalue; linf: the largest variance of a coordinate; l1: the largest ``s^T C s`` over signs
      s, for independent coordinates the sum of the variances. (X is C^(1/2) times a standard normal, and f a
      function of that of Lipschitz constant sigma in l2: Boucheron, Lugosi, Massart, "Concentration
      Inequalities", 2013, section 5.4.)
    * The output of a K-Lipschitz generator (l2 to the ground norm) on standard normal noise: ``sigma = K``.
    * A support of diameter D: ``sigma = D / 2``, because f then has range D (Hoeffding's lemma, the same, lemma 2.2).

    Attributes:
        diameter: of the support in the ground norm, in the units of the samples; 0 for a Dirac; None if not known.
        sigma: the sub-Gaussian constant, in the same units, at most half of a known diameter; None if not known.
    """

    diameter: float | None
    sigma: float | None

    @property
    def is_dirac(self) -> bool:
        return self.sigma == 0

    def scaled(self, unit: float) -> "Spread":
        """Return the same spread in other units."""
        diameter, sigma = (None if known is None else known / unit for known in (self.diameter, self.sigma))
        return Spread(diameter, sigma)

    def check_points(self, points: FloatArray, name: str, norm: Norm) -> None:
        """Check the diameter against distances between samples, found by two searches for a farthest point.

        Raises:
            ValueError: two points are further apart than the diameter.
        """
        if self.diameter is None:
            return
        # The farthest point from the first, and the farthest from that: at least half the diameter of the samples.
        unit = unit_of(points)
        points, diameter = points / unit, self.diameter / unit
        far = points[pairwise(points[:1], points, norm).argmax()]
        observed = float(pairwise(far[None], points, norm).max())
        if observed > diameter * (1 + _POINT_SLACK) + _POINT_SLACK * float(np.abs(far).max()):
            raise ValueError(
                f"diameter of the support of {name} must be at least the distance between any two of its samples; "
                f"got diameter={self.diameter:g}, and two samples {observed * unit:g} apart ({norm})"
            )

    def check_scores(self, scores: FloatArray, name: str) -> None:
        """Check that scores are possible for a 1-Lipschitz function on a support of this diameter.

        Raises:
            ValueError: the range of the scores exceeds the diameter.
        """
        if self.diameter is None:
            return
        unit = unit_of(scores)
        scores, diameter = scores / unit, self.diameter / unit
        observed = float(np.ptp(scores))
        if observed > diameter * (1 + _SCORE_SLACK) + _SCORE_SLACK * float(np.abs(scores).max()):
            raise ValueError(
                f"{name} of a 1-Lipschitz function must have a range of at most the diameter of the support; "
                f"got a range of {observed * unit:g} and diameter={self.diameter:g}"
            )


def spreads(diameter: PerSide, sigma: PerSide) -> tuple[Spread, Spread]:
    """Check what is known of P and of Q, and complete it: a diameter bounds sigma, and sigma 0 makes a Dirac.

    Args:
        diameter: of the supports in the ground norm: one number for both, or a pair with None where it is not known.
        sigma: sub-Gaussian constants, likewise (see the note at :class:`Spread`).

    Raises:
        ValueError: negative, NaN or infinite numbers, or a tuple that is not a pair.
    """
    known = []
    for d, s in zip(_pair(diameter, "diameter"), _pair(sigma, "sigma"), strict=True):
        candidates = [value for value in (s, None if d is None else d / 2) if value is not None]
        smallest = min(candidates, default=None)
        known.append(Spread(0.0 if smallest == 0 else d, smallest))
    return known[0], known[1]


def _pair(value: PerSide, name: str) -> tuple[float | None, float | None]:
    pair = value if isinstance(value, tuple) else (value, value)
    if len(pair) != 2:
        raise ValueError(f"{name} must be one number, or a pair for x and y; got {len(pair)}")
    for number in pair:
        if number is not None and not 0 <= number < math.inf:
            raise ValueError(f"{name} must be finite and at least 0, or None if not known; got {name}={value}")
    return pair


def sub_gaussian_margin(sides: tuple[Spread, Spread], sizes: tuple[int, int], delta: float) -> float:
    """Compute the error of ``mean f(x) - mean f(y)``, f fixed and 1-Lipschitz, exceeded with probability delta.

    ``sqrt(2 (sigma_x^2 / n + sigma_y^2 / m) ln(1/delta))``, by Chernoff: the logarithm of its centred moment
    generating function at t is at most ``n (t / n)^2 sigma_x^2 / 2 + m (t / m)^2 sigma_y^2 / 2``.

    Args:
        sides: of P and Q; the margin is infinite unless both sigmas are known.
        sizes: n and m.
        delta: the probability of error.
    """
    sigmas = [side.sigma for side in sides if side.sigma is not None]
    if len(sigmas) < len(sides):
        return math.inf
    # Squares of sigmas may underflow; squares of their ratios to the largest only where they are negligible.
    largest = max(sigmas)
    if largest == 0:
        return 0.0
    variance = sum((sigma / largest) ** 2 / size for sigma, size in zip(sigmas, sizes, strict=True))
    return largest * math.sqrt(2 * variance * math.log(1 / delta))


def delta_of_look(delta: float, look: int) -> float:
    """Compute the probability of error of one of many bounds that shall all hold together but with probability delta.

    ``delta / (k (k + 1))`` for the k-th: these sum to delta over all k >= 1, and together the bounds fail with at most
    the sum of their probabilities (a union bound). It requires nothing of how the bounds depend on each other.

    Args:
        delta: of all bounds together.
        look: k, counted from 1.

    Raises:
        ValueError: delta outside (0, 1), look below 1.
    """
    check_probability(delta, "delta")
    if look < 1:
        raise ValueError(f"look must be at least 1; got look={look}")
    return delta / (look * (look + 1))


def check_probability(value: float, name: str) -> None:
    """Check that a probability lies strictly between 0 and 1.

    Raises:
        ValueError: it does not.
    """
    if not 0 < value < 1:
        raise ValueError(f"{name} must lie strictly between 0 and 1; got {name}={value}")
