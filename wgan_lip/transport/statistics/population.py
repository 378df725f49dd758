"""The population's W1 between two confidence bounds, from samples alone."""

from dataclasses import dataclass, replace
from typing import TypeAlias, get_args

import numpy as np
import torch

from wgan_lip.transport.exact import wasserstein1
from wgan_lip.transport.mcshane import Envelope, McShaneExtension, mcshane_extension
from wgan_lip.transport.norm import Norm, check_norm
from wgan_lip.transport.rounding import gradual_underflow
from wgan_lip.transport.samples import FloatArray, Samples, as_pair
from wgan_lip.transport.statistics.assumptions import PerSide, Spread, check_probability, spreads
from wgan_lip.transport.statistics.noise_floor import disjoint_subsets
from wgan_lip.transport.statistics.population_lower import Guarantee, Interval, LowerBound, population_lower
from wgan_lip.transport.statistics.population_upper import UpperBound, population_upper

# Points of either side, at least. Half of them fit, and half of those choose the extension: two of each are left to
# show a variance.
FEWEST_SAMPLES = 8

Pair: TypeAlias = tuple[FloatArray, FloatArray]


@dataclass(frozen=True)
class PopulationBracket:
    """``lower <= W1(P, Q) <= upper`` with probability at least ``confidence`` over the samples.

    ``lower > upper`` is possible, with probability at most 1 - confidence: if it happens, look again at what was
    assumed of P and Q.

    Attributes:
        lower: lower confidence bound, in the units of the samples.
        upper: upper confidence bound; infinity where nothing is known of P or of Q.
        confidence: 1 less the sum of the two probabilities of error.
        lower_guarantee: "finite-sample": its confidence holds at any size.
        upper_guarantee: "finite-sample", or None where there is no upper bound.
        lower_interval: which inequality gave the lower bound's margin.
        lower_estimate: ``mean f(x) - mean f(y)`` of the critic that gave the lower bound.
        w1: exact W1 of the samples, which the upper bound starts from.
    """

    lower: float
    upper: float
    confidence: float
    lower_guarantee: Guarantee
    upper_guarantee: Guarantee | None
    lower_interval: Interval
    lower_estimate: float
    w1: float

    @classmethod
    def of(cls, lower: LowerBound, upper: UpperBound) -> "PopulationBracket":
        """Join two bounds; the samples that gave them may be the same (a union bound).

        Raises:
            ValueError: probabilities of error that sum to 1 or more.
        """
        confidence = 1 - lower.delta - upper.delta
        if confidence <= 0:
            raise ValueError(f"delta of lower and upper must sum to less than 1; got {lower.delta} and {upper.delta}")
        return cls(
            lower=lower.value,
            upper=upper.value,
            confidence=confidence,
            lower_guarantee=lower.guarantee,
            upper_guarantee=upper.guarantee,
            lower_interval=lower.interval,
            lower_estimate=lower.estimate,
            w1=upper.w1,
        )


@gradual_underflow()
def population_bracket(
    x: Samples,
    y: Samples,
    *,
    confidence: float = 0.95,
    diameter: PerSide = None,
    sigma: PerSide = None,
    norm: Norm = "l2",
    generator: torch.Generator,
) -> PopulationBracket:
    """Bracket W1(P, Q) at a confidence, from independent samples of P and Q and nothing else.

    Each bound gets half of the probability of error. Lower: the exact potential of one half of the samples, extended
    to all space by McShane's formula, scores the other half (:func:`split_lower`). Which of its extensions is taken,
    a split of the first half decides, so that the scored half stays unseen. A certified critic that was trained on
    other samples usually scores more. Upper: exact W1 of all samples (:func:`population_upper`).

    Args:
        x: n independent samples of P, shape (n, ...). Samples of a Dirac are not split.
        y: m of Q, shape (m, ...).
        confidence: probability that the bracket holds W1(P, Q).
        diameter: of the supports in the ground norm: one number for both, or a pair; 0 for a Dirac, None where it
            is not known. Without it, or sigma, the upper bound is infinite.
        sigma: sub-Gaussian constants, likewise; see the note at ``Spread``.
        norm: the ground norm.
        generator: draws the halves.

    Raises:
        ValueError: confidence outside (0, 1), samples further apart than the diameter, fewer than eight samples
            (one of a Dirac), bad samples, negative diameters or sigmas.
        UnprovenError: as :func:`wasserstein1`.

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> x, y = torch.rand(2, 1000, 2, generator=generator)  # two samples of the unit square, of diameter sqrt(2)
        >>> bracket = population_bracket(x, y + 0.5, diameter=2**0.5, generator=generator)  # W1 is sqrt(0.5) = 0.707...
        >>> bracket.lower <= 0.5**0.5 <= bracket.upper
        True
    """
    check_probability(confidence, "confidence")
    delta = (1 - confidence) / 2
    lower = split_lower(x, y, delta=delta, diameter=diameter, sigma=sigma, norm=norm, generator=generator)
    w1 = wasserstein1(x, y, norm=norm).upper
    return PopulationBracket.of(
        lower, population_upper(w1, len(x), len(y), delta=delta, diameter=diameter, sigma=sigma)
    )


