"""What a trained critic says of the W1 between two distributions: proven or not, against truth and exact samples."""

import math
import time
from dataclasses import dataclass

from torch import Tensor, nn

from wgan_lip.distributions import Pair
from wgan_lip.evaluation.gradients import gradient_figures
from wgan_lip.evaluation.heldout import HeldOut, draw_heldout
from wgan_lip.evaluation.scored import (
    certificate_of,
    check_bound,
    check_finite_values,
    check_norm_of,
    is_about_one,
    known_diameter,
    rounding,
    score,
    slope,
)
from wgan_lip.lipschitz import LipschitzCertificate
from wgan_lip.lipschitz.certificate.rounding import Magnitudes
from wgan_lip.lipschitz.evaluating import float64_copy
from wgan_lip.transport import population_lower, population_upper
from wgan_lip.transport.deviation import standard_error


@dataclass(frozen=True)
class Estimate:
    """A critic's estimate of W1(P, Q) on held-out samples, n of P and m of Q; what is not known is None.

    Two numbers must not be mistaken for each other. ``critic = (mean f(x) - mean f(y)) / L`` is, but for sampling error
    (``standard_error``), below W1(P, Q): L is proven. ``uncertified = mean f(x) - mean f(y)`` is there only for
    critics whose constant is not proven to be about 1, such as those with a gradient penalty; it may exceed W1(P, Q)
    and proves nothing. It is what is usually reported of such critics.

    Attributes:
        n: held-out samples x ~ P.
        m: held-out samples y ~ Q.
        critic: the proven estimate; None if nothing is proven of the critic.
        standard_error: of ``critic``, ``sqrt(var f(x) / n + var f(y) / m) / L``.
        uncertified: the estimate without its division by L; None where L is about 1, and it is ``critic``.
        uncertified_standard_error: likewise.
        truth: W1 of the distributions.
        truth_standard_error: 0 for a closed form.
        error: ``critic - truth``.
        certified: L, the critic's certified Lipschitz constant.
        exact_n: how many of the held-out samples ``exact`` is about.
        exact: W1 of these samples, exactly.
        exact_standard_error: by how much it changes with the draw of the samples; see ``W1Result.standard_error``.
        gap: ``exact`` less the proven estimate on the very same samples; never negative beyond rounding.
        noise_floor: exact W1 of as many samples of P against others of P.
        noise_floor_standard_error: likewise.
        population_lower: lower confidence bound of W1(P, Q), by the critic.
        population_upper: upper one, by the exact W1; None where the supports' diameter is not known.
        gradient_norm: mean norm of the critic's gradient on P.
        gradient_cosine: mean cosine between it and that of an optimal potential.
        gradient_l2: mean squared distance between them.
        seconds: wall time of this scoring; not that of drawing samples and solving for their exact W1.
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
    # Comparisons that were begun before these were known lack them.
    exact_standard_error: float | None = None
    noise_floor_standard_error: float | None = None

    def metrics(self) -> dict[str, float]:
        """The known values by the names under which they are logged."""
        return {key: value for name, key in _KEYS.items() if (value := getattr(self, name)) is not None}

    def describe(self) -> str:
        """One line: the estimate with its standard error, the truth, the exact W1 and the gradients' cosine."""
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
        """The estimate against the truth, or else against the exact W1 of samples."""
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
        exact_n: the exact W1 is that of so many of them; 0 leaves it out.
        seed: what they are drawn from.
        confidence: of the population bracket.

    Raises:
        ValueError: as ``draw_heldout`` and ``score_heldout`` do.
    """
    return score_heldout(critic, draw_heldout(pair, n, exact_n, seed), confidence)


def score_heldout(critic: nn.Module, heldout: HeldOut, confidence: float = 0.95) -> Estimate:
    """Score a critic on samples that were drawn before: cheaper where there are many critics of one pair.

    The critic is copied to float64 on the CPU, certified there and scored there.

    Args:
        critic: maps ``(n, *shape)`` to ``(n, 1)`` or ``(n,)``; any network that can be copied. One that
            ``certify`` cannot bound has an uncertified estimate only.
        heldout: the samples; the critic must not have been trained on them.
        confidence: of the population bracket.

    Raises:
        BrokenBoundError: the estimate exceeds the exact W1 of the same samples by more than rounding.
        ValueError: values with NaN or infinity, not one value a sample, or a critic certified in another norm.
    """
    start = time.perf_counter()
    critic64 = float64_copy(critic, "critic")
    x, sizes_x = score(critic64, heldout.x)
    y, sizes_y = score(critic64, heldout.y)
    check_finite_values(x, y)
    raw, raw_error = _mean_difference(x, y)
    certificate = certificate_of(critic64)
    proven = _proven(x, y, certificate, sizes_x.joined(sizes_y), heldout, confidence) if certificate else None
    truth, value = heldout.truth, None if proven is None else proven.critic
    figures = gradient_figures(critic64, heldout.gradient_x.double(), heldout.gradient)
    is_unproven = not is_about_one(certificate)
    return Estimate(
        n=len(x),
        m=len(y),
        critic=value,
        standard_error=proven.standard_error if proven else None,
        uncertified=raw if is_unproven else None,
        uncertified_standard_error=raw_error if is_unproven else None,
        truth=truth.value if truth else None,
        truth_standard_error=truth.standard_error if truth else None,
        error=value - truth.value if truth and value is not None else None,
        certified=certificate.bound if certificate else None,
        exact_n=heldout.exact_n,
        exact=heldout.exact.value if heldout.exact else None,
        exact_standard_error=heldout.exact.standard_error if heldout.exact else None,
        gap=proven.gap if proven else None,
        noise_floor=heldout.noise_floor.value if heldout.noise_floor else None,
        noise_floor_standard_error=heldout.noise_floor.standard_error if heldout.noise_floor else None,
        population_lower=proven.lower if proven else None,
        population_upper=_upper(heldout, confidence),
        gradient_norm=figures.norm,
        gradient_cosine=figures.cosine,
        gradient_l2=figures.l2,
        seconds=time.perf_counter() - start,
    )


@dataclass(frozen=True)
class _Proven:
    """What a certificate makes of a critic's values."""

    critic: float
    standard_error: float
    gap: float | None
    lower: float


