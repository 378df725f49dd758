"""A critic's values in float64, and what its certificate proves of them."""

import math

import torch
from torch import Tensor, nn

from wgan_lip.lipschitz import LipschitzCertificate, certify
from wgan_lip.lipschitz.bounds import gamma
from wgan_lip.lipschitz.certificate.rounding import Magnitudes, rounding_of_values, values_and_magnitudes
from wgan_lip.transport import Norm
from wgan_lip.transport.norm import box_diameter

# Certified constants up to this are those of a critic that is 1-Lipschitz, to the rounding of its weights.
_ABOUT_ONE = 1.01
# Samples that are scored at once: 16,384 images of 64 x 64 need not lie in memory in float64.
_CHUNK = 4096


class BrokenBoundError(RuntimeError):
    """A critic's estimate exceeds the exact distance of the same samples: a bug, here or in the certificate."""


def score(critic: nn.Module, samples: Tensor) -> tuple[Tensor, Magnitudes]:
    """The critic's values.

    Args:
        critic: a ``float64_copy``.
        samples: shape ``(n, *shape)``.

    Returns:
        The values, shape (n,), and how large the numbers were on the way, for ``rounding``.

    Raises:
        ValueError: not one value a sample.
    """
    result, magnitudes = values_and_magnitudes(critic, samples, _CHUNK)
    if result.numel() != len(samples):
        raise ValueError(f"the critic must return one value a sample; got shape {tuple(result.shape)}")
    return result.flatten(), magnitudes


def certificate_of(critic: nn.Module) -> LipschitzCertificate | None:
    """The certificate, or None for a network of which nothing is proven.

    Args:
        critic: a ``float64_copy``.
    """
    try:
        certificate = certify(critic)
    except ValueError:
        return None
    return certificate if math.isfinite(certificate.bound) else None


def is_about_one(certificate: LipschitzCertificate | None) -> bool:
    """Whether a critic is proven 1-Lipschitz, to rounding: then its values need no division by a constant."""
    return certificate is not None and certificate.bound <= _ABOUT_ONE


def check_finite_values(*values: Tensor) -> None:
    """See that a critic's values are numbers.

    Raises:
        ValueError: they hold NaN or infinity.
    """
    if not all(bool(torch.isfinite(part).all()) for part in values):
        raise ValueError(
            "the critic's values of held-out samples hold NaN or infinity: its training diverged "
            "(lower the optimiser's learning rate)"
        )


def slope(certificate: LipschitzCertificate) -> float:
    """By what values are multiplied to make the critic 1-Lipschitz; a critic of constant 0 says nothing."""
    return 1 / certificate.bound if certificate.bound > 0 else 0.0


def rounding(certificate: LipschitzCertificate, magnitudes: Magnitudes, n: int) -> float:
    """What rounding in float64 may do to a difference of means of values that were multiplied by ``slope``.

    That of two values, and of the products, sums and quotients: ``2 gamma_(n+4)`` of the largest value.

    Args:
        certificate: the critic's.
        magnitudes: as ``score`` found them.
        n: samples in the larger of the two means.
    """
    value = rounding_of_values(certificate, magnitudes) + gamma(n + 4) * magnitudes.norm
    return 2 * value * slope(certificate) * (1 + 1e-6)


def check_bound(exact: float, estimate: float, certificate: LipschitzCertificate, tolerance: float) -> None:
    """See that an estimate is a lower bound of the exact W1 of the same samples.

    Raises:
        BrokenBoundError: it exceeds it by more than rounding.
    """
    if exact - estimate < -tolerance:
        raise BrokenBoundError(
            f"the critic's estimate {estimate!r} exceeds the exact W1 {exact!r} of the same samples, though its "
            f"Lipschitz constant is certified as {certificate.bound!r}: this is a bug, please report it"
        )


def check_norm_of(certificate: LipschitzCertificate, norm: Norm | None) -> None:
    """See that a critic bounds W1 in the norm that is wanted: in its own, and in those that are never smaller.

    ``|x|_inf <= |x|_2 <= |x|_1``, so a function to the reals of a certified constant in one of them has it in the
    later ones too.

    Raises:
        ValueError: it is certified in a larger norm only.
    """
    ascending: tuple[Norm, ...] = ("linf", "l2", "l1")
    if norm is not None and ascending.index(norm) < ascending.index(certificate.norm):
        raise ValueError(
            f"the critic is certified in the {certificate.norm} norm, so it bounds no W1 in norm={norm!r}: "
            f"use norm={certificate.norm!r}, or another critic"
        )


def known_diameter(samples: Tensor, bounds: tuple[float, float] | None, norm: Norm, name: str) -> float | None:
    """Diameter of the box in which a distribution is known to lie, or None.

    Raises:
        ValueError: the samples leave it.
    """
    if bounds is None:
        return None
    smallest, largest = float(samples.min()), float(samples.max())
    if smallest < bounds[0] or largest > bounds[1]:
        raise ValueError(f"{name} samples must keep to their bounds {bounds}; got {smallest:g} to {largest:g}")
    return box_diameter(bounds[1] - bounds[0], samples[0].numel(), norm)
