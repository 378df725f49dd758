"""Bjorck orthonormalisation, differentiable: the paper's own way to an orthogonal weight."""

import torch
from torch import Tensor

# Taylor coefficients of (1 - q)^(-1/2): Bjorck and Bowie 1971, equation (2.4).
_COEFFICIENTS = (1.0, 1 / 2, 3 / 8, 5 / 16, 35 / 128)


def bjorck_orthonormalize(weight: Tensor, order: int = 1, iterations: int = 20) -> Tensor:
    """Move a matrix towards its polar factor ``U V^T`` by Bjorck's iteration.

    ``W <- W sum_(i <= order) c_i Q^i`` with ``Q = I - W^T W`` and ``c = (1, 1/2, 3/8, 5/16, 35/128)``.

    It starts from ``W / s`` with ``s = sqrt(|G|_inf)``, G the smaller Gram matrix: at least the
    spectral norm, so the iteration converges, and equal to it where W is orthogonal, so that no
    iterations are lost on growing back. (Dividing by ``sqrt(m n)`` leaves singular values near 0.5
    after 20 iterations.)

    Args:
        weight: a matrix of shape (m, n); gradients flow through every iteration, but not through s,
            on which the limit does not depend.
        order: the order of the Taylor polynomial, 1 to 4.
        iterations: how often it is applied.

    Returns:
        A matrix of shape (m, n) with singular values in (0, 1], close to 1 once converged.

    Raises:
        ValueError: ``order`` is not in 1..4, ``iterations < 1``, or weight is not a matrix.

    Source:
        Bjorck, Bowie 1971, equation (2.4); Anil, Lucas, Grosse 2019, section 4.2.
    """
    check_bjorck(order, iterations)
    if weight.ndim != 2:
        raise ValueError(f"weight must be a matrix; got shape {tuple(weight.shape)}")
    tall = weight.shape[0] >= weight.shape[1]
    w = weight if tall else weight.mT
    eye = torch.eye(w.shape[1], dtype=w.dtype, device=w.device)
    # First by the largest entry, so that the squares neither over- nor underflow.
    tiny = torch.finfo(w.dtype).tiny
    w = w / w.detach().abs().max().clamp_min(tiny)
    w = w / torch.linalg.matrix_norm((w.mT @ w).detach(), ord=float("inf")).sqrt().clamp_min(tiny)
    for _ in range(iterations):
        q = eye - w.mT @ w
        # Horner's rule, so order p costs p - 1 products of the small square matrix.
        polynomial = _COEFFICIENTS[order] * q
        for coefficient in reversed(_COEFFICIENTS[1:order]):
            polynomial = torch.addmm(coefficient * q, q, polynomial)
        w = w + w @ polynomial
    return w if tall else w.mT


def check_bjorck(order: int, iterations: int) -> None:
    """Raise ValueError where Bjorck's iteration is not defined for these arguments."""
    if order not in range(1, len(_COEFFICIENTS)):
        raise ValueError(f"order must be 1, 2, 3 or 4; got order={order}")
    if iterations < 1:
        raise ValueError(f"iterations must be at least 1; got iterations={iterations}")
