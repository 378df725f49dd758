"""Confidence intervals of the population's W1, from samples alone."""

from dataclasses import dataclass, replace
from typing import TypeAlias, get_args

import torch

from wgan_lip.transport.exact import wasserstein1
from wgan_lip.transport.mcshane import Envelope, McShaneExtension, mcshane_extension
from wgan_lip.transport.norm import Norm, check_norm
from wgan_lip.transport.rounding import gradual_underflow
from wgan_lip.transport.samples import FloatArray, Samples, as_pair
from wgan_lip.transport.statistics.assumptions import Guarantee, PerSide, Spread, check_probability, spreads
from wgan_lip.transport.statistics.noise_floor import disjoint_subsets
from wgan_lip.transport.statistics.population_lower import Interval, LowerBound, population_lower
from wgan_lip.transport.statistics.population_upper import UpperBound, population_upper

# The fewest points on each side: half of them fit the critic, half of those choose the extension, and the two that are
# left have a variance.
FEWEST_SAMPLES = 8

Pair: TypeAlias = tuple[FloatArray, FloatArray]


@dataclass(frozen=True)
class PopulationBracket:
    """A confidence interval: ``lower <= W1(P, Q) <= upper`` with probability at least ``confidence``.

    The samples that gave the two bounds may be the same (a union bound). ``lower > upper`` is possible, with
    probability at most 1 - confidence: then the assumptions about P and Q are likely to be wrong.

    Attributes:
        lower_bound: the lower confidence bound, with its estimate and margin.
        upper_bound: the upper confidence bound, with the exact W1 of the samples and its margin.

    Raises:
        ValueError: probabilities of error that sum to 1 or more.
    """

    lower_bound: LowerBound
    upper_bound: UpperBound

    def __post_init__(self) -> None:
        if self.confidence <= 0:
            raise ValueError(
                "delta of lower_bound and upper_bound must sum to less than 1; "
                f"got {self.lower_bound.delta} and {self.upper_bound.delta}"
            )

    @property
    def lower(self) -> float:
        """The lower end, in the units of the samples."""
        return self.lower_bound.value

    @property
    def upper(self) -> float:
        """The upper end; infinity if nothing is known of P or of Q."""
        return self.upper_bound.value

    @property
    def lower_interval(self) -> Interval:
        """The inequality that gave the lower bound's margin."""
        return self.lower_bound.interval

    @property
    def lower_guarantee(self) -> Guarantee:
        """ "finite-sample": the lower bound's probability holds at any size."""
        return self.lower_bound.guarantee

    @property
    def confidence(self) -> float:
        """1 less the sum of the two probabilities of error."""
        return 1 - self.lower_bound.delta - self.upper_bound.delta


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
    """Compute a confidence interval of W1(P, Q) from independent samples of P and Q alone.

    Each bound gets half of the probability of error. Lower: the exact potential of one half of the samples, extended
    to all space by McShane's formula, scores the other half (:func:`split_lower`). The extension is chosen by a split
    of the first half, so that the scored half is held out. A certified critic that was trained on other samples
    usually gives a larger bound. Upper: the exact W1 of all samples (:func:`population_upper`).

    Args:
        x: n independent samples of P, shape (n, ...). Samples of a Dirac are not split.
        y: m of Q, shape (m, ...).
        confidence: probability that the interval contains W1(P, Q).
        diameter: of the supports in the ground norm: one number for both, or a pair; 0 for a Dirac, None where it
            is not known. If neither it nor sigma is known, the upper bound is infinite.
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
    upper = population_upper(w1, len(x), len(y), delta=delta, diameter=diameter, sigma=sigma)
    return PopulationBracket(lower, upper)


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
    """Compute a lower confidence bound of W1(P, Q) from samples alone: some fit a critic, which scores the others.

    Args:
        x: n independent samples of P, shape (n, ...). Samples of a Dirac are not split.
        y: m of Q, shape (m, ...).
        delta: the probability of error.
        diameter: as in :func:`population_bracket`.
        sigma: likewise.
        norm: the ground norm.
        most_fitted: most points of each side that fit the critic; half of the points if None or if that is less. More
            points take more time, and hardly raise the bound.
        generator: draws the split.

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
                f"{name} must hold at least {FEWEST_SAMPLES} samples, or be a Dirac of diameter 0; got {len(samples)}"
            )
    fitted, scored = _parts(points, sides, generator, most_fitted)
    envelope = _choose_envelope(fitted, sides, delta, norm, generator)
    return _score(_critic(fitted, envelope, norm), scored, sides, delta)


def _parts(
    points: Pair, sides: tuple[Spread, Spread], generator: torch.Generator, most: int | None = None
) -> tuple[Pair, Pair]:
    """Split the samples of P and of Q into two: halves, unless that puts more than ``most`` points in the first part.

    For a Dirac both parts are its first point.
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
    return population_lower(
        critic(scored[0]),
        critic(scored[1]),
        delta=delta,
        diameter=(sides[0].diameter, sides[1].diameter),
        sigma=(sides[0].sigma, sides[1].sigma),
    )


def _choose_envelope(
    fitted: Pair, sides: tuple[Spread, Spread], delta: float, norm: Norm, generator: torch.Generator
) -> Envelope:
    """Choose the extension with the largest bound on a split of the fitted samples; the others stay held out."""
    first, second = _parts(fitted, sides, generator)
    critic = _critic(first, "mean", norm)

    def certified(envelope: Envelope) -> float:
        bound = _score(replace(critic, envelope=envelope), second, sides, delta)
        return bound.estimate - bound.margin

    return max(get_args(Envelope), key=certified)
