"""A critic's estimate and the exact Wasserstein-1 distance of the same samples."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor, nn

from wgan_lip.evaluation.distances import Distances, SampleSets, Solver
from wgan_lip.evaluation.feature_map import CRITIC_FEATURES, FeatureMap, critic_features, has_hidden_layer
from wgan_lip.evaluation.fitted import fit_critic
from wgan_lip.evaluation.scored_critic import BrokenBoundError, ScoredCritic, known_diameter, score
from wgan_lip.lipschitz import norm_of
from wgan_lip.transport import FloatArray, Norm, W1Result, c_transform, population_upper

# For 2,048 pairs of images and a critic of three layers of 256, 32 copies reach most in a given time.
_PAIRS_OF_A_COPY = 64
# Seconds after which a fit has fewer steps, because its critic is large or the machine slow.
_LONGEST_FIT = 120.0


@dataclass(frozen=True, kw_only=True)
class Evaluation(Distances):
    """A critic's estimate beside the exact W1 of the same samples; a value that is not known is None.

    ``critic`` is a proven lower bound, given only for critics that ``certify`` can bound. ``uncertified`` is given only
    for critics that are not proven to be 1-Lipschitz, such as those with a gradient penalty or clipped weights: it is
    the number that is usually reported of them, may exceed ``exact``, and proves nothing.

    Attributes:
        critic: ``(mean f(real) - mean f(fake)) / L`` on the same samples: a proven lower bound of ``exact``.
        uncertified: ``mean f(real) - mean f(fake)`` of a critic whose L is not about 1.
        critic_fitted: the same of copies of the critic that were fitted to these samples: a proven lower bound of
            ``exact`` that is at least ``critic``; see :func:`fit_critic`. None if there was no fit.
        gap: ``exact - critic``, never negative beyond rounding.
        gap_relative: ``gap / exact``.
        population_lower: lower confidence bound of the W1 of the *distributions*, by the critic; it holds with its
            confidence for this evaluation, but not for all evaluations of a run together.
        population_lower_all: a smaller one: those of all evaluations of a run hold together with that confidence. None
            unless ``look`` says which evaluation this is.
        population_upper: upper confidence bound of that W1; None if the diameter of the supports is not known.
        certified: L, the critic's certified Lipschitz constant.
        features: the distances of the samples behind 1-Lipschitz maps, by the names of the maps. Each exact W1 there
            is a lower bound of ``exact``.
        seconds: wall time of the evaluation.
        real_potential: optimal potential on the real samples, shape (n,), the best known one if there is no exact
            value: a later call may start from it.
    """

    critic: float | None
    critic_fitted: float | None
    uncertified: float | None
    gap: float | None
    gap_relative: float | None
    population_lower: float | None
    population_lower_all: float | None
    population_upper: float | None
    certified: float | None
    features: Mapping[str, Distances] = field(default_factory=dict)
    seconds: float
    real_potential: FloatArray = field(repr=False, compare=False)

    @property
    def gap_unseen(self) -> float | None:
        """``critic_fitted - critic``: the part of the gap that is due to what the critic has not seen."""
        return None if self.critic is None or self.critic_fitted is None else self.critic_fitted - self.critic

    @property
    def gap_beyond(self) -> float | None:
        """``exact - critic_fitted``: the part of the gap that critics of its kind, so fitted, do not express."""
        return None if self.exact is None or self.critic_fitted is None else self.exact - self.critic_fitted

    def metrics(self, group: str = "w1") -> dict[str, float]:
        """Return the known values by the names under which they are logged.

        Those behind a map are in the group ``GROUP_MAP``, such as ``w1_critic_features/exact``.

        Args:
            group: prefix of the names, except that of ``lipschitz/certified``.
        """
        names = (
            *("critic", "critic_fitted", "uncertified", "gap", "gap_relative", "gap_unseen", "gap_beyond"),
            *("population_lower", "population_lower_all", "population_upper", "seconds"),
        )
        values = {f"{group}/{name}": getattr(self, name) for name in names} | {"lipschitz/certified": self.certified}
        found = super().metrics(group) | {name: value for name, value in values.items() if value is not None}
        for name, distances in self.features.items():
            found |= distances.metrics(f"{group}_{name}")
        return found

    def describe(self) -> str:
        """Return one line: the exact W1 with both floors, the critic's bound, their relative gap, and the features'."""
        exact = self._exact() if self.exact is None else f"exact {self._exact()} ± {self.exact_standard_error:.3f}"
        floors = [f"noise floor {_with_error(self.noise_floor, self.noise_floor_standard_error)}"]
        if self.generated_floor is not None:
            error = self.generated_floor_standard_error
            floors.append(f"generated against itself {_with_error(self.generated_floor, error)}")
        parts = [f"W1 {exact} ({', '.join(floors)})"]
        if self.critic is not None:
            parts.append(f"critic ≥ {self.critic:.3f}")
        if self.critic_fitted is not None:
            parts.append(f"fitted ≥ {self.critic_fitted:.3f}")
        if self.gap_relative is not None:
            parts.append(f"gap {self.gap_relative:.0%} of it")
        if self.uncertified is not None:
            parts.append(f"uncertified {self.uncertified:.3f}")
        for name, distances in self.features.items():
            if distances.exact is not None:
                exact = _with_error(distances.exact, distances.exact_standard_error)
                floor = _with_error(distances.noise_floor, distances.noise_floor_standard_error)
                parts.append(f"{name} {exact} (floor {floor})")
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


@dataclass(frozen=True)
class Evaluations:
    """Evaluations of the generator and of its average.

    Attributes:
        raw: of the generator itself.
        averaged: of its average; None if no average is kept.
    """

    raw: Evaluation
    averaged: Evaluation | None = None

    def metrics(self) -> dict[str, float]:
        """Return the known values by the names under which they are logged."""
        return {**(self.averaged.metrics("w1_averaged") if self.averaged else {}), **self.raw.metrics()}

    def describe(self) -> str:
        """Return one line: the generator's evaluation, and the exact W1 of its average."""
        if self.averaged is None or self.averaged.exact is None:
            return self.raw.describe()
        return f"{self.raw.describe()}, averaged generator {self.averaged.exact:.3f}"

    def brief(self) -> str:
        """Return the generator's evaluation, for a progress bar."""
        return self.raw.brief()


