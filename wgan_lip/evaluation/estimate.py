"""A critic's estimate of the W1 of two distributions, beside the truth and the exact W1 of samples."""

import math
import time
from dataclasses import dataclass

from torch import Tensor, nn

from wgan_lip.distributions import Pair
from wgan_lip.evaluation.gradients import gradient_figures
from wgan_lip.evaluation.heldout import HeldOut, draw_heldout
from wgan_lip.evaluation.scored_critic import known_diameter, score
from wgan_lip.transport import population_upper, standard_error


@dataclass(frozen=True)
class Estimate:
    """A critic's estimate of W1(P, Q) on held-out samples, n of P and m of Q; a value that is not known is None.

    Two numbers differ in what they prove. ``critic = (mean f(x) - mean f(y)) / L`` is below W1(P, Q) up to sampling
    error (``standard_error``), because L is proven. ``uncertified = mean f(x) - mean f(y)``, the number usually
    reported, is given only for critics whose L is not proven to be 1, such as those with a gradient penalty; it may
    exceed W1(P, Q) and proves nothing.

    Attributes:
        n: number of held-out samples x ~ P.
        m: number of held-out samples y ~ Q.
        critic: the proven estimate; None for a critic without certificate.
        standard_error: of ``critic``, ``sqrt(var f(x) / n + var f(y) / m) / L``.
        uncertified: the estimate without division by L; None if L is 1 up to rounding.
        uncertified_standard_error: its standard error.
        truth: W1 of the distributions.
        truth_standard_error: 0 for a closed form.
        error: ``critic - truth``.
        certified: L, the critic's certified Lipschitz constant.
        exact_n: number of the held-out samples of each side that ``exact`` is computed from.
        exact: exact W1 of these samples.
        exact_standard_error: its standard error over draws of the samples; see ``W1Result.standard_error``.
        gap: ``exact`` minus the proven estimate on the same samples; never negative beyond rounding.
        noise_floor: exact W1 of as many samples of P and other samples of P.
        noise_floor_standard_error: its standard error.
        population_lower: lower confidence bound of W1(P, Q), by the critic; it holds with its confidence for this
            evaluation, but not for all evaluations of a run together.
        population_lower_all: a smaller one: those of all evaluations of a run hold together with that confidence. None
            unless ``look`` says which evaluation this is.
        population_upper: upper confidence bound, by the exact W1; None if the supports' diameter is not known.
        gradient_norm: mean norm of the critic's gradient on P.
        gradient_cosine: mean cosine between it and the gradient of an optimal potential.
        gradient_l2: mean squared distance between them.
        seconds: wall time of the scoring, without drawing samples and solving for their exact W1.
    """

    n: int
    m: int
    critic: float | None
    standard_error: float | None
    uncertified: float | None
    uncertified_standard_error: float | None
    truth: float | None
    truth_standard_error: float | None
    error: float | None
    certified: float | None
    exact_n: int
    exact: float | None
    gap: float | None
    noise_floor: float | None
    population_lower: float | None
    population_upper: float | None
    gradient_norm: float
    gradient_cosine: float | None
    gradient_l2: float | None
    seconds: float
    # Older files of comparisons lack these.
    exact_standard_error: float | None = None
    noise_floor_standard_error: float | None = None
    population_lower_all: float | None = None

    def metrics(self) -> dict[str, float]:
        """Return the known values by the names under which they are logged."""
        return {key: value for name, key in _KEYS.items() if (value := getattr(self, name)) is not None}

    def describe(self) -> str:
        """Return one line: the estimate with its standard error, the truth, the exact W1 and the gradients' cosine."""
        parts = []
        if self.critic is not None:
            parts.append(f"critic ≥ {self.critic:.4f} ± {self.standard_error:.4f}")
        if self.uncertified is not None:
            parts.append(f"uncertified {self.uncertified:.4f} ± {self.uncertified_standard_error:.4f}")
        if self.truth is not None:
            parts.append(f"truth {self.truth:.4f}" + (f" ± {se:.4f}" if (se := self.truth_standard_error) else ""))
        if self.exact is not None:
            error = "" if (se := self.exact_standard_error) is None else f" ± {se:.4f}"
            parts.append(f"W1 of {self.exact_n} samples {self.exact:.4f}{error}")
        if self.gradient_cosine is not None:
            parts.append(f"cosine {self.gradient_cosine:.3f}")
        return ", ".join(parts)

    def brief(self) -> str:
        """Return the estimate and the truth, or the exact W1 of samples if the truth is not known."""
        value = self.uncertified if self.critic is None else self.critic
        reference = self.exact if self.truth is None else self.truth
        name = "exact" if self.truth is None else "truth"
        return f"critic {value:.4f}" + (f" {name} {reference:.4f}" if reference is not None else "")


