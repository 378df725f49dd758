"""A critic's estimate and the exact Wasserstein-1 distance of the same samples."""

import math
import time
from dataclasses import dataclass, field, fields

from torch import Tensor, nn

from wgan_lip.evaluation.scored_critic import ScoredCritic, known_diameter, score
from wgan_lip.transport import FloatArray, Norm, W1Result, c_transform, population_upper, wasserstein1


@dataclass(frozen=True)
class Evaluation:
    """A critic's estimate beside the exact W1 of the same samples; a value that is not known is None.

    ``critic`` is a proven lower bound, given only for critics that ``certify`` can bound. ``uncertified`` is given only
    for critics that are not proven to be 1-Lipschitz, such as those with a gradient penalty or clipped weights: it is
    the number that is usually reported of them, may exceed ``exact``, and proves nothing.

    If the time budget was spent before the proof closed, there is no exact value, but ``exact_lower`` and
    ``exact_upper``, between which it is proven to lie.

    Attributes:
        exact: W1 of n held-out real and n generated samples, exactly.
        exact_standard_error: its standard error over draws of the samples; see ``W1Result.standard_error``.
        exact_lower: proven lower bound of that W1, if ``exact`` is not known.
        exact_upper: proven upper bound of that W1, if ``exact`` is not known.
        critic: ``(mean f(real) - mean f(fake)) / L`` on the same samples: a proven lower bound of ``exact``.
        uncertified: ``mean f(real) - mean f(fake)`` of a critic whose L is not about 1.
        gap: ``exact - critic``, never negative beyond rounding.
        gap_relative: ``gap / exact``.
        noise_floor: exact W1 of the same held-out samples and as many other real samples: what a perfect generator
            would score at this n. None without other samples, or if the time budget did not suffice.
        noise_floor_standard_error: its standard error.
        population_lower: lower confidence bound of the W1 of the *distributions*, by the critic.
        population_upper: upper confidence bound of that W1; None if the diameter of the supports is not known.
        certified: L, the critic's certified Lipschitz constant.
        seconds: wall time of the evaluation.
        real_potential: optimal potential on the real samples, shape (n,), the best known one if there is no exact
            value: a later call may start from it.
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
    real_potential: FloatArray = field(repr=False, compare=False)

    def metrics(self, group: str = "w1") -> dict[str, float]:
        """Return the known values by the names under which they are logged.

        Args:
            group: prefix of the names, except that of ``lipschitz/certified``.
        """
        values = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "real_potential"}
        known = {name: value for name, value in values.items() if value is not None}
        certified = {"lipschitz/certified": known.pop("certified")} if "certified" in known else {}
        return {f"{group}/{name}": value for name, value in known.items()} | certified

    def describe(self) -> str:
        """Return one line: the exact W1 with its noise floor, the critic's bound and their relative gap."""
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
        """Return the same in at most 40 characters, for a progress bar."""
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
    other_real: Tensor | None = None,
    *,
    norm: Norm | None = None,
    bounds: tuple[float, float] | None = None,
    fake_bounds: tuple[float, float] | None = None,
    confidence: float = 0.95,
    same_real: Evaluation | None = None,
    real_potential: FloatArray | None = None,
    time_budget: float | None = None,
) -> Evaluation:
    """Compare a critic's estimate with the exact W1 of the same samples.

    The critic is certified and scored in float64 (``ScoredCritic``); W1 is taken in the norm in which it is certified.

    Args:
        critic: maps ``(n, *shape)`` to ``(n, 1)`` or ``(n,)``; any network that can be copied.
        real: shape ``(n, *shape)``; independent of the samples that the critic was trained on.
        fake: shape ``(n, *shape)``; likewise.
        other_real: real samples disjoint from ``real``, shape ``(n, *shape)``, for the noise floor; None leaves it out.
        norm: the ground norm of W1; that of the certificate if None, and l2 without a certificate.
        bounds: of every coordinate of every possible real sample, not only of these; for the population bracket.
        fake_bounds: of every coordinate of every possible generated sample, whatever the generator's weights.
        confidence: of the population bracket.
        same_real: an earlier evaluation of the same ``real`` and ``other_real``, whose noise floor is reused.
        real_potential: of an earlier evaluation of the same ``real``: the solver may start from it.
        time_budget: seconds that the solver may take, for the distance and the noise floor together.

    Raises:
        BrokenBoundError: the estimate exceeds the exact value by more than rounding.
        ValueError: samples or values with NaN or infinity, or a critic that is certified in another norm.
    """
    start = time.perf_counter()
    scored = score(critic, real, fake, norm)
    norm = norm or (scored.certificate.norm if scored.certificate else "l2")
    diameters = known_diameter(real, bounds, norm, "real"), known_diameter(fake, fake_bounds, norm, "generated")
    end = None if time_budget is None else time.perf_counter() + time_budget
    potentials = _nearest_potentials(scored, real_potential, real, fake, norm)
    exact = wasserstein1(real, fake, norm=norm, initial_potentials=potentials, time_budget=_left(end))
    scored.check_below(exact.upper)
    floor: tuple[float | None, float | None] = None, None
    if same_real is not None and same_real.noise_floor is not None:
        floor = same_real.noise_floor, same_real.noise_floor_standard_error
    elif other_real is not None:
        floor = _known(wasserstein1(real, other_real, norm=norm, time_budget=_left(end)))
    value, value_error = _known(exact)
    estimate, delta = scored.estimate(), (1 - confidence) / 2
    gap = None if value is None or estimate is None else value - estimate
    upper = population_upper(exact.upper, len(real), len(fake), delta=delta, diameter=diameters).value
    return Evaluation(
        exact=value,
        exact_standard_error=value_error,
        exact_lower=None if exact.exact else exact.lower,
        exact_upper=None if exact.exact else exact.upper,
        critic=estimate,
        uncertified=scored.uncertified(),
        gap=gap,
        gap_relative=None if gap is None else gap / exact.value if exact.value > 0 else 0.0,
        noise_floor=floor[0],
        noise_floor_standard_error=floor[1],
        population_lower=scored.population_lower(delta, diameters),
        population_upper=upper if math.isfinite(upper) else None,
        certified=scored.constant,
        seconds=time.perf_counter() - start,
        real_potential=exact.x_potential,
    )


def _known(result: W1Result) -> tuple[float | None, float | None]:
    """Return a proven W1 and its standard error; neither if the proof did not close."""
    return (result.value, result.standard_error) if result.exact else (None, None)


def _left(end: float | None) -> float | None:
    """Return the seconds until a time."""
    return None if end is None else max(0.0, end - time.perf_counter())


def _nearest_potentials(
    scored: ScoredCritic, real_potential: FloatArray | None, real: Tensor, fake: Tensor, norm: Norm
) -> tuple[FloatArray, FloatArray] | None:
    """Return potentials to start from: the critic's values or an earlier potential, whichever bounds W1 better."""
    pairs = []
    if scored.normalized is not None:
        pairs.append((scored.normalized[0].numpy(), -scored.normalized[1].numpy()))
    if real_potential is not None:
        pairs.append((real_potential, c_transform(fake, real, real_potential, norm=norm)))
    # Both pairs are feasible, so both values are lower bounds.
    return max(pairs, key=lambda pair: float(pair[0].mean() + pair[1].mean()), default=None)
