"""Directions on the Stiefel manifold: tangent projection and orthogonalisation of a step."""

import torch
from torch import Tensor

# Odd polynomials a s + b s^3 + c s^5, applied in turn. Each is the best approximation of 1 on the interval to which the
# previous ones map [1/100, 1], so that the values of the last one lie in [0.73, 1.27].
_POLYNOMIALS = (
    (8.0934, -23.6205, 17.4462),
    (3.6366, -2.7219, 0.5365),
    (2.6613, -1.9772, 0.4526),
)
# Singular values are kept below each interval's end by this factor, so that rounding in bfloat16 does not exceed it.
_MARGIN = 1.02


def tangent(weight: Tensor, direction: Tensor) -> Tensor:
    """Project a direction orthogonally onto the tangent space of the Stiefel manifold.

    ``D - sym(D W^T) W`` with ``sym(A) = (A + A^T) / 2``, for wide W; tall W are transposed.

    Args:
        weight: orthogonal matrices of shape (b, m, n).
        direction: of the same shape.

    Source:
        Absil, Mahony, Sepulchre, "Optimization Algorithms on Matrix Manifolds", 2008, equation (3.35).
    """
    if weight.shape[-2] > weight.shape[-1]:
        return tangent(weight.mT, direction.mT).mT
    product = direction @ weight.mT
    return torch.baddbmm(direction, _transposed(product).add_(product), weight, alpha=-0.5)


def orthogonalized_tangent(weight: Tensor, direction: Tensor) -> Tensor:
    """Compute ``msign(P_W(D))``, tangent at W: :func:`orthogonalized` of the direction's tangent part.

    For square W that is ``msign(A) W`` with ``A = D W^T - W D^T`` skew-symmetric, and so is ``msign(A)``; otherwise the
    result is projected once more.

    Args:
        weight: orthogonal matrices of shape (b, m, n).
        direction: of the same shape.
    """
    if weight.shape[-2] != weight.shape[-1]:
        return tangent(weight, orthogonalized(tangent(weight, direction)))
    product = direction @ weight.mT
    skew = orthogonalized(_transposed(product).neg_().add_(product))
    # A symmetric part, which remains by rounding, would move the weight off the manifold.
    return torch.sub(skew, _transposed(skew)).mul_(0.5) @ weight


def orthogonalized(direction: Tensor) -> Tensor:
    """Compute approximately the nearest matrix with singular values 0 or 1: ``U V^T`` for ``D = U S V^T``.

    Three iterations ``X <- a X + (b G + c G^2) X`` with ``G = X X^T``, from ``X = D / |(D D^T)^2|_F^(1/4)``, whose
    largest singular value is at most 1 and not much less. They bring singular values above a hundredth into [0.7, 1.3],
    raise none above 1.3 and enlarge smaller ones seventy times, which is enough for a step's direction.

    Args:
        direction: matrices of shape (b, m, n); a zero matrix stays zero.

    Source:
        Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024; Amsel et al., "The Polar
        Express", 2025, theorem 3.1.
    """
    if direction.shape[-2] > direction.shape[-1]:
        return orthogonalized(direction.mT).mT
    x = normalized(direction)
    if direction.shape[-2] == 1:
        return x
    for i, (a, b, c) in enumerate(_POLYNOMIALS):
        gram = x @ x.mT
        if i == 0:
            square = gram @ gram
            size = torch.linalg.matrix_norm(square, keepdim=True, dtype=torch.promote_types(x.dtype, torch.float32))
            scale = size.pow(-0.25).clamp_max(1 / torch.finfo(x.dtype).eps).div_(_MARGIN).to(x.dtype)
            x = x * scale
            polynomial = (b * scale**2) * gram + (c * scale**4) * square
        else:
            polynomial = torch.baddbmm(gram, gram, gram, beta=b / _MARGIN**3, alpha=c / _MARGIN**5)
            a /= _MARGIN
        x = torch.baddbmm(x, polynomial, x, beta=a)
    return x


def normalized(direction: Tensor) -> Tensor:
    """Compute ``D / |D|_F`` for each matrix of a stack; 0 for 0."""
    return direction / norm(direction).clamp_min(torch.finfo(direction.dtype).tiny)


def norm(direction: Tensor) -> Tensor:
    """Compute ``|D|_F`` for each matrix of a stack, shape (b, 1, 1), even if squares over- or underflow."""
    largest = direction.abs().amax((-2, -1), keepdim=True)
    scaled = direction / largest.clamp_min(torch.finfo(direction.dtype).tiny)
    return largest * torch.linalg.matrix_norm(scaled, keepdim=True)


def _transposed(product: Tensor) -> Tensor:
    # Copied, since adding a matrix and its transpose misses the cache at every entry.
    return product.mT.contiguous()
