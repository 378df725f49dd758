"""What is known, before any sample is seen, of how far two distributions spread."""

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from wgan_lip.transport.norm import Norm, pairwise
from wgan_lip.transport.rounding import unit_of
from wgan_lip.transport.samples import FloatArray

# Of both distributions, or of P and of Q; None where it is not known.
PerSide: TypeAlias = float | tuple[float | None, float | None] | None

# What float32 rounding of samples may add to a diameter that was stated exactly, relatively ...
_POINT_SLACK = 1e-6
# ... and of scores, which come out of a network, to their range.
_SCORE_SLACK = 1e-5


@dataclass(frozen=True)
class Spread:
    """What is known of one distribution. Nothing is estimated: these are assumptions or facts.

    Note [the sub-Gaussian constant]
    ``sigma`` is such that ``E exp(t (f - E f)) <= exp(t^2 sigma^2 / 2)`` for every t and every f that is 1-Lipschitz
    in the ground norm. That is Talagrand's inequality T1(sigma^2), ``W1(R, P)^2 <= 2 sigma^2 KL(R | P)`` for all
    R, in other words (Bobkov, Götze, "Exponential integrability and transportation cost related to logarithmic
    Sobolev inequalities", 1999). For example:

    * A Gaussian with covariance C: ``sigma^2 = sup_u u^T C u`` over ``|u|_* <= 1``, the dual of the ground norm.
      l2: the largest eigenvalue; linf: the largest variance of a coordinate; l1: the largest ``s^T C s`` over signs
      s, for independent coordinates the sum of the variances. (X is C^(1/2) times a standard normal, and f a
      function of that of Lipschitz constant sigma in l2: Boucheron, Lugosi, Massart, "Concentration
      Inequalities", 2013, section 5.4.)
    * The output of a K-Lipschitz generator (l2 to the ground norm) on standard normal noise: ``sigma = K``.
    * A support of diameter D: ``sigma = D / 2``, because f then has range D (Hoeffding's lemma, the same, lemma 2.2).

    Attributes:
        diameter: of the support in the ground norm, in the units of the samples; 0 for a Dirac; None if not known.
        sigma: the sub-Gaussian constant, in the same units; where the diameter is known, at most half of it.
    """

    diameter: float | None
    sigma: float | None

    @property
    def is_dirac(self) -> bool:
        return self.sigma == 0

    def scaled(self, unit: float) -> "Spread":
        """The same in other units."""
        diameter, sigma = (None if known is None else known / unit for known in (self.diameter, self.sigma))
        return Spread(diameter, sigma)

    def check_points(self, points: FloatArray, name: str, norm: Norm) -> None:
        """Refuse a diameter that the samples contradict, as far as two sweeps of distances show.

        Raises:
            ValueError: two points further apart than the diameter.
        """
        if self.diameter is None:
            return
        # From any point to the farthest, and from that to its farthest: at least half the samples' diameter.
        unit = unit_of(points)
        points, diameter = points / unit, self.diameter / unit
        far = points[pairwise(points[:1], points, norm).argmax()]
        observed = float(pairwise(far[None], points, norm).max())
        if observed > diameter * (1 + _POINT_SLACK) + _POINT_SLACK * float(np.abs(far).max()):
            raise ValueError(
                f"diameter of the support of {name} must not be smaller than distances between its samples; "
                f"got diameter={self.diameter:g}, and two samples {observed * unit:g} apart ({norm})"
            )

    def check_scores(self, scores: FloatArray, name: str) -> None:
        """Refuse scores that no 1-Lipschitz function can have on a support of this diameter.

        Raises:
            ValueError: their range exceeds the diameter.
        """
        if self.diameter is None:
            return
        unit = unit_of(scores)
        scores, diameter = scores / unit, self.diameter / unit
        observed = float(np.ptp(scores))
        if observed > diameter * (1 + _SCORE_SLACK) + _SCORE_SLACK * float(np.abs(scores).max()):
            raise ValueError(
                f"{name} must have a range of at most the diameter of the support, if f is 1-Lipschitz; "
                f"got a range of {observed * unit:g} and diameter={self.diameter:g}"
            )


def spreads(diameter: PerSide, sigma: PerSide) -> tuple[Spread, Spread]:
    """What is known of P and of Q.

    Args:
        diameter: of the supports in the ground norm: of both, or a pair with None where it is not known.
        sigma: sub-Gaussian constants, likewise (see the note at :class:`Spread`).

    Raises:
        ValueError: negative, NaN or infinite ones, or other than two.
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


def check_probability(value: float, name: str) -> None:
    """Accept what lies strictly between 0 and 1.

    Raises:
        ValueError: anything else.
    """
    if not 0 < value < 1:
        raise ValueError(f"{name} must lie strictly between 0 and 1; got {name}={value}")
