"""Layers that make networks of 1-Lipschitz parts: a constant factor, and a residual connection."""

import math

from torch import Tensor, nn


class Scale(nn.Module):
    """``y = factor * x``: ``|factor|``-Lipschitz in every norm.

    Args:
        factor: the constant; append ``Scale(K)`` to a 1-Lipschitz network to make it K-Lipschitz.

    Raises:
        ValueError: ``factor`` is not finite, or zero.
    """

    def __init__(self, factor: float) -> None:
        super().__init__()
        if not math.isfinite(factor) or factor == 0:
            raise ValueError(f"Scale needs a finite factor other than zero; got factor={factor}")
        self.factor = float(factor)

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * x

    def extra_repr(self) -> str:
        return f"factor={self.factor}"


class ConvexResidual(nn.Module):
    """``y = (1 - a) x + a f(x)``: 1-Lipschitz if f is, otherwise of constant ``1 - a + a L(f)``.

    The plain sum ``x + f(x)`` would be 2-Lipschitz.

    Args:
        branch: f, from any shape to the same shape.
        weight: a, between 0 and 1.

    Raises:
        ValueError: ``weight`` is not between 0 and 1; in ``forward``: the branch changes the shape.
    """

    def __init__(self, branch: nn.Module, weight: float = 0.5) -> None:
        super().__init__()
        if not 0 < weight < 1:
            raise ValueError(f"weight must lie between 0 and 1; got weight={weight}")
        self.branch = branch
        self.weight = weight

    def forward(self, x: Tensor) -> Tensor:
        # Before the branch, whose first layer may work in place and overwrite x.
        kept = (1 - self.weight) * x
        y = self.branch(x)
        if y.shape != kept.shape:
            raise ValueError(
                f"ConvexResidual needs a branch that keeps the shape; got {tuple(y.shape)} for {tuple(kept.shape)}"
            )
        return kept + self.weight * y

    def extra_repr(self) -> str:
        return f"weight={self.weight}"
