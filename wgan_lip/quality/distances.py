"""Frechet and kernel distance of features, both with a standard error by the jackknife."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from wgan_lip.quality.features import Features, check_features, rows_at_once

# Note [what the jackknife overstates]
# To second order in the samples, the variance of the distance is a / n + b / n^2, and the jackknife's mean is
# a / n + 2 b / n^2: too large by a factor of 2, that is sqrt(2) in the standard error, if the distributions are alike
# and the first order vanishes (Efron and Stein, "The jackknife estimate of variance", 1981). On halves of the samples
# its mean is 2 a / n + 8 b / n^2. Three halves of the first less a quarter of the second is the variance, and it lies
# between the first and half of it.


@dataclass(frozen=True)
class FrechetDistance:
    """An estimate of the squared W2 of two Gaussians.

    Attributes:
        value: biased upwards with finitely many samples, which the standard error does not include: compare it with
            the value of two samples of one distribution, of the same sizes.
        standard_error: of the value about its own mean, by the infinitesimal jackknife over both samples, corrected
            for its bias (see the note above).
    """

    value: float
    standard_error: float


def frechet_distance(real: Features, fake: Features) -> FrechetDistance:
    """Compute ``|m - m'|^2 + tr S + tr S' - 2 tr (S S')^(1/2)`` with means m, m' and unbiased covariances S, S'.

    On features of the Inception network it is known as FID. With ``S = A^T A`` and ``S' = B^T B``, where A and B are
    the centred samples over sqrt(n - 1), the last trace is the sum of the singular values of ``A B^T``: no covariance
    is formed, and no precision is lost to squares, also with fewer samples than features.

    Args:
        real: features of shape (n, d), a tensor or a NumPy array, n >= 4, in random order: for the standard error they
            are split into those at even and those at odd places.
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
    real, fake = check_features(4, real=real, fake=fake)
    value, jackknife = _frechet(real, fake)
    if not math.isfinite(value + jackknife):
        raise ValueError("the squares of real and fake must not overflow float64: scale both down")
    halves = sum(_frechet(real[i::2], fake[i::2])[1] for i in (0, 1)) / 2
    variance = min(max(1.5 * jackknife - halves / 4, jackknife / 2), jackknife)
    return FrechetDistance(max(value, 0.0), math.sqrt(variance))


def _frechet(real: Tensor, fake: Tensor) -> tuple[float, float]:
    """Return the distance and its variance by the infinitesimal jackknife; NaN or infinity if a square overflows."""
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
    """Factor the centred samples over sqrt(n - 1) into orthonormal columns and a matrix of at most d rows."""
    n, d = samples.shape
    centred = (samples - samples.mean(0)) / math.sqrt(n - 1)
    if n > d:
        q, r = torch.linalg.qr(centred)
        return q, r
    return torch.eye(n, dtype=samples.dtype), centred


def _variance(samples: Tensor, shift: Tensor, vectors: Tensor, s: Tensor) -> float:
    """Return the part of the distance's variance that is due to one of the samples.

    The influence of a sample, up to a constant, is n times the derivative of the distance by the logarithm of the
    sample's weight. That of the i-th is ``2 (m - m') . (x_i - m) + n |a_i|^2 - n sum_k s_k u_ik^2`` with the rows a_i
    of A and the singular values s and left singular vectors u of ``A B^T``.
    """
    n, centred = len(samples), samples - samples.mean(0)
    influence = 2 * centred @ shift + n * (centred.square().sum(1) / (n - 1) - vectors.square() @ s)
    return float(influence.var()) / n


@dataclass(frozen=True)
class KernelDistance:
    """An estimate of the squared MMD of two distributions.

    Attributes:
        value: unbiased, so it may be negative if the distributions are alike.
        standard_error: by the jackknife over both samples; somewhat too large if they are alike.
    """

    value: float
    standard_error: float


def kernel_distance(x: Features, y: Features) -> KernelDistance:
    """Compute ``E k(x, x') + E k(y, y') - 2 E k(x, y)``, ``k(a, b) = (<a, b> / d + 1)^3``, over pairs of two samples.

    On features of the Inception network it is known as KID.

    Args:
        x: features of shape (n, d), a tensor or a NumPy array, n >= 3.
        y: features of shape (m, d), m >= 3.

    Raises:
        TypeError: neither tensors nor NumPy arrays.
        ValueError: sparse or masked ones, too few samples, NaN or infinity, different numbers of features, or a
            kernel that overflows.

    Source:
        Binkowski, Sutherland, Arbel, Gretton, "Demystifying MMD GANs", ICLR 2018, section 4; Gretton et al., "A kernel
        two-sample test", JMLR 13, 2012, equation (3).

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> x, y = torch.randn(2, 200, 4, generator=generator)
        >>> abs(kernel_distance(x, y).value) < 3 * kernel_distance(x, y).standard_error  # of one distribution
        True
    """
    x, y = check_features(3, x=x, y=y)
    n, m = len(x), len(y)
    xx, yy, xy, yx = _row_sums(x, x), _row_sums(y, y), _row_sums(x, y), _row_sums(y, x)
    # Without each sample's pair with itself.
    xx, yy = xx - _kernel_of_itself(x), yy - _kernel_of_itself(y)
    within_x, within_y, across = xx.sum() / (n * (n - 1)), yy.sum() / (m * (m - 1)), xy.sum() / (n * m)
    without_x = (xx.sum() - 2 * xx) / ((n - 1) * (n - 2)) - 2 * (xy.sum() - xy) / ((n - 1) * m)
    without_y = (yy.sum() - 2 * yy) / ((m - 1) * (m - 2)) - 2 * (yx.sum() - yx) / ((m - 1) * n)
    variance = sum((len(part) - 1) * part.var(correction=0) for part in (without_x, without_y))
    value = float(within_x + within_y - 2 * across)
    if not (math.isfinite(value) and math.isfinite(float(variance))):
        raise ValueError("the kernel of x and y must not overflow float64: scale both down")
    return KernelDistance(value, math.sqrt(float(variance)))


def _row_sums(a: Tensor, b: Tensor) -> Tensor:
    """Return ``sum_j k(a_i, b_j)`` for each i."""
    parts = [((part @ b.mT) / a.shape[1] + 1).pow_(3).sum(1) for part in a.split(rows_at_once(len(b)))]
    return torch.cat(parts)


def _kernel_of_itself(a: Tensor) -> Tensor:
    """Return ``k(a_i, a_i)`` for each i."""
    return (a.square().sum(1) / a.shape[1] + 1).pow(3)
