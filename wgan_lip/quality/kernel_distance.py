"""The squared maximum mean discrepancy of two samples, without bias and with its standard error."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from wgan_lip.quality.features import Features, checked, rows_at_once


@dataclass(frozen=True)
class KernelDistance:
    """An estimate of the squared MMD of two distributions.

    Attributes:
        value: without bias, so it may be negative where the distributions are alike.
        standard_error: by the jackknife over both samples; somewhat too large where they are alike.
    """

    value: float
    standard_error: float


def kernel_distance(x: Features, y: Features) -> KernelDistance:
    """``E k(x, x') + E k(y, y') - 2 E k(x, y)`` with ``k(a, b) = (<a, b> / d + 1)^3``, over pairs of different samples.

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
    x, y = checked(3, x=x, y=y)
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
        raise ValueError("the kernel of x and y overflows float64: scale both down")
    return KernelDistance(value, math.sqrt(float(variance)))


def _row_sums(a: Tensor, b: Tensor) -> Tensor:
    """``sum_j k(a_i, b_j)`` for each i."""
    parts = [((part @ b.mT) / a.shape[1] + 1).pow_(3).sum(1) for part in a.split(rows_at_once(len(b)))]
    return torch.cat(parts)


def _kernel_of_itself(a: Tensor) -> Tensor:
    return (a.square().sum(1) / a.shape[1] + 1).pow(3)
