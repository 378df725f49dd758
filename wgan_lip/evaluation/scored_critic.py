"""A critic's values of real and generated samples, with what its certificate proves of them."""

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from wgan_lip.lipschitz import (
    LipschitzCertificate,
    Magnitudes,
    certify,
    float64_copy,
    gamma,
    rounding_of_values,
    values_and_magnitudes,
)
from wgan_lip.transport import Norm, box_diameter, delta_of_look, population_lower

# A critic with a certified constant up to this is 1-Lipschitz up to the rounding of its weights.
_ONE = 1.01
# Samples scored at once: 16,384 images of 64 x 64 need not lie in memory in float64.
_CHUNK = 4096


class BrokenBoundError(RuntimeError):
    """A critic's estimate exceeds the exact distance of the same samples: a bug, here or in the certificate."""


@dataclass(frozen=True)
class ScoredCritic:
    """A critic's values ``f(x)`` of real samples and ``f(y)`` of generated ones, in float64, and its certificate.

    Attributes:
        network: the critic in float64, on the CPU, in evaluation mode; what is certified and what is scored.
        certificate: of its Lipschitz constant L; None for a network of which nothing is proven.
        real: ``f(x)``, shape (n,).
        fake: ``f(y)``, shape (m,).
        magnitudes: how large the numbers were in the network's evaluation.
    """

    network: nn.Module
    certificate: LipschitzCertificate | None
    real: Tensor
    fake: Tensor
    magnitudes: Magnitudes

    @property
    def constant(self) -> float | None:
        """The certified constant L; None if nothing is proven."""
        return None if self.certificate is None else self.certificate.bound

    @property
    def is_one_lipschitz(self) -> bool:
        """True if L is proven to be 1 up to rounding: then the values need no division by it."""
        return self.certificate is not None and self.certificate.bound <= _ONE

    @cached_property
    def normalized(self) -> tuple[Tensor, Tensor] | None:
        """``f(x) / L`` and ``f(y) / L``, values of a 1-Lipschitz function; zeros if L is 0, None without L."""
        factor = self._factor
        return None if factor is None else (self.real * factor, self.fake * factor)

    @cached_property
    def rounding(self) -> float:
        """Bound of the effect of float64 rounding on ``(mean f(x) - mean f(y)) / L``; 0 without L.

        Each mean errs by that of a value and of the products, sums and quotients: ``gamma_(n+4)`` of the largest value.
        """
        if self.certificate is None or self._factor is None:
            return 0.0
        terms = max(len(self.real), len(self.fake)) + 4
        value = rounding_of_values(self.certificate, self.magnitudes) + gamma(terms) * self.magnitudes.norm
        return 2 * value * self._factor * (1 + 1e-6)

    def estimate(self, first: int | None = None) -> float | None:
        """``(mean f(x) - mean f(y)) / L``: at most the W1 of the same samples. None without L.

        Args:
            first: of only so many samples of each side; all if None.
        """
        if self.normalized is None:
            return None
        real, fake = self.normalized
        return float(real[:first].mean() - fake[:first].mean())

    def uncertified(self) -> float | None:
        """``mean f(x) - mean f(y)``, which bounds nothing; None for a critic that is proven 1-Lipschitz."""
        return None if self.is_one_lipschitz else float(self.real.mean() - self.fake.mean())

    def check_below(self, upper: float, first: int | None = None, rounding: float = 0.0) -> None:
        """Check that the estimate is at most the exact W1 of the same samples; nothing is checked without L.

        Args:
            upper: proven upper bound of that W1, or of the W1 of the critic's hidden features.
            first: as for ``estimate``.
            rounding: bound of the effect of rounding on that W1.

        Raises:
            BrokenBoundError: the estimate exceeds it by more than rounding.
        """
        estimate = self.estimate(first)
        if estimate is not None and estimate - upper > self.rounding + rounding:
            raise BrokenBoundError(
                f"the critic's estimate {estimate!r} exceeds the exact W1 {upper!r} of the same samples, though its "
                f"Lipschitz constant is certified as {self.constant!r}: this is a bug, please report it"
            )

    def population_lower(
        self, delta: float, diameters: tuple[float | None, float | None], look: int | None = None
    ) -> tuple[float | None, float | None]:
        """Two lower confidence bounds of the W1 of the distributions, at least 0: of this look, and of all looks.

        The first holds with probability 1 - delta. The second belongs to the bounds of all looks, which hold together
        with probability 1 - delta (``delta_of_look``).

        Args:
            delta: the probability of error.
            diameters: of the supports of both distributions, where known.
            look: k, if this is the k-th of many evaluations; None if it is the only one.

        Returns:
            Both; None instead of the second without ``look``, and of both without L.
        """
        if self.normalized is None:
            return None, None
        deltas = [delta] if look is None else [delta, delta_of_look(delta, look)]
        bounds = [population_lower(*self.normalized, delta=one, diameter=diameters).value for one in deltas]
        values = [max(0.0, bound - self.rounding) for bound in bounds]
        return values[0], None if look is None else values[1]

    @property
    def _factor(self) -> float | None:
        """``1 / L``; 0 for a constant critic, which bounds nothing."""
        if self.certificate is None:
            return None
        return 1 / self.certificate.bound if self.certificate.bound > 0 else 0.0


