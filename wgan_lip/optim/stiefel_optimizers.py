"""Optimisers on the Stiefel manifold, along orthogonalised momentum (Muon) and Adam's direction; directions on it."""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from wgan_lip.optim.stiefel import StiefelOptimizer
from wgan_lip.stiefel import fast_dtype

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


class StiefelMuon(StiefelOptimizer):
    """Momentum, projected to the tangent space, orthogonalised, and retracted: Muon on the Stiefel manifold.

    ``M <- b M + (1 - b) G``, ``D = msign(P_W((1 - b) G + b M))``, ``W <- R(W - lr D)`` with P_W the tangent
    projection at W, ``msign(U S V^T) = U V^T`` (to a quarter), and R the polar retraction. All singular
    directions move by the same angle, about ``lr`` radians, whatever the width and the gradient's
    scale. The direction of large float32 weights is computed in bfloat16 where that is fast. Other parameters take a
    step of Adam.

    Args:
        params: parameters or groups of them.
        lr: angle of a step, in radians; more than 1 counts as 1.
        momentum: ``b``.
        adam_lr: learning rate of the other parameters.
        adam_betas: of the other parameters.
        adam_eps: of the other parameters.

    Raises:
        ValueError: as :class:`StiefelOptimizer`.

    Source:
        Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024; Absil, Mahony, Sepulchre,
        "Optimization Algorithms on Matrix Manifolds", 2008, section 4.1.

    Example:
        >>> from wgan_lip.lipschitz import OrthogonalLinear, certify
        >>> layer = OrthogonalLinear(8, 8)
        >>> optimizer = StiefelMuon(layer.parameters(), lr=0.1)
        >>> layer(torch.ones(1, 8)).sum().backward()
        >>> optimizer.step()
        >>> round(certify(layer).bound, 5)  # still on the manifold
        1.0
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 0.02,
        momentum: float = 0.95,
        adam_lr: float = 0.02,
        adam_betas: tuple[float, float] = (0.9, 0.99),
        adam_eps: float = 1e-8,
    ) -> None:
        super().__init__(params, lr, adam_lr, adam_betas, adam_eps, momentum=momentum)

    def _moved(self, weight: Tensor, gradient: Tensor, params: list[nn.Parameter], group: dict[str, Any]) -> Tensor:
        momentum = self.buffer(params, "momentum", weight.shape[1:]).lerp_(gradient, 1 - group["momentum"])
        self.keep(params, "momentum", momentum)
        mixed = gradient.lerp(momentum, group["momentum"]).to(fast_dtype(weight))
        # Entries of order 1, so that no product or square over- or underflows.
        mixed /= mixed.abs().amax((-2, -1), keepdim=True).clamp_min(torch.finfo(mixed.dtype).tiny)
        at = weight.to(mixed.dtype)
        direction = orthogonalized_tangent(at, mixed)
        return torch.add(weight, direction.to(weight.dtype), alpha=-min(group["lr"], 1.0))


class StiefelAdam(StiefelOptimizer):
    """Adam on the Stiefel manifold: momentum over the gradient's size, projected to the tangent space and retracted.

    ``M <- b1 M + (1 - b1) T`` and ``v <- b2 v + (1 - b2) |T|_F^2`` with ``T = P_W(G)`` the Riemannian gradient and one
    second moment for each matrix, since single entries have no meaning on the manifold;
    ``W <- R(W - lr r^(1/2) P_W(M') / v'^(1/2))`` with the bias-corrected moments and r the smaller side of W, so that
    ``lr`` is a mean angle in radians. Other parameters take a step of Adam.

    Args:
        params: parameters or groups of them.
        lr: mean angle of a step, in radians.
        betas: b1 and b2.
        adam_lr: learning rate of the other parameters.
        adam_betas: of the other parameters.
        adam_eps: of the other parameters.

    Raises:
        ValueError: as :class:`StiefelOptimizer`.

    Source:
        Becigneul, Ganea, "Riemannian adaptive optimization methods", ICLR 2019; Li, Li, Todorovic, "Efficient
        Riemannian optimization on the Stiefel manifold via the Cayley transform", ICLR 2020, algorithm 2.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 2e-2,
        betas: tuple[float, float] = (0.9, 0.99),
        adam_lr: float = 2e-2,
        adam_betas: tuple[float, float] = (0.9, 0.99),
        adam_eps: float = 1e-8,
    ) -> None:
        super().__init__(params, lr, adam_lr, adam_betas, adam_eps, betas=betas)

    def _moved(self, weight: Tensor, gradient: Tensor, params: list[nn.Parameter], group: dict[str, Any]) -> Tensor:
        (beta1, beta2), fast = group["betas"], fast_dtype(weight)
        at = weight.to(fast)
        riemannian = tangent(at, gradient.to(fast)).to(weight.dtype)
        momentum = self.buffer(params, "momentum", weight.shape[1:]).lerp_(riemannian, 1 - beta1)
        scale = self.buffer(params, "scale", (1, 1)).mul_(beta2**0.5)
        torch.hypot(scale, (1 - beta2) ** 0.5 * norm(riemannian), out=scale)
        count = self.buffer(params, "count", (1, 1)).add_(1)
        for name, value in (("momentum", momentum), ("scale", scale), ("count", count)):
            self.keep(params, name, value)
        direction = tangent(at, momentum.to(fast)).to(weight.dtype)
        rate = (
            group["lr"]
            * math.sqrt(min(weight.shape[1:]))
            / (1 - beta1**count)
            * (1 - beta2**count).sqrt()
            / scale.clamp_min(1e-30)
        )
        return weight - rate * direction
