"""A critic's estimate set against the exact Wasserstein-1 distance of the same samples."""

import math
import time
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

from wgan_lip.evaluation.scored import (
    BrokenBoundError,
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
from wgan_lip.lipschitz.evaluating import float64_copy
from wgan_lip.transport import Norm, c_transform, population_lower, population_upper, wasserstein1
from wgan_lip.transport.samples import FloatArray

__all__ = ["BrokenBoundError", "Evaluation", "evaluate"]


@dataclass(frozen=True)
class Evaluation:
    """One comparison of the critic's estimate with the truth, on the same samples; what is not known is None.

    ``critic`` is proven, and there only for critics that ``certify`` can bound. ``uncertified`` is there only for those
    that are not proven to be 1-Lipschitz, such as ones with a gradient penalty or clipped weights: it is what is
    usually reported of them, may exceed ``exact``, and proves nothing.

    Where the time budget was spent before the proof closed there is no exact value, but ``exact_lower`` and
    ``exact_upper``, between which it is proven to lie.

    Attributes:
        exact: W1 of n held-out real and n generated samples, exactly.
        exact_standard_error: by how much it changes with the draw of the samples; see ``W1Result.standard_error``.
        exact_lower: proven lower bound of it, where ``exact`` is not known.
        exact_upper: proven upper bound of it, where ``exact`` is not known.
        critic: ``(mean f(real) - mean f(fake)) / L`` on them: a proven lower bound of ``exact``.
        uncertified: ``mean f(real) - mean f(fake)`` of a critic whose L is not about 1.
        gap: ``exact - critic``, never negative beyond rounding.
        gap_relative: ``gap / exact``.
        noise_floor: exact W1 of the same held-out samples and n real samples of the training split:
            what a perfect generator would score at this n. None where time did not suffice for it.
        noise_floor_standard_error: by how much it changes with the draw of the samples.
        population_lower: lower confidence bound of the W1 of the *distributions*, by the critic.
        population_upper: upper confidence bound of it; None where the supports' diameter is not known.
        certified: L, the critic's certified Lipschitz constant.
        seconds: wall time of the evaluation.
    """

    exact: float | None
    exact_standard_error: float | None
    exact_lower: float | None
    exact_upper: float | None
    critic: float | None
    uncertified: float | None
    gap: float | None
    gap_relative: float | None
    noise_floor: float | None
    noise_floor_standard_error: float | None
    population_lower: float | None
    population_upper: float | None
    certified: float | None
    seconds: float

    def metrics(self, group: str = "w1") -> dict[str, float]:
        """The known values by the names under which they are logged.

        Args:
            group: what their names begin with, but for ``lipschitz/certified``.
        """
        values = {name: value for name, value in asdict(self).items() if value is not None}
        certified = values.pop("certified", None)
        metrics = {f"{group}/{name}": value for name, value in values.items()}
        return metrics if certified is None else {**metrics, "lipschitz/certified": certified}

    def describe(self) -> str:
        """One line: the exact W1 with its noise floor, the critic's bound and their relative gap."""
        floor = "unknown"
        if self.noise_floor is not None:
            floor = f"{self.noise_floor:.3f} ± {self.noise_floor_standard_error:.3f}"
        exact = self._exact() if self.exact is None else f"exact {self._exact()} ± {self.exact_standard_error:.3f}"
        parts = [f"W1 {exact} (noise floor {floor})"]
        if self.critic is not None:
            parts.append(f"critic ≥ {self.critic:.3f}")
        if self.gap_relative is not None:
            parts.append(f"gap {self.gap_relative:.0%} of it")
        if self.uncertified is not None:
            parts.append(f"uncertified {self.uncertified:.3f}")
        return ", ".join(parts)

    def brief(self) -> str:
        """The same, short enough for a progress bar on a terminal of eighty columns."""
        critic = f"critic {self.critic:.3f}" if self.uncertified is None else f"({self.uncertified:.3f})"
        floor = "" if self.noise_floor is None else f" floor {self.noise_floor:.3f}"
        return f"W1 {self._exact()}{floor} {critic}"

    def _exact(self) -> str:
        if self.exact is not None:
            return f"{self.exact:.3f}"
        return f"{self.exact_lower:.3f} to {self.exact_upper:.3f}"


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
    same_real: Evaluation | None = None,
    real_potential: FloatArray | None = None,
    time_budget: float | None = None,
) -> tuple[Evaluation, FloatArray]:
    """Set a critic's estimate against the exact W1 of the same samples.

    The critic is copied to float64 on the CPU, certified there and scored there, so that the
    estimate bounds the exact value up to rounding of order 1e-13, whatever precision it trains in.
    W1 is taken in the norm in which the critic is certified. Of a critic that cannot be certified nothing is proven.

    Args:
        critic: maps ``(n, *shape)`` to ``(n, 1)`` or ``(n,)``; any network that can be copied.
        real: shape ``(n, *shape)``; independent of what the critic was trained on.
        fake: shape ``(n, *shape)``; likewise.
        other_real: real samples disjoint from ``real``, shape ``(n, *shape)``.
        norm: the ground norm that is wanted; the certificate's if None, and l2 without one.
        bounds: between which every coordinate of every real sample lies by its nature, not as these samples show;
            for the population bracket.
        fake_bounds: likewise of generated samples, whatever the weights of the generator.
        confidence: of the population bracket.
        same_real: an earlier evaluation with the very same ``real`` and ``other_real``, whose noise floor, if it has
            one, is taken over.
        real_potential: what an earlier evaluation with the very same ``real`` returned: the solver may start there.
        time_budget: seconds that the solver may take, for the distance and the noise floor together.

    Returns:
        The comparison, and an optimal potential on ``real``, shape (n,); the best one known, where time was too short.

    Raises:
        BrokenBoundError: the estimate exceeds the exact value by more than rounding.
        ValueError: samples or values with NaN or infinity, or a critic that is certified in another norm.
    """
    start = time.perf_counter()
    critic64 = float64_copy(critic, "critic")
    certificate = certificate_of(critic64)
    norm = norm or (certificate.norm if certificate else "l2")
    values, magnitudes = score(critic64, torch.cat((real, fake)))
    check_finite_values(values)
    real_values, fake_values = values.split((len(real), len(fake)))
    delta = (1 - confidence) / 2
    diameters = (known_diameter(real, bounds, norm, "real"), known_diameter(fake, fake_bounds, norm, "generated"))
    scores = None
    if certificate is not None:
        check_norm_of(certificate, norm)
        scores = real_values * slope(certificate), fake_values * slope(certificate)
    end = None if time_budget is None else time.perf_counter() + time_budget
    start_from = _nearest_potentials(scores, real_potential, real, fake, norm)
    exact = wasserstein1(real, fake, norm=norm, initial_potentials=start_from, time_budget=_left(end))
    if same_real is None or same_real.noise_floor is None:
        floor = wasserstein1(real, other_real, norm=norm, time_budget=_left(end))
        noise_floor, floor_error = (floor.value, floor.standard_error) if floor.exact else (None, None)
    else:
        noise_floor, floor_error = same_real.noise_floor, same_real.noise_floor_standard_error
    estimate = gap = lower = None
    if certificate is not None and scores is not None:
        estimate = float(scores[0].mean() - scores[1].mean())
        gap = exact.value - estimate if exact.exact else None
        tolerance = rounding(certificate, magnitudes, max(len(real), len(fake)))
        check_bound(exact.upper, estimate, certificate, tolerance)
        lower = max(0.0, population_lower(*scores, delta=delta, diameter=diameters).value - tolerance)
    upper = population_upper(exact.upper, len(real), len(fake), delta=delta, diameter=diameters).value
    evaluation = Evaluation(
        exact=exact.value if exact.exact else None,
        exact_standard_error=exact.standard_error if exact.exact else None,
        exact_lower=None if exact.exact else exact.lower,
        exact_upper=None if exact.exact else exact.upper,
        critic=estimate,
        uncertified=None if is_about_one(certificate) else float(real_values.mean() - fake_values.mean()),
        gap=gap,
        gap_relative=None if gap is None else gap / exact.value if exact.value > 0 else 0.0,
        noise_floor=noise_floor,
        noise_floor_standard_error=floor_error,
        population_lower=lower,
        population_upper=upper if math.isfinite(upper) else None,
        certified=certificate.bound if certificate else None,
        seconds=time.perf_counter() - start,
    )
    return evaluation, exact.x_potential


def _left(end: float | None) -> float | None:
    """Seconds until then."""
    return None if end is None else max(0.0, end - time.perf_counter())


def _nearest_potentials(
    critic: tuple[Tensor, Tensor] | None, real_potential: FloatArray | None, real: Tensor, fake: Tensor, norm: Norm
) -> tuple[FloatArray, FloatArray] | None:
    """Potentials to start from: the critic's scores, or those of an earlier evaluation, what bounds more."""
    pairs = []
    if critic is not None:
        pairs.append((critic[0].numpy(), -critic[1].numpy()))
    if real_potential is not None:
        pairs.append((real_potential, c_transform(fake, real, real_potential, norm=norm)))
    # Both are feasible, so both values are lower bounds.
    return max(pairs, key=lambda pair: float(pair[0].mean() + pair[1].mean()), default=None)
