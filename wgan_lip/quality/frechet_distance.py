"""The squared W2 of the Gaussians that have two samples' means and covariances, with its standard error."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from wgan_lip.quality.features import Features, checked

# Note [what the jackknife overstates]
# To second order in the samples, the distance varies by a / n + b / n^2, and the jackknife finds a / n + 2 b / n^2 in
# the mean: too much where the distributions are alike and the first order vanishes, by a factor of sqrt(2) (Efron and
# Stein, "The jackknife estimate of variance", 1981). On halves of the samples it finds 2 a / n + 8 b / n^2. Three
# halves of the first less a quarter of the second is what was sought, and it lies between the first and half of it.


@dataclass(frozen=True)
class FrechetDistance:
    """An estimate of the squared W2 of two Gaussians.

    Attributes:
        value: too large by what finitely many samples add, which the standard error does not tell of: set it against
            that of two samples of one distribution, of the same sizes.
        standard_error: of the value about its own mean, by the infinitesimal jackknife over both samples, less what
            that overstates.
    """

    value: float
    standard_error: float


def frechet_distance(real: Features, fake: Features) -> FrechetDistance:
    """``|m - m'|^2 + tr S + tr S' - 2 tr (S S')^(1/2)`` with the means m, m' and unbiased covariances S, S'.

    On features of the Inception network it is known as FID. With ``S = A^T A`` and ``S' = B^T B``, where A and B are
    the centred samples over sqrt(n - 1), the last trace is the sum of the singular values of ``A B^T``: no covariance
    is formed, and no precision is lost to squares, of fewer samples than features either.

    Args:
        real: features of shape (n, d), a tensor or a NumPy array, n >= 4, in an order without pattern: for the standard
            error, they are halved into those at even and those at odd places.
        fake: features of shape (m, d), m >= 4.

    Raises:
        TypeError: neither tensors nor NumPy arrays.
        ValueError: sparse or masked ones, too few samples, NaN or infinity, different numbers of features, or
            squares that overflow.

    Source:
        Heusel, Ramsauer, Unterthiner, Nessler, Hochreiter, "GANs trained by a two time-scale update rule converge to
        a local Nash equilibrium", NeurIPS 2017, equation (6); Dowson, Landau, "The Frechet distance between
        multivariate normal distributions", 1982.
    """
    real, fake = checked(4, real=real, fake=fake)
    value, jackknife = _distance(real, fake)
    if not math.isfinite(value + jackknife):
        raise ValueError("the squares of real and fake overflow float64: scale both down")
    halves = sum(_distance(real[i::2], fake[i::2])[1] for i in (0, 1)) / 2
    variance = min(max(1.5 * jackknife - halves / 4, jackknife / 2), jackknife)
    return FrechetDistance(max(value, 0.0), math.sqrt(variance))


def _distance(real: Tensor, fake: Tensor) -> tuple[float, float]:
    """The distance, and its variance by the infinitesimal jackknife; NaN or infinity if a square overflows."""
    shift = real.mean(0) - fake.mean(0)
    (q, a), (p, b) = _root(real), _root(fake)
    product, traces = a @ b.mT, a.square().sum() + b.square().sum()
    if not bool(torch.isfinite(product).all()):
        return math.nan, math.nan
    u, s, vh = torch.linalg.svd(product, full_matrices=False)
    value = float(shift @ shift + traces - 2 * s.sum())
    variance = _variance(real, shift, q @ u, s) + _variance(fake, -shift, p @ vh.mT, s)
    return value, variance


def _root(samples: Tensor) -> tuple[Tensor, Tensor]:
    """Orthonormal columns and a matrix of at most d rows, whose product is the centred samples over sqrt(n - 1)."""
    n, d = samples.shape
    centred = (samples - samples.mean(0)) / math.sqrt(n - 1)
    if n > d:
        q, r = torch.linalg.qr(centred)
        return q, r
    return torch.eye(n, dtype=samples.dtype), centred


def _variance(samples: Tensor, shift: Tensor, vectors: Tensor, s: Tensor) -> float:
    """Of the distance, by the sampling of one side.

    The influence of a sample, up to a constant, is n times the derivative of the distance by the logarithm of the
    sample's weight. That of the i-th is ``2 (m - m') . (x_i - m) + n |a_i|^2 - n sum_k s_k u_ik^2`` with the rows a_i
    of A and the singular values s and left singular vectors u of ``A B^T``.
    """
    n, centred = len(samples), samples - samples.mean(0)
    influence = 2 * centred @ shift + n * (centred.square().sum(1) / (n - 1) - vectors.square() @ s)
    return float(influence.var()) / n
