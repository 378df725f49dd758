"""The exact W1 of real and generated samples, beside the W1 of either kind against itself."""

import time
from dataclasses import dataclass, fields
from typing import TypeAlias

from torch import Tensor

from wgan_lip.evaluation.feature_map import FeatureMap
from wgan_lip.transport import FloatArray, Norm, W1Result, wasserstein1

# A value and its standard error.
_Known: TypeAlias = tuple[float | None, float | None]


@dataclass(frozen=True, kw_only=True)
class Distances:
    """The exact W1 of real and generated samples, and of either kind against itself; a value not known is None.

    If the time budget was spent before the proof closed, there is no exact value, but ``exact_lower`` and
    ``exact_upper``, between which it is proven to lie.

    Attributes:
        exact: W1 of n held-out real and m generated samples, exactly.
        exact_standard_error: its standard error over draws of the samples; see ``W1Result.standard_error``.
        exact_lower: proven lower bound of that W1, if ``exact`` is not known.
        exact_upper: proven upper bound of that W1, if ``exact`` is not known.
        noise_floor: exact W1 of the same held-out samples and other real samples: what a perfect generator would score
            at these sizes. None without other samples, or if the time budget did not suffice.
        noise_floor_standard_error: its standard error.
        generated_floor: exact W1 of generated samples and other generated ones, of the sizes of the noise floor. If it
            is below that, the generated samples vary less than the real ones.
        generated_floor_standard_error: its standard error.
    """

    exact: float | None
    exact_standard_error: float | None
    exact_lower: float | None
    exact_upper: float | None
    noise_floor: float | None
    noise_floor_standard_error: float | None
    generated_floor: float | None
    generated_floor_standard_error: float | None

    def metrics(self, group: str) -> dict[str, float]:
        """Return the known values by the names under which they are logged.

        Args:
            group: prefix of the names.
        """
        values = {f"{group}/{one.name}": getattr(self, one.name) for one in fields(Distances)}
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True)
class SampleSets:
    """The samples of one evaluation.

    Attributes:
        real: held-out real samples, shape (n, ...).
        fake: generated samples, shape (m, ...).
        other_real: real samples disjoint from these, shape (m, ...); None if there is to be no noise floor.
        other_fake: generated samples independent of these, likewise.
    """

    real: Tensor
    fake: Tensor
    other_real: Tensor | None
    other_fake: Tensor | None

    def behind(self, phi: FeatureMap) -> tuple["SampleSets", float]:
        """Map all samples; also return how much rounding can change a W1 of real and generated ones.

        Args:
            phi: the map.
        """
        real, fake = phi(self.real), phi(self.fake)
        others = (None if one is None else phi(one).values for one in (self.other_real, self.other_fake))
        # A mean distance changes by at most the errors of both ends.
        return SampleSets(real.values, fake.values, *others), real.rounding + fake.rounding


class Solver:
    """Solves for the distances of one evaluation within a time budget that they share.

    Args:
        time_budget: seconds for all solves together; None for no limit.
    """

    def __init__(self, time_budget: float | None = None) -> None:
        self._end = None if time_budget is None else time.perf_counter() + time_budget

    @property
    def left(self) -> float | None:
        """Seconds that are left, at least 0; None for no limit."""
        return None if self._end is None else max(0.0, self._end - time.perf_counter())

    def solve(
        self, x: Tensor, y: Tensor, norm: Norm, potentials: tuple[FloatArray, FloatArray] | None = None
    ) -> W1Result:
        """Solve for the W1 of two sample sets, as far as the time allows.

        Args:
            x: shape (n, ...).
            y: shape (m, ...).
            norm: the ground norm.
            potentials: to start from.
        """
        return wasserstein1(x, y, norm=norm, initial_potentials=potentials, time_budget=self.left)

    def distances(self, exact: W1Result, samples: SampleSets, known: Distances | None = None) -> Distances:
        """Solve for the floors beside an exact W1.

        Args:
            exact: the W1 of real and generated samples.
            samples: these, and the others.
            known: distances of the same real samples, whose noise floor is reused.
        """
        if known is not None and known.noise_floor is not None:
            noise_floor: _Known = (known.noise_floor, known.noise_floor_standard_error)
        else:
            noise_floor = self._floor(samples.real, samples.other_real, exact.norm)
        # As many points on the one side as there are real ones.
        generated_floor = self._floor(samples.fake[: len(samples.real)], samples.other_fake, exact.norm)
        value, error = _known(exact)
        return Distances(
            exact=value,
            exact_standard_error=error,
            exact_lower=None if exact.exact else exact.lower,
            exact_upper=None if exact.exact else exact.upper,
            noise_floor=noise_floor[0],
            noise_floor_standard_error=noise_floor[1],
            generated_floor=generated_floor[0],
            generated_floor_standard_error=generated_floor[1],
        )

    def _floor(self, x: Tensor, y: Tensor | None, norm: Norm) -> _Known:
        return (None, None) if y is None else _known(self.solve(x, y, norm))


def _known(result: W1Result) -> _Known:
    """Return a proven W1 and its standard error; neither if the proof did not close."""
    return (result.value, result.standard_error) if result.exact else (None, None)
