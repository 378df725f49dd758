"""Directions on the Stiefel manifold: tangent projection and orthogonalisation of a step."""

import torch
from torch import Tensor

# Coefficients (a, b, c) of the odd polynomial a s + b s^3 + c s^5, which takes singular values in
# (0, 1] towards 1 and after a few repetitions holds them in [0.68, 1.14].
_QUINTIC = (3.4445, -4.7750, 2.0315)
# From this size a product in bfloat16 saves more than the conversion costs.
_LARGE = 384


def tangent(weight: Tensor, direction: Tensor) -> Tensor:
    """The orthogonal projection of a direction onto the tangent space of the Stiefel manifold.

    ``D - W sym(W^T D)`` with ``sym(A) = (A + A^T) / 2``, for tall W; for wide ones of the transposes.

    Args:
        weight: orthogonal matrices of shape (..., m, n).
        direction: of the same shape.

    Source:
        Absil, Mahony, Sepulchre, "Optimization Algorithms on Matrix Manifolds", 2008, equation (3.35).
    """
    if weight.shape[-2] < weight.shape[-1]:
        return tangent(weight.mT, direction.mT).mT
    product = weight.mT @ direction
    return direction - weight @ (0.5 * (product + product.mT))


def orthogonalized(direction: Tensor, iterations: int = 5) -> Tensor:
    """About the nearest matrix whose singular values are 0 or 1: ``U V^T`` for ``D = U S V^T``.

    Newton-Schulz iterations ``X <- a X + b X X^T X + c (X X^T)^2 X`` from ``X = D / |D|_F``. They bring singular
    values above a hundredth of ``|D|_F`` into [0.68, 1.14] and never raise one above 1.21: a
    step's direction needs no more.

    Args:
        direction: matrices of shape (..., m, n); a zero matrix stays zero.
        iterations: how often the polynomial is applied.

    Source:
        Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024.
    """
    if direction.shape[-2] < direction.shape[-1]:
        return orthogonalized(direction.mT, iterations).mT
    x = normalized(direction)
    if direction.shape[-1] == 1:
        return x
    a, b, c = _QUINTIC
    for _ in range(iterations):
        gram = x.mT @ x
        x = a * x + x @ (b * gram + c * (gram @ gram))
    return x


def normalized(direction: Tensor) -> Tensor:
    """``D / |D|_F`` for each matrix of a stack, also where squares over- or underflow; 0 for 0."""
    tiny = torch.finfo(direction.dtype).tiny
    scaled = direction / direction.abs().amax((-2, -1), keepdim=True).clamp_min(tiny)
    return scaled / torch.linalg.matrix_norm(scaled, keepdim=True).clamp_min(tiny)


def fast_dtype(weight: Tensor) -> torch.dtype:
    """bfloat16 where large products of float32 are several times slower, else the weight's own dtype.

    Only for a step's direction, which a relative error of 2^-8 does not harm: the step ends with a retraction in
    the weight's own precision.
    """
    if weight.dtype != torch.float32 or min(weight.shape[-2:]) < _LARGE:
        return weight.dtype
    native = torch.cuda.is_bf16_supported(False) if weight.is_cuda else _cpu_multiplies_bfloat16()
    return torch.bfloat16 if native else weight.dtype


def _cpu_multiplies_bfloat16() -> bool:
    # Without such instructions bfloat16 products are emulated, slower than those of float32.
    return any(getattr(torch.cpu, name, bool)() for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