@gradual_underflow()
def split_lower(
    x: Samples,
    y: Samples,
    *,
    delta: float = 0.05,
    diameter: PerSide = None,
    sigma: PerSide = None,
    norm: Norm = "l2",
    most_fitted: int | None = None,
    generator: torch.Generator,
) -> LowerBound:
    """A lower confidence bound of W1(P, Q) from samples alone: some of them fit a critic, the others are its scores.

    Args:
        x: n independent samples of P, shape (n, ...). Samples of a Dirac are not split.
        y: m of Q, shape (m, ...).
        delta: the probability of error.
        diameter: as in :func:`population_bracket`.
        sigma: likewise.
        norm: the ground norm.
        most_fitted: points of either side to fit, if that is less than half of them: the time of the fit
            and of the scores grows with them, what they certify hardly does.
        generator: draws the parts.

    Raises:
        ValueError, UnprovenError: as :func:`population_bracket`.
    """
    check_norm(norm)
    check_probability(delta, "delta")
    if most_fitted is not None and most_fitted < FEWEST_SAMPLES // 2:
        raise ValueError(f"most_fitted must be at least {FEWEST_SAMPLES // 2}; got most_fitted={most_fitted}")
    points = as_pair(x, y)
    sides = spreads(diameter, sigma)
    for side, samples, name in zip(sides, points, ("x", "y"), strict=True):
        side.check_points(samples, name, norm)
        if len(samples) < FEWEST_SAMPLES and not side.is_dirac:
            raise ValueError(
                f"{name} must hold at least {FEWEST_SAMPLES} samples, or be a Dirac with diameter 0; got {len(samples)}"
            )
    fitted, scored = _parts(points, sides, generator, most_fitted)
    envelope = _choose_envelope(fitted, sides, delta, norm, generator)
    return _score(_critic(fitted, envelope, norm), scored, sides, delta)


def _parts(
    points: Pair, sides: tuple[Spread, Spread], generator: torch.Generator, most: int | None = None
) -> tuple[Pair, Pair]:
    """Two independent samples out of one, of P and of Q: halves, unless the first would have more points than wanted.

    One point of a Dirac is all of it.
    """
    first, second = [], []
    for samples, side in zip(points, sides, strict=True):
        n = len(samples)
        size = n // 2 if most is None else min(n // 2, most)
        parts = (samples[:1],) * 2 if side.is_dirac else disjoint_subsets(samples, (size, n - size), generator)
        first.append(parts[0])
        second.append(parts[1])
    return (first[0], first[1]), (second[0], second[1])


def _critic(fitted: Pair, envelope: Envelope, norm: Norm) -> McShaneExtension:
    solution = wasserstein1(fitted[0], fitted[1], norm=norm)
    return mcshane_extension(fitted[0], fitted[1], solution, norm=norm, envelope=envelope)


def _score(critic: McShaneExtension, scored: Pair, sides: tuple[Spread, Spread], delta: float) -> LowerBound:
    # Of f on the fitted samples, which the scored ones had no part in.
    fitted = np.concatenate((critic.x_potential, -critic.y_potential))
    return population_lower(
        critic(scored[0]),
        critic(scored[1]),
        delta=delta,
        scores_range=(float(fitted.min()), float(fitted.max())),
        diameter=(sides[0].diameter, sides[1].diameter),
        sigma=(sides[0].sigma, sides[1].sigma),
    )


def _choose_envelope(
    fitted: Pair, sides: tuple[Spread, Spread], delta: float, norm: Norm, generator: torch.Generator
) -> Envelope:
    """The extension that certifies most within the half to be fitted, so that the other half stays unseen."""
    first, second = _parts(fitted, sides, generator)
    critic = _critic(first, "mean", norm)

    def certified(envelope: Envelope) -> float:
        bound = _score(replace(critic, envelope=envelope), second, sides, delta)
        return bound.estimate - bound.margin

    return max(get_args(Envelope), key=certified)
