"""The certified radius of each image, within which a classifier's class cannot change."""

import math
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from wgan_lip.lipschitz import (
    LipschitzCertificate,
    Norm,
    Scale,
    certify,
    evaluating,
    gamma,
    inherits_forward,
    leaves,
    norm_of,
    product_upper_bound,
)
from wgan_lip.robustness.ball import check_norm

# Images that are classified at once.
_CHUNK = 1000
# More than the roundings of a product or two.
_UP = 1 + 4 * torch.finfo(torch.float64).eps


class BrokenCertificateError(RuntimeError):
    """An image within its certified radius changed its class, which is a bug here or in the certificate."""


@dataclass(frozen=True)
class RobustnessCertificate:
    """Proven bounds for differences of logits: ``|d_ij(x) - d_ij(x')| <= K_ij |x - x'|`` with ``d_ij = z_i - z_j``.

    Attributes:
        lipschitz: of the whole network, layer by layer.
        constants: K, shape (classes, classes), float64, symmetric with a diagonal of 0.
    """

    lipschitz: LipschitzCertificate
    constants: Tensor

    def radii(self, logits: Tensor, rounding: float) -> Tensor:
        """Compute for each image the radius within which the class with the largest logit stays the same.

        ``r = min_(j != c) (z_c - z_j - rounding) / K_cj`` with c that class.

        Args:
            logits: z in float64, shape (N, classes).
            rounding: a bound of the rounding error of a difference of two logits.

        Returns:
            Shape (N,), at least 0; infinity where no logit can change at all.

        Raises:
            ValueError: logits of a wrong shape or dtype.
        """
        classes = len(self.constants)
        if logits.ndim != 2 or logits.shape[1] != classes or logits.dtype != torch.float64:
            raise ValueError(
                f"logits must be float64 of shape (N, {classes}); got {logits.dtype} {tuple(logits.shape)}"
            )
        largest, best = logits.max(1, keepdim=True)
        gaps = (largest - logits - rounding).clamp_min(0)
        ratios = torch.where(gaps > 0, gaps / self.constants[best[:, 0]], 0.0)
        return ratios.scatter(1, best, torch.inf).amin(1) * (1 - 4 * torch.finfo(torch.float64).eps)


def certify_classifier(
    network: nn.Module, classes: int, norm: Norm | None = None, dimension: int | None = None
) -> RobustnessCertificate:
    """Bound the differences of a classifier's logits, rigorously and in float64.

    If the network ends with a linear layer W (and perhaps a ``Scale`` s) after layers of constant L,
    ``K_ij = L |w_i - w_j|_* |s|``, where ``|.|_*`` is the dual norm: l2 of l2, l1 of l_inf. For a network of constant 1
    that is at most ``sqrt(2)`` in l2 if the rows are orthonormal, and at most 2 in l_inf; less wherever two classes
    share features. Otherwise ``K_ij = sqrt(2) L`` in l2 and ``2 L`` in l_inf, with L of the whole network.

    With the inputs' ``dimension`` d, each K_ij is the smaller of that and of the bound that follows from the other
    norm by ``|x|_inf <= |x|_2 <= sqrt(d) |x|_inf``.

    Args:
        network: from (N, ...) to logits (N, classes), as :func:`wgan_lip.lipschitz.certify` takes it.
        classes: number of logits.
        norm: "l2" or "linf"; None is the norm of the layers' constraints.
        dimension: coordinates of one input; None does not use the other norm.

    Returns:
        The certificate; its ``lipschitz`` is in ``norm``, unless a layer can be bounded in the other norm only.

    Raises:
        ValueError: a network that cannot be certified, or with another number of logits.

    Source:
        Tsuzuku, Sato, Sugiyama, "Lipschitz-margin training", NeurIPS 2018, proposition 1; differences of rows: Singla,
        Singla, Feizi, "Improved deterministic l2 robustness on CIFAR-10 and CIFAR-100", ICLR 2022, section 5; l_inf:
        Anil, Lucas, Grosse, "Sorting out Lipschitz function approximation", ICML 2019, section 5.

    Example:
        >>> from wgan_lip.networks import MLPClassifier
        >>> network = MLPClassifier([4], classes=3, hidden=[8]).eval()
        >>> certificate = certify_classifier(network, classes=3, norm="l2")
        >>> logits = torch.tensor([[3.0, 1.0, 0.0]], dtype=torch.float64)  # a margin of 2, over sqrt(2)
        >>> certificate.radii(logits, rounding=0.0).round(decimals=4)
        tensor([1.4142], dtype=torch.float64)
    """
    if classes < 2:
        raise ValueError(f"classes must be at least 2; got classes={classes}")
    norm = norm or norm_of(network) or "l2"
    check_norm(norm)
    if dimension is None:
        return _certify_in(network, classes, norm)
    if dimension < 1:
        raise ValueError(f"dimension must be at least 1; got dimension={dimension}")
    other: Norm = "l2" if norm == "linf" else "linf"
    factor = math.nextafter(math.sqrt(dimension), math.inf) if norm == "linf" else 1.0
    try:
        own = _certify_in(network, classes, norm)
    except ValueError as error:
        try:
            theirs = _certify_in(network, classes, other)
        except ValueError:
            raise error from None
        return RobustnessCertificate(theirs.lipschitz, theirs.constants * factor * _UP)
    try:
        theirs = _certify_in(network, classes, other)
    except ValueError:
        return own
    return RobustnessCertificate(own.lipschitz, torch.minimum(own.constants, theirs.constants * factor * _UP))