def score(critic: nn.Module, real: Tensor, fake: Tensor, norm: Norm | None = None) -> ScoredCritic:
    """Copy a critic to float64 on the CPU, certify it, and compute its values.

    So the estimate bounds the exact W1 up to rounding of order 1e-13, whatever precision the critic trains in.

    Args:
        critic: maps ``(n, *shape)`` to ``(n, 1)`` or ``(n,)``; any network that can be copied.
        real: shape ``(n, *shape)``.
        fake: shape ``(m, *shape)``.
        norm: in which the critic shall bound W1; any if None.

    Raises:
        ValueError: not one value per sample, values with NaN or infinity, or a critic certified in a larger norm than
            ``norm`` only. ``|x|_inf <= |x|_2 <= |x|_1``, so a critic with a certified constant in one of these norms
            has it in the later ones too.
    """
    network = float64_copy(critic, "critic")
    certificate = _certificate(network)
    if certificate and norm:
        check_norm_covers(certificate.norm, norm, "critic")
    values, magnitudes = values_and_magnitudes(network, torch.cat((real, fake)), _CHUNK)
    if values.numel() != len(real) + len(fake):
        raise ValueError(f"the critic must return one value per sample; got shape {tuple(values.shape)}")
    if not bool(values.isfinite().all()):
        raise ValueError(
            "the critic's values of held-out samples hold NaN or infinity: its training diverged "
            "(lower the optimiser's learning rate)"
        )
    real_values, fake_values = values.flatten().split((len(real), len(fake)))
    return ScoredCritic(network, certificate, real_values, fake_values, magnitudes)


def check_norm_covers(certified: Norm, norm: Norm, name: str) -> None:
    """Check that a constant certified in one norm is one in another: ``|x|_inf <= |x|_2 <= |x|_1``.

    Args:
        certified: the norm of the certificate.
        norm: the ground norm of W1.
        name: of what is certified, for the error.

    Raises:
        ValueError: the constant does not bound anything in ``norm``.
    """
    ascending: tuple[Norm, ...] = ("linf", "l2", "l1")
    if ascending.index(norm) < ascending.index(certified):
        raise ValueError(
            f"the {name} is certified in the {certified} norm, so it bounds no W1 in norm={norm!r}: "
            f"use norm={certified!r}, or another {name.split()[0]}"
        )


def known_diameter(samples: Tensor, bounds: tuple[float, float] | None, norm: Norm, name: str) -> float | None:
    """Return the diameter of the box in which a distribution is known to lie, or None.

    Args:
        samples: of the distribution, shape ``(n, *shape)``.
        bounds: of every coordinate; None if unknown.
        norm: of the diameter.
        name: of the samples, in the error.

    Raises:
        ValueError: a sample lies outside of the bounds.
    """
    if bounds is None:
        return None
    smallest, largest = float(samples.min()), float(samples.max())
    if smallest < bounds[0] or largest > bounds[1]:
        raise ValueError(f"{name} samples must lie within their bounds {bounds}; got {smallest:g} to {largest:g}")
    return box_diameter(bounds[1] - bounds[0], samples[0].numel(), norm)


def _certificate(network: nn.Module) -> LipschitzCertificate | None:
    try:
        certificate = certify(network)
    except ValueError:
        return None
    return certificate if math.isfinite(certificate.bound) else None
