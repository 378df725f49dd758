"""Multiplication by a constant: how 1-Lipschitz parts make a K-Lipschitz network."""

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