def _with_error(value: float | None, error: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f} ± {error:.3f}"


def evaluate(
    critic: nn.Module,
    real: Tensor,
    fake: Tensor,
    other_real: Tensor | None = None,
    other_fake: Tensor | None = None,
    *,
    norm: Norm | None = None,
    bounds: tuple[float, float] | None = None,
    fake_bounds: tuple[float, float] | None = None,
    confidence: float = 0.95,
    look: int | None = None,
    in_critic_features: bool | None = None,
    maps: Sequence[FeatureMap] = (),
    same_real: Evaluation | None = None,
    same_critic: bool = False,
    real_potential: FloatArray | None = None,
    fit: bool = False,
    time_budget: float | None = None,
) -> Evaluation:
    """Compare a critic's estimate with the exact W1 of the same samples.

    The critic is certified and scored in float64 (``ScoredCritic``); W1 is taken in the norm in which it is certified.

    Args:
        critic: maps ``(n, *shape)`` to ``(n, 1)`` or ``(n,)``; any network that can be copied.
        real: shape ``(n, *shape)``; independent of the samples that the critic was trained on.
        fake: shape ``(m, *shape)``, m at least n; likewise.
        other_real: real samples disjoint from ``real``, shape ``(m, *shape)``, for the noise floor; None leaves it out.
        other_fake: generated samples independent of ``fake``, likewise, for the generated floor.
        norm: the ground norm of W1; that of the certificate if None, and l2 without a certificate.
        bounds: of every coordinate of every possible real sample, not only of these; for the population bracket.
        fake_bounds: of every coordinate of every possible generated sample, whatever the generator's weights.
        confidence: of the population bracket.
        look: k, if this is the k-th of a run's evaluations, counted from 1; None if it is the only one.
        in_critic_features: also compare the samples in the critic's last hidden features, see :func:`critic_features`.
            None does so if the critic is certified, not constant, and has a hidden layer.
        maps: 1-Lipschitz maps behind which the samples are compared, too.
        same_real: an earlier evaluation of the same ``real`` and ``other_real``, and of the same maps, whose noise
            floors are reused.
        same_critic: whether that was of the same critic, so that the noise floor of its features is reused, too.
        real_potential: of an earlier evaluation of the same ``real``: the solver may start from it.
        fit: also fit copies of the critic to these samples, if it is certified and has constraints (``fit_critic``).
        time_budget: seconds that the solver may take, for all distances and the fit together.

    Raises:
        BrokenBoundError: the estimate exceeds the exact value, or a W1 of features is not between the two, by more than
            rounding.
        ValueError: samples or values with NaN or infinity, a critic certified in another norm, or a look below 1.
    """
    start = time.perf_counter()
    scored = score(critic, real, fake, norm)
    norm = norm or (scored.certificate.norm if scored.certificate else "l2")
    diameters = known_diameter(real, bounds, norm, "real"), known_diameter(fake, fake_bounds, norm, "generated")
    solver = Solver(time_budget)
    exact = solver.solve(real, fake, norm, _nearest_potentials(scored, real_potential, real, fake, norm))
    scored.check_below(exact.upper)
    samples = SampleSets(real, fake, other_real, other_fake)
    distances = solver.distances(exact, samples, same_real)
    features = {}
    if in_critic_features is None:
        in_critic_features = bool(scored.constant) and has_hidden_layer(scored.network)
    for phi in (*([critic_features(scored, norm)] if in_critic_features else ()), *maps):
        is_same = same_real is not None and (same_critic or phi.name != CRITIC_FEATURES)
        known = same_real.features.get(phi.name) if same_real is not None and is_same else None
        features[phi.name] = _behind(phi, samples, exact, scored, solver, known)
    fitted = None
    if fit and scored.constant and norm_of(critic) is not None and solver.left != 0:
        copies = -(-len(real) // _PAIRS_OF_A_COPY)
        budget = _LONGEST_FIT if solver.left is None else min(_LONGEST_FIT, solver.left)
        fitted = fit_critic(critic, real, fake, exact, copies=copies, time_budget=budget).fitted
    estimate, delta = scored.estimate(), (1 - confidence) / 2
    gap = None if distances.exact is None or estimate is None else distances.exact - estimate
    lower, lower_all = scored.population_lower(delta, diameters, look)
    upper = population_upper(exact.upper, len(real), len(fake), delta=delta, diameter=diameters).value
    return Evaluation(
        **vars(distances),
        critic=estimate,
        critic_fitted=fitted,
        uncertified=scored.uncertified(),
        gap=gap,
        gap_relative=None if gap is None else gap / exact.value if exact.value > 0 else 0.0,
        population_lower=lower,
        population_lower_all=lower_all,
        population_upper=upper if math.isfinite(upper) else None,
        certified=scored.constant,
        features=features,
        seconds=time.perf_counter() - start,
        real_potential=exact.x_potential,
    )


def _behind(
    phi: FeatureMap, samples: SampleSets, exact: W1Result, scored: ScoredCritic, solver: Solver, known: Distances | None
) -> Distances:
    """Solve for the distances behind a map, and check that its W1 lies between the critic's estimate and the W1.

    Args:
        phi: the map.
        samples: before the map.
        exact: their W1.
        scored: the critic.
        solver: with the time that is left.
        known: distances behind the same map of the same real samples.
    """
    features, rounding = samples.behind(phi)
    potentials = None
    is_critics = phi.name == CRITIC_FEATURES
    if is_critics and scored.normalized is not None:
        # The critic's values are a 1-Lipschitz function of its features.
        potentials = scored.normalized[0].numpy(), -scored.normalized[1].numpy()
    result = solver.solve(features.real, features.fake, phi.norm, potentials)
    if result.lower - exact.upper > rounding:
        raise BrokenBoundError(
            f"the W1 {result.lower!r} of features exceeds the exact W1 {exact.upper!r} of their samples, though their "
            f"map {phi.name} is certified 1-Lipschitz: this is a bug, please report it"
        )
    if is_critics:
        scored.check_below(result.upper, rounding=rounding)
    return solver.distances(result, features, known)


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
