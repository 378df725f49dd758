"""Adam on the Stiefel manifold."""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from wgan_lip.optim.direction import norm, tangent
from wgan_lip.optim.stiefel import StiefelOptimizer
from wgan_lip.stiefel import fast_dtype


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
