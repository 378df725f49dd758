"""A critic's estimate set against the exact Wasserstein-1 distance of the same samples."""

import copy
import math
import time
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

from wgan_lip.lipschitz import certify
from wgan_lip.transport import (
    McShaneExtension,
    Norm,
    mcshane_extension,
    population_lower,
    population_upper,
    wasserstein1,
)
from wgan_lip.transport.norm import box_diameter
from wgan_lip.transport.samples import FloatArray


class BrokenBoundError(RuntimeError):
    """A critic's estimate exceeds the exact distance of the same samples: a bug, here or in the certificate."""


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
    # Parameters are exact in float64: the copy is the function that is trained, and what is certified
    # and what is scored are one and the same.
    critic64 = _float64_copy(critic)
    certificate = certify(critic64)
    if norm is not None and norm != certificate.norm:
        raise ValueError(
            f"the critic is certified in the {certificate.norm} norm, so it bounds no W1 in norm={norm!r}: "
            f"use norm={certificate.norm!r}, or another critic"
        )
    values, largest = _values(critic64, torch.cat((real, fake)).to("cpu", torch.float64))
    if values.numel() != len(real) + len(fake):
        raise ValueError(f"the critic must return one value a sample; got shape {tuple(values.shape)}")
    # A critic of constant 0 says nothing.
    slope = 1 / certificate.bound if certificate.bound > 0 else 0.0
    real_scores, fake_scores = (values.flatten() * slope).split((len(real), len(fake)))
    estimate = float(real_scores.mean() - fake_scores.mean())

    potentials = _nearest_potentials((real_scores.numpy(), fake_scores.numpy()), previous, real, fake)
    exact = wasserstein1(real, fake, norm=certificate.norm, initial_potentials=potentials)
    noise_floor = wasserstein1(real, other_real, norm=certificate.norm).value
    gap = exact.value - estimate
    # Rounding in float64: some eps of the largest number in any layer, carried through those after it.
    amplified = math.prod(max(1.0, layer.bound) for layer in certificate.layers)
    rounding = 1e-12 * largest * amplified * slope + (exact.upper - exact.lower)
    if gap < -rounding:
        raise BrokenBoundError(
            f"the critic's estimate {estimate!r} exceeds the exact W1 {exact.value!r} of the same samples, though its "
            f"Lipschitz constant is certified as {certificate.bound!r}: this is a bug, please report it"
        )
    delta = (1 - confidence) / 2
    diameters = (
        _diameter(real, bounds, certificate.norm, "real"),
        _diameter(fake, fake_bounds, certificate.norm, "generated"),
    )
    lower = population_lower(real_scores, fake_scores, delta=delta, diameter=diameters)
    upper = population_upper(exact.upper, len(real), len(fake), delta=delta, diameter=diameters)
    evaluation = Evaluation(
        exact=exact.value,
        critic=estimate,
        gap=gap,
        gap_relative=gap / exact.value if exact.value > 0 else 0.0,
        noise_floor=noise_floor,
        population_lower=max(0.0, lower.value - rounding),
        population_upper=upper.value,
        certified=certificate.bound,
        seconds=time.perf_counter() - start,
    )
    return evaluation, mcshane_extension(real, fake, exact, norm=certificate.norm)


def _diameter(samples: Tensor, bounds: tuple[float, float] | None, norm: Norm, name: str) -> float | None:
    """Diameter of the box in which a distribution is known to lie."""
    if bounds is None:
        return None
    smallest, largest = float(samples.min()), float(samples.max())
    if smallest < bounds[0] or largest > bounds[1]:
        raise ValueError(f"{name} samples must keep to their bounds {bounds}; got {smallest:g} to {largest:g}")
    return box_diameter(bounds[1] - bounds[0], samples[0].numel(), norm)


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


def _float64_copy(critic: nn.Module) -> nn.Module:
    try:
        return copy.deepcopy(critic).to("cpu", torch.float64).eval()
    except RuntimeError as error:
        raise ValueError(f"the critic cannot be copied, so neither certified: {error}") from error


@torch.no_grad()
def _values(critic: nn.Module, samples: Tensor) -> tuple[Tensor, float]:
    """The critic's values, and the largest number in any of its layers."""
    sizes = [float(samples.abs().max())]
    for module in critic.modules():
        module.register_forward_hook(lambda module, inputs, output: sizes.append(float(output.abs().max())))
    return critic(samples), max(sizes) * samples[0].numel() ** 0.5
