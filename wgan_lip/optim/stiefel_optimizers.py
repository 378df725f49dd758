"""Optimisers on the Stiefel manifold: along the orthogonalised momentum (Muon), and along Adam's direction."""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from wgan_lip.optim.direction import norm, orthogonalized_tangent, tangent
from wgan_lip.optim.stiefel import StiefelOptimizer
from wgan_lip.stiefel import fast_dtype


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
