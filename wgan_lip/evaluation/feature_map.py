"""Certified 1-Lipschitz maps of samples to features, whose W1 is a lower bound of the W1 of the samples."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor, nn

from wgan_lip.evaluation.scored_critic import ScoredCritic, check_norm_covers
from wgan_lip.lipschitz import (
    LipschitzCertificate,
    certify,
    float64_copy,
    gamma,
    leaves,
    norm_of,
    rounding_of_values,
    values_and_magnitudes,
)
from wgan_lip.lipschitz import Norm as CertifiedNorm
from wgan_lip.transport import Norm

# "critic", "pca-K", or a module that ``certify`` can bound.
Feature: TypeAlias = str | nn.Module

# Note [features]
# If phi is 1-Lipschitz, then W1(phi P, phi Q) <= W1(P, Q): every plan between P and Q gives one between their images,
# which costs no more. For samples and for distributions alike. In fewer dimensions, or in those that a critic has
# learned to look at, the W1 of samples is less biased by their number, so that it is further above its noise floor.

CRITIC_FEATURES = "critic_features"
# Samples mapped at once.
_CHUNK = 4096
_PCA = re.compile(r"pca-([1-9][0-9]*)")


@dataclass(frozen=True)
class Features:
    """The features of some samples.

    Attributes:
        values: ``phi(x) / L``, shape (n, k), float64.
        rounding: the largest error of any row of them, in the norm of the certificate.
    """

    values: Tensor
    rounding: float


@dataclass(frozen=True)
class FeatureMap:
    """A map ``phi / L`` of samples to features, 1-Lipschitz because L is a certified constant of phi.

    Attributes:
        name: by which its metrics are logged, such as "pca_32".
        network: phi, in float64, on the CPU, in evaluation mode.
        certificate: of L.
    """

    name: str
    network: nn.Module
    certificate: LipschitzCertificate

    @property
    def norm(self) -> Norm:
        """The norm of samples and features in which the map is 1-Lipschitz."""
        return self.certificate.norm

    def __call__(self, samples: Tensor) -> Features:
        """Compute the features of samples.

        Args:
            samples: shape ``(n, *shape)``.

        Raises:
            ValueError: features that are NaN or infinite.
        """
        values, magnitudes = values_and_magnitudes(self.network, samples, _CHUNK)
        if len(values) != len(samples) or not bool(values.isfinite().all()):
            raise ValueError(f"the map {self.name} must return finite features, a row for each sample")
        factor = 1 / self.certificate.bound
        # The second term is of the product with the rounded factor.
        error = rounding_of_values(self.certificate, magnitudes) + gamma(3) * magnitudes.norm
        return Features(values.flatten(1) * factor, error * factor * (1 + 1e-6))


def certified_map(name: str, network: nn.Module, norm: Norm, certified_in: CertifiedNorm | None = None) -> FeatureMap:
    """Make a feature map of any network that ``certify`` can bound.

    Args:
        name: of the map.
        network: maps ``(n, *shape)`` to ``(n, ...)``; it is copied to float64.
        norm: the ground norm of W1.
        certified_in: the norm of the certificate; by default that of the network's constraints, or one that bounds W1
            in ``norm``.

    Raises:
        ValueError: the network has no finite certified constant, the constant is 0 (it maps all samples to one point),
            or it is certified in a norm that does not bound W1 in ``norm``.
    """
    copied = float64_copy(network, f"map {name}")
    try:
        # An l1 distance is at least the l2 distance, in which linear layers are bounded.
        certificate = certify(copied, certified_in or norm_of(copied) or ("l2" if norm == "l1" else norm))
    except ValueError as error:
        raise ValueError(f"the map {name} must have a certified Lipschitz constant; it has none: {error}") from error
    if not 0 < certificate.bound < torch.inf:
        raise ValueError(
            f"the map {name} must have a positive and finite Lipschitz constant; got {certificate.bound:g}"
            + (", so it maps all samples to one point" if certificate.bound == 0 else "")
        )
    check_norm_covers(certificate.norm, norm, f"map {name}")
    return FeatureMap(name, copied, certificate)


def critic_features(scored: ScoredCritic, norm: Norm) -> FeatureMap:
    """Return the map to a critic's last hidden features: all its layers before the last one that has parameters.

    With phi the map, and L and M the certified constants of phi and of the layers after it, ``f = g o phi`` with g
    M-Lipschitz, so ``(mean f(x) - mean f(y)) / (L M) <= W1(phi x, phi y) / L <= W1(x, y)``.

    Args:
        scored: the critic.
        norm: the ground norm of W1.

    Raises:
        ValueError: the critic is not certified, or has no hidden layer.
    """
    if scored.certificate is None:
        raise ValueError(
            "features='critic' requires a critic with a certified Lipschitz constant; this one has none: leave it out"
        )
    if not has_hidden_layer(scored.network):
        raise ValueError("features='critic' requires a critic with a hidden layer; this one has none: leave it out")
    layers, with_weights = _layers(scored.network)
    hidden = nn.Sequential(*layers[: with_weights[-1]])
    return certified_map(CRITIC_FEATURES, hidden, norm, certified_in=scored.certificate.norm)


def has_hidden_layer(network: nn.Module) -> bool:
    """Return whether a network is a sequence in which a layer with weights precedes another one.

    Args:
        network: such as a critic.
    """
    return len(_layers(network)[1]) > 1


def _layers(network: nn.Module) -> tuple[list[nn.Module], list[int]]:
    """Return the layers of a network, and the positions of those with weights."""
    layers = [layer for _, layer in leaves(network)]
    return layers, [i for i, layer in enumerate(layers) if any(True for _ in layer.parameters())]


def principal_axes(samples: Tensor, count: int, norm: Norm) -> FeatureMap:
    """Return the orthogonal projection on the first principal axes of samples.

    Args:
        samples: shape ``(n, *shape)``; of the distribution, and independent of those that are projected.
        count: number of axes, fewer than n and at most the number of coordinates.
        norm: the ground norm of W1. In l2 the projection is 1-Lipschitz; in another norm it is divided by its constant.

    Raises:
        ValueError: more axes than the samples or their coordinates determine.

    Source:
        Jolliffe, "Principal Component Analysis", 2002, section 1.1.
    """
    points = samples.to("cpu", torch.float64).flatten(1)
    most = min(len(points) - 1, points.shape[1])
    if not 1 <= count <= most:
        raise ValueError(
            f"features='pca-{count}' requires more than {count} samples of at least {count} coordinates; got "
            f"{len(points)} samples of {points.shape[1]}"
        )
    # Initial weights would be drawn from the global generator, on which a resumed training depends.
    linear = nn.utils.skip_init(nn.Linear, points.shape[1], count, bias=False, dtype=torch.float64)
    with torch.no_grad():
        linear.weight.copy_(_leading_directions(points - points.mean(0), count).mT)
    return certified_map(f"pca_{count}", nn.Sequential(nn.Flatten(), linear), norm)


def _leading_directions(centered: Tensor, count: int) -> Tensor:
    """Return the first right singular vectors of a matrix, shape (d, count), from the smaller of its Gram matrices."""
    n, d = centered.shape
    wide = d > n
    # Eigenvalues ascend.
    vectors = torch.linalg.eigh(centered @ centered.mT if wide else centered.mT @ centered).eigenvectors
    leading = vectors[:, -count:].flip(1)
    return torch.linalg.qr(centered.mT @ leading).Q if wide else leading


def check_features(features: Sequence[Feature]) -> None:
    """Check the names of feature maps.

    Args:
        features: "critic", "pca-K" with a positive K, or modules.

    Raises:
        ValueError: another name, or two maps of one name.
    """
    names = []
    for feature in features:
        if isinstance(feature, str) and feature != "critic" and not _PCA.fullmatch(feature):
            raise ValueError(
                f"features must hold critic, pca-K with K a number of axes, or modules with a certified Lipschitz "
                f"constant; got {feature!r}"
            )
        names.append(name_of(feature))
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"features must be different; got {name} {names.count(name)} times")


def axes_of(feature: Feature) -> int | None:
    """Return K of "pca-K"; None for other features."""
    found = _PCA.fullmatch(feature) if isinstance(feature, str) else None
    return int(found[1]) if found else None


def name_of(feature: Feature) -> str:
    """Return the name by which the metrics of a feature map are logged.

    ``critic_features`` for "critic", ``pca_32`` for "pca-32", and the class in lower case for a module: ``my_map`` for
    ``MyMap``.

    Args:
        feature: see :func:`check_features`.
    """
    if isinstance(feature, str):
        return CRITIC_FEATURES if feature == "critic" else feature.replace("-", "_")
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(feature).__name__).lower()
