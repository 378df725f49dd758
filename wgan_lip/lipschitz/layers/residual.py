"""Residual connections that keep a network 1-Lipschitz."""

from torch import Tensor, nn


class ConvexResidual(nn.Module):
    """``y = (1 - a) x + a f(x)``: 1-Lipschitz wherever f is, and of constant ``1 - a + a L(f)`` otherwise.

    The plain sum ``x + f(x)`` would be 2-Lipschitz.

    Args:
        branch: f, from any shape to the same shape.
        weight: a, between 0 and 1.

    Raises:
        ValueError: ``weight`` is not between 0 and 1; in ``forward``: a branch that changes the shape.
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