def _proven(
    x: Tensor, y: Tensor, certificate: LipschitzCertificate, magnitudes: Magnitudes, heldout: HeldOut, confidence: float
) -> _Proven:
    check_norm_of(certificate, heldout.pair.norm)
    tolerance = rounding(certificate, magnitudes, max(len(x), len(y)))
    x, y = x * slope(certificate), y * slope(certificate)
    estimate, error = _mean_difference(x, y)
    gap = None
    if heldout.exact is not None:
        exact, same = heldout.exact, float(x[: heldout.exact_n].mean() - y[: heldout.exact_n].mean())
        check_bound(exact.value, same, certificate, tolerance + (exact.upper - exact.lower))
        gap = exact.value - same
    lower = population_lower(x, y, delta=(1 - confidence) / 2, diameter=_diameters(heldout))
    return _Proven(estimate, error, gap, max(0.0, lower.value - tolerance))


def _upper(heldout: HeldOut, confidence: float) -> float | None:
    if heldout.exact is None:
        return None
    n, delta = heldout.exact_n, (1 - confidence) / 2
    upper = population_upper(heldout.exact.upper, n, n, delta=delta, diameter=_diameters(heldout)).value
    return upper if math.isfinite(upper) else None


def _diameters(heldout: HeldOut) -> tuple[float | None, float | None]:
    pair = heldout.pair
    return (
        known_diameter(heldout.x, pair.bounds, pair.norm, "real"),
        known_diameter(heldout.y, pair.bounds, pair.norm, "fake"),
    )


def _mean_difference(x: Tensor, y: Tensor) -> tuple[float, float]:
    """``mean x - mean y`` and its standard error."""
    return float(x.mean() - y.mean()), math.hypot(standard_error(x.numpy()), standard_error(y.numpy()))
