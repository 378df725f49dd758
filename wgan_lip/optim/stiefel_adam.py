"""Adam's moments, on the Stiefel manifold."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from wgan_lip.optim.direction import fast_dtype, tangent
from wgan_lip.optim.stiefel import StiefelOptimizer
from wgan_lip.stiefel import StiefelParameter


class StiefelAdam(StiefelOptimizer):
    """Adam with its step projected to the tangent space and retracted.

    ``M <- b1 M + (1 - b1) T`` and ``V <- b2 V + (1 - b2) T^2`` entrywise, with ``T = P_W(G)`` the Riemannian gradient;
    ``D = P_W(M' / (V'^(1/2) + eps))`` with the bias-corrected moments; ``W <- R(W - lr D)``. A step that
    could turn by more than a radian is shortened. Other parameters take a step of Adam.

    Args:
        params: parameters or groups of them.
        lr: step size, as Adam's.
        betas: b1 and b2.
        eps: keeps the quotient finite.
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
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.99),
        eps: float = 1e-8,
        adam_lr: float = 2e-3,
        adam_betas: tuple[float, float] = (0.9, 0.99),
        adam_eps: float = 1e-8,
    ) -> None:
        super().__init__(params, lr, adam_lr, adam_betas, adam_eps, betas=betas, eps=eps)

    def _direction(
        self, weight: Tensor, gradient: Tensor, params: list[StiefelParameter], group: dict[str, Any]
    ) -> Tensor:
        dtype, (beta1, beta2) = fast_dtype(weight), group["betas"]
        at = weight.to(dtype)
        # Squares must not overflow; what is not finite must not be hidden: infinity times 0 is NaN.
        limit = torch.finfo(weight.dtype).max ** 0.375
        gradient = gradient.clamp(-limit, limit) + 0 * gradient
        riemannian = tangent(at, gradient.to(dtype)).to(weight.dtype)
        first = self.buffers(params, "exp_avg", weight).lerp_(riemannian, 1 - beta1)
        second = (
            self.buffers(params, "exp_avg_sq", weight).mul_(beta2).addcmul_(riemannian, riemannian, value=1 - beta2)
        )
        if len(params) > 1:
            self.keep(params, "exp_avg", first)
            self.keep(params, "exp_avg_sq", second)
        count = self.buffers(params, "step", weight[..., :1, :1]).add_(1)
        if len(params) > 1:
            self.keep(params, "step", count)
        root = (second / (1 - beta2**count)).sqrt_().add_(group["eps"])
        direction = tangent(at, (first / (1 - beta1**count)).div_(root).to(dtype)).to(weight.dtype)
        # |D|_2^2 <= |D|_1 |D|_inf.
        size = direction.abs()
        bound = (size.sum(-1).amax(-1) * size.sum(-2).amax(-1)).sqrt()[..., None, None]
        return direction / (min(group["lr"], 1.0) * bound).clamp_min(1.0)
