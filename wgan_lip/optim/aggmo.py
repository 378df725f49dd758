"""Aggregated momentum."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.optim import Optimizer

from wgan_lip.dtypes import check_no_meta


class AggMo(Optimizer):
    """Gradient descent along the mean of several velocities, each with a damping of its own.

    ``v_i <- b_i v_i - G`` for i = 1..K, ``theta <- theta + (lr / K) sum_i v_i``. Orthogonal weights leave their
    manifold; ``lipschitz.project_`` brings them back.

    Args:
        params: parameters or groups of them.
        lr: learning rate.
        betas: the K damping coefficients.

    Raises:
        ValueError: a negative rate, no coefficient, one outside [0, 1), or a parameter on the meta device.

    Source:
        Lucas, Sun, Zemel, Grosse, "Aggregated momentum: stability through passive damping", ICLR 2019, equation (3).
    """

    def __init__(self, params: Iterable[Any], lr: float = 1e-2, betas: tuple[float, ...] = (0.0, 0.9, 0.99)) -> None:
        if not 0 <= lr < float("inf"):
            raise ValueError(f"lr must be finite and not negative; got lr={lr}")
        if not betas or not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"betas must be at least one number in [0, 1); got betas={betas}")
        super().__init__(params, {"lr": lr, "betas": tuple(betas)})

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        super().add_param_group(param_group)
        check_no_meta(self.param_groups[-1]["params"])

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            for i, beta in enumerate(group["betas"]):
                for p in params:
                    velocity = self.state[p].setdefault(f"velocity{i}", torch.zeros_like(p))
                    velocity.mul_(beta).sub_(p.grad)
                    p.add_(velocity, alpha=group["lr"] / len(group["betas"]))
        return loss