# Attributes by the names under which they are logged.
_KEYS = {
    "critic": "w1/critic",
    "standard_error": "w1/standard_error",
    "uncertified": "w1/uncertified",
    "uncertified_standard_error": "w1/uncertified_standard_error",
    "truth": "w1/truth",
    "truth_standard_error": "w1/truth_standard_error",
    "error": "w1/error",
    "exact": "w1/exact",
    "exact_standard_error": "w1/exact_standard_error",
    "gap": "w1/gap",
    "noise_floor": "w1/noise_floor",
    "noise_floor_standard_error": "w1/noise_floor_standard_error",
    "population_lower": "w1/population_lower",
    "population_lower_all": "w1/population_lower_all",
    "population_upper": "w1/population_upper",
    "seconds": "w1/seconds",
    "certified": "lipschitz/certified",
    "gradient_norm": "gradient/norm",
    "gradient_cosine": "gradient/cosine",
    "gradient_l2": "gradient/l2",
}


def evaluate_estimator(
    critic: nn.Module, pair: Pair, n: int = 16_384, exact_n: int = 1024, seed: int = 0, confidence: float = 0.95
) -> Estimate:
    """Score a critic on held-out samples of a pair.

    Args:
        critic: maps ``(n, *shape)`` to ``(n, 1)`` or ``(n,)``; on any device, in any precision.
        pair: the distributions.
        n: held-out samples of each.
        exact_n: number of them whose exact W1 is computed; 0 computes none.
        seed: of the held-out samples.
        confidence: of the population bracket.

    Raises:
        ValueError: as ``draw_heldout`` and ``score_heldout`` do.
    """
    return score_heldout(critic, draw_heldout(pair, n, exact_n, seed), confidence)


def score_heldout(critic: nn.Module, heldout: HeldOut, confidence: float = 0.95, look: int | None = None) -> Estimate:
    """Score a critic on samples that were drawn before, which is cheaper for many critics of one pair.

    The critic is certified and scored in float64 (``ScoredCritic``).

    Args:
        critic: maps ``(n, *shape)`` to ``(n, 1)`` or ``(n,)``; any network that can be copied. A critic that
            ``certify`` cannot bound has an uncertified estimate only.
        heldout: the samples; the critic must not have been trained on them.
        confidence: of the population bracket.
        look: k, if this is the k-th of a run's evaluations, counted from 1; None if it is the only one.

    Raises:
        BrokenBoundError: the estimate exceeds the exact W1 of the same samples by more than rounding.
        ValueError: values with NaN or infinity, not one value per sample, a critic certified in another norm, or a look
            below 1.
    """
    start = time.perf_counter()
    pair, truth, exact, floor = heldout.pair, heldout.truth, heldout.exact, heldout.noise_floor
    scored = score(critic, heldout.x, heldout.y, pair.norm)
    estimate, uncertified, gap = scored.estimate(), scored.uncertified(), None
    if exact is not None and (same := scored.estimate(heldout.exact_n)) is not None:
        scored.check_below(exact.upper, heldout.exact_n)
        gap = exact.value - same
    delta = (1 - confidence) / 2
    diameters = (
        known_diameter(heldout.x, pair.bounds, pair.norm, "real"),
        known_diameter(heldout.y, pair.bounds, pair.norm, "fake"),
    )
    lower, lower_all = scored.population_lower(delta, diameters, look)
    upper = math.inf
    if exact is not None:
        upper = population_upper(exact.upper, heldout.exact_n, heldout.exact_n, delta=delta, diameter=diameters).value
    figures = gradient_figures(scored.network, heldout.gradient_x.double(), heldout.gradient)
    return Estimate(
        n=len(heldout.x),
        m=len(heldout.y),
        critic=estimate,
        standard_error=None if scored.normalized is None else _standard_error(*scored.normalized),
        uncertified=uncertified,
        uncertified_standard_error=None if uncertified is None else _standard_error(scored.real, scored.fake),
        truth=truth.value if truth else None,
        truth_standard_error=truth.standard_error if truth else None,
        error=estimate - truth.value if truth and estimate is not None else None,
        certified=scored.constant,
        exact_n=heldout.exact_n,
        exact=exact.value if exact else None,
        exact_standard_error=exact.standard_error if exact else None,
        gap=gap,
        noise_floor=floor.value if floor else None,
        noise_floor_standard_error=floor.standard_error if floor else None,
        population_lower=lower,
        population_lower_all=lower_all,
        population_upper=upper if math.isfinite(upper) else None,
        gradient_norm=figures.norm,
        gradient_cosine=figures.cosine,
        gradient_l2=figures.l2,
        seconds=time.perf_counter() - start,
    )


def _standard_error(x: Tensor, y: Tensor) -> float:
    """Return the standard error of ``mean x - mean y``."""
    return math.hypot(standard_error(x.numpy()), standard_error(y.numpy()))
