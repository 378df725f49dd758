"""A critic's estimate set against the exact Wasserstein-1 distance of the same samples."""

import math
import time
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

from wgan_lip.lipschitz import certify
from wgan_lip.training.scores import (
    BrokenBoundError,
    check_bound,
    check_norm_of,
    float64_copy,
    known_diameter,
    rounding,
    score,
    slope,
)
from wgan_lip.transport import (
    McShaneExtension,
    Norm,
    mcshane_extension,
    population_lower,
    population_upper,
    wasserstein1,
)
from wgan_lip.transport.samples import FloatArray

__all__ = ["BrokenBoundError", "Evaluation", "evaluate"]


@dataclass(frozen=True)
class Evaluation:
    """One comparison of the critic's estimate with the truth, on the same samples.

    Attributes:
        exact: W1 of n held-out real and n generated samples, exactly.
        critic: ``(mean f(real) - mean f(fake)) / L`` on them: a proven lower bound of ``exact``.
        gap: ``exact - critic``, never negative beyond rounding.
        gap_relative: ``gap / exact``.
        noise_floor: exact W1 of the same held-out samples and n real samples of the training split:
            what a perfect generator would score at this n.
        population_lower: lower confidence bound of the W1 of the *distributions*, by the critic.
        population_upper: upper confidence bound of it; infinite where the supports' diameter is not known.
        certified: L, the critic's certified Lipschitz constant.
        seconds: wall time of the evaluation.
    """

    exact: float
    critic: float
    gap: float
    gap_relative: float
    noise_floor: float
    population_lower: float
    population_upper: float
    certified: float
    seconds: float

    def metrics(self) -> dict[str, float]:
        """The values by the names under which they are logged; without an upper bound that is not known."""
        values = {name: value for name, value in asdict(self).items() if math.isfinite(value)}
        certified = values.pop("certified")
        return {**{f"w1/{name}": value for name, value in values.items()}, "lipschitz/certified": certified}

    def describe(self) -> str:
        """One line: the exact W1 with its noise floor, the critic's bound and their relative gap."""
        return (
            f"W1 exact {self.exact:.3f} (noise floor {self.noise_floor:.3f}), "
            f"critic ≥ {self.critic:.3f}, gap {self.gap_relative:.0%}"
        )

    def brief(self) -> str:
        """The same, short enough for a progress bar on a terminal of eighty columns."""
        return f"W1 {self.exact:.3f} floor {self.noise_floor:.3f} critic {self.critic:.3f}"


def evaluate(
    critic: nn.Module,
    real: Tensor,
    fake: Tensor,
    other_real: Tensor,
    *,
    norm: Norm | None = None,
    bounds: tuple[float, float] | None = None,
    fake_bounds: tuple[float, float] | None = None,
    confidence: float = 0.95,
    previous: McShaneExtension | None = None,
) -> tuple[Evaluation, McShaneExtension]:
    """Set a critic's estimate against the exact W1 of the same samples.

    The critic is copied to float64 on the CPU, certified there and scored there, so that the
    estimate bounds the exact value up to rounding of order 1e-13, whatever precision it trains in.
    W1 is taken in the norm in which the critic is certified.

    Args:
        critic: maps ``(n, *shape)`` to ``(n, 1)`` or ``(n,)``; any network that ``certify`` can bound.
        real: shape (n, *shape); independent of what the critic was trained on.
        fake: shape (n, *shape); likewise.
        other_real: real samples disjoint from ``real``, shape (n, *shape).
        norm: the ground norm that is wanted; the certificate's if None.
        bounds: between which every coordinate of every real sample lies by its nature, not as these samples show;
            for the population bracket.
        fake_bounds: likewise of generated samples, whatever the weights of the generator.
        confidence: of the population bracket.
        previous: the exact critic of an earlier evaluation, from whose potentials the solver may start.

    Returns:
        The comparison, and the exact critic of these samples.

    Raises:
        BrokenBoundError: the estimate exceeds the exact value by more than rounding.
        ValueError: samples or weights with NaN or infinity, a critic that cannot be certified, or one that is
            certified in another norm.
    """
    start = time.perf_counter()
    critic64 = float64_copy(critic)
    certificate = certify(critic64)
    check_norm_of(certificate, norm)
    values, largest = score(critic64, torch.cat((real, fake)))
    real_scores, fake_scores = (values * slope(certificate)).split((len(real), len(fake)))
    estimate = float(real_scores.mean() - fake_scores.mean())

    potentials = _nearest_potentials((real_scores.numpy(), fake_scores.numpy()), previous, real, fake)
    exact = wasserstein1(real, fake, norm=certificate.norm, initial_potentials=potentials)
    noise_floor = wasserstein1(real, other_real, norm=certificate.norm).value
    gap = exact.value - estimate
    tolerance = rounding(certificate, largest) + (exact.upper - exact.lower)
    check_bound(exact.value, estimate, certificate, tolerance)
    delta = (1 - confidence) / 2
    diameters = (
        known_diameter(real, bounds, certificate.norm, "real"),
        known_diameter(fake, fake_bounds, certificate.norm, "generated"),
    )
    lower = population_lower(real_scores, fake_scores, delta=delta, diameter=diameters)
    upper = population_upper(exact.upper, len(real), len(fake), delta=delta, diameter=diameters)
    evaluation = Evaluation(
        exact=exact.value,
        critic=estimate,
        gap=gap,
        gap_relative=gap / exact.value if exact.value > 0 else 0.0,
        noise_floor=noise_floor,
        population_lower=max(0.0, lower.value - tolerance),
        population_upper=upper.value,
        certified=certificate.bound,
        seconds=time.perf_counter() - start,
    )
    return evaluation, mcshane_extension(real, fake, exact, norm=certificate.norm)


def _nearest_potentials(
    critic: tuple[FloatArray, FloatArray], previous: McShaneExtension | None, real: Tensor, fake: Tensor
) -> tuple[FloatArray, FloatArray]:
    """Potentials to start from: of the critic's scores and those of the last exact critic, what bounds more."""
    scores = [critic]
    if previous is not None:
        scores.append((previous(real), previous(fake)))
    # Both functions are 1-Lipschitz, so both differences of means are lower bounds.
    on_real, on_fake = max(scores, key=lambda pair: float(pair[0].mean() - pair[1].mean()))
    return on_real, -on_fake
