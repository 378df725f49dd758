"""Rigorous upper bounds, in float64: arithmetic whose rounding errors are accounted for."""

import math

import torch
from torch import Tensor

# Unit roundoff of float64.
_U = 2.0**-53


def gamma(n: int) -> float:
    """Return Higham's ``gamma_n = n u / (1 - n u)``: the relative error of n successive float64 roundings.

    Args:
        n: number of roundings; an inner product of length n has n of them in any order of summation.

    Source:
        Higham, "Accuracy and Stability of Numerical Algorithms", 2002, lemma 3.1.
    """
    return n * _U / (1 - n * _U) * (1 + 4 * _U)


def product_upper_bound(factors: list[float]) -> float:
    """Bound the exact product of non-negative ``factors`` from above."""
    if 0.0 in factors:
        # Even if another factor is infinite: a constant layer makes the network constant.
        return 0.0
    product = 1.0
    for factor in factors:
        rounded = product * factor
        # Products with 1 are exact.
        product = rounded if 1.0 in (product, factor) else math.nextafter(rounded, math.inf)
    return product


def spectral_norm_upper_bound(weight: Tensor) -> float:
    """Bound the largest singular value of a matrix from above, rigorously.

    Let ``G = W W^T`` (or ``W^T W``, whichever is smaller), and ``A = t I - G``. If a floating-point
    Cholesky factorisation of A succeeds, A + E is positive semidefinite for some
    ``|E|_2 <= gamma_(n+1) tr(A) / (1 - gamma_(n+1))``, hence ``|W|_2^2 <= t + |E|_2`` plus the rounding of G and of
    the subtraction. Here t starts just above an estimate of the largest eigenvalue of G and is raised until the
    factorisation succeeds; the proof does not use the estimate.

    Args:
        weight: a matrix of shape (m, n) of any floating dtype; its entries are taken as exact.

    Returns:
        A float at least ``|W|_2``, larger by a relative error of about ``max(m, n)^2 * 1e-16``.

    Raises:
        ValueError: the weight is not a matrix, or holds NaN or infinity.

    Source:
        Rump, "Verification of positive definiteness", BIT Numer. Math. 46, 2006, theorem 2.3.
    """
    if weight.ndim != 2:
        raise ValueError(f"weight must be a matrix; got shape {tuple(weight.shape)}")
    w = weight.detach().to("cpu", torch.float64)
    if not torch.isfinite(w).all():
        raise ValueError(f"weight of shape {tuple(weight.shape)} holds NaN or infinity")
    if w.numel() == 0:
        return 0.0
    largest = float(w.abs().max())
    if largest == 0.0:
        return 0.0
    # A power of two: scaling by it is exact, and keeps the squares from over- and underflow.
    scale = 2.0 ** (math.frexp(largest)[1] - 1)
    w = w / scale
    return norm_up(largest_squared_norm(w[None]), scale)


def largest_squared_norm(w: Tensor) -> float:
    """Bound the largest ``|W|_2^2`` of a stack of matrices, by the method of :func:`spectral_norm_upper_bound`.

    Args:
        w: of shape (b, n, length) in float64, finite, with a largest entry of order 1.
    """
    if w.shape[1] > w.shape[2]:
        w = w.mT
    _, n, length = w.shape
    frobenius_squared = float(w.square().sum((1, 2)).max()) * (1 + 2 * gamma(n * length + 2))
    if n == 1:
        return frobenius_squared
    gram = w @ w.mT
    # |fl(G) - G| <= gamma_length |W| |W^T| entrywise, whose spectral norm is at most |W|_F^2. Underflow changes a term
    # by less than the smallest normal number: negligible beside the last factor below, for entries of order 1.
    rounding = gamma(length + 2) * frobenius_squared
    estimate = float(torch.linalg.eigvalsh(gram)[:, -1].max())
    slack = max(estimate, 0.0) * n * 4 * _U
    for _ in range(60):
        shifted = -gram
        t = estimate + slack
        shifted.diagonal(dim1=1, dim2=2).add_(t)
        if not bool(torch.linalg.cholesky_ex(shifted).info.any()):
            trace = float(shifted.diagonal(dim1=1, dim2=2).abs().sum(1).max()) * (1 + gamma(n))
            cholesky_error = gamma(n + 1) / (1 - gamma(n + 1)) * trace
            subtraction = 2 * _U * (abs(t) + float(gram.diagonal(dim1=1, dim2=2).abs().max()))
            # At most the bound |W|_2 <= |W|_F, which needs no factorisation.
            return min(frobenius_squared, (t + cholesky_error + subtraction + rounding) * (1 + 8 * _U))
        slack = 2 * slack + 4 * _U * frobenius_squared
    return frobenius_squared


def norm_up(squared: float, scale: float) -> float:
    """Return ``sqrt(squared) * scale``, rounded up."""
    return math.nextafter(math.nextafter(math.sqrt(squared), math.inf) * scale, math.inf)