def _certify_in(network: nn.Module, classes: int, norm: Norm) -> RobustnessCertificate:
    lipschitz = certify(network, norm)
    chain = [module for _, module in leaves(network)]
    bounds = [layer.bound for layer in lipschitz.layers]
    head = _head(chain)
    if head is None:
        constant = product_upper_bound([lipschitz.bound, 2.0 if norm == "linf" else math.sqrt(2) * _UP])
        constants = torch.full((classes, classes), constant, dtype=torch.float64)
    else:
        with evaluating(chain[head]):
            weight = cast(Tensor, chain[head].weight).detach().to("cpu", torch.float64)
        if len(weight) != classes:
            raise ValueError(f"the network has {len(weight)} logits, not classes={classes}")
        rest = product_upper_bound(bounds[:head] + bounds[head + 1 :])
        differences = _differences(weight, norm)
        # The logits of equal rows are equal, whatever the layers before; a constant that overflowed is infinite.
        constants = torch.where(differences == 0, 0.0, differences * rest * _UP).nan_to_num(
            nan=math.inf, posinf=math.inf
        )
    return RobustnessCertificate(lipschitz, constants.fill_diagonal_(0))


@torch.no_grad()
def logits_of(network64: nn.Module, x: Tensor) -> Tensor:
    """Compute logits in float64, in chunks, shape (N, classes).

    Args:
        network64: a ``float64_copy``.
        x: shape (N, ...).
    """
    return torch.cat([network64(part.to("cpu", torch.float64, copy=True)) for part in x.split(_CHUNK)])


def distances(x: Tensor, z: Tensor, norm: Norm) -> Tensor:
    """Compute ``|x - z|`` of each image, in float64, shape (N,).

    Args:
        x: images, shape (N, ...).
        z: other images, shape (N, ...).
        norm: "l2" or "linf".
    """
    order = 2 if norm == "l2" else torch.inf
    return torch.linalg.vector_norm((x.double() - z.double()).flatten(1), order, dim=1)


def check_unbroken(radii: Tensor, moved: Tensor, before: Tensor, after: Tensor) -> None:
    """Check that no image changed its class within its certified radius.

    Args:
        radii: certified, shape (N,).
        moved: the distance by which each image was moved, in the certificate's norm, shape (N,).
        before: the classes of the images, shape (N,).
        after: the classes of the moved images, shape (N,).

    Raises:
        BrokenCertificateError: an image did.
    """
    broken = (after != before) & (moved < radii)
    if bool(broken.any()):
        i = int(broken.nonzero()[0])
        raise BrokenCertificateError(
            f"{int(broken.sum())} of {len(radii)} images changed their class within their certified radius, the first "
            f"of them image {i}: certified {float(radii[i])!r}, moved by {float(moved[i])!r}, class {int(before[i])} "
            f"became {int(after[i])}. This is a bug, please report it"
        )


def _head(chain: list[nn.Module]) -> int | None:
    """Find the index of the linear layer that is followed by nothing but scalings; None if there is none."""
    for index in reversed(range(len(chain))):
        module = chain[index]
        if isinstance(module, nn.Linear) and inherits_forward(module, nn.Linear):
            return index
        if not isinstance(module, Scale | nn.Identity | nn.Dropout):
            return None
    return None


def _differences(weight: Tensor, norm: Norm) -> Tensor:
    """Compute ``|w_i - w_j|_*``, rounded up, shape (K, K)."""
    largest = float(weight.abs().max()) if weight.numel() else 0.0
    if largest == 0.0:
        return torch.zeros(len(weight), len(weight), dtype=torch.float64)
    # A power of two: exact, and squares neither over- nor underflow.
    scale = 2.0 ** (math.frexp(largest)[1] - 1)
    apart = weight[:, None] / scale - weight[None] / scale
    lengths = apart.abs().sum(2) if norm == "linf" else apart.square().sum(2).sqrt()
    # Numbers that underflow all the same are less than the last term; the difference of equal rows is exactly 0.
    tiny = weight.shape[1] * 2.0**-500
    return torch.where((apart == 0).all(2), 0.0, (lengths * (1 + 2 * gamma(weight.shape[1] + 4)) + tiny) * scale)
