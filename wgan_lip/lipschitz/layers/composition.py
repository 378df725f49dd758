"""Layers without weights of their own: a constant factor, a residual connection, and pooling over disjoint windows."""

import math

from torch import Tensor, nn
from torch.nn import functional as F


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


class _Pool2d(nn.Module):
    """A pooling over windows of ``size x size`` pixels that tile the image.

    Args:
        size: of the windows; it must divide the height and the width of the input.

    Raises:
        ValueError: ``size < 1``; in ``forward``: images that the windows do not tile.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        if size < 1:
            raise ValueError(f"{type(self).__name__} needs size >= 1; got size={size}")
        self.size = size

    def _check(self, x: Tensor) -> None:
        if x.ndim != 4 or any(n % self.size for n in x.shape[2:]):
            raise ValueError(
                f"{type(self).__name__} needs images of shape (N, C, H, W) with sides divisible by size={self.size}; "
                f"got {tuple(x.shape)}"
            )

    def extra_repr(self) -> str:
        return f"size={self.size}"


class ScaledAvgPool2d(_Pool2d):
    """``size`` times the mean of each window: an orthogonal map, with rows of ``1 / size`` in a window.

    A plain average is ``1 / size``-Lipschitz, and shrinks gradients by that factor.

    Args:
        size: of the windows; it must divide the height and the width of the input.

    Shape:
        ``(N, C, size H, size W) -> (N, C, H, W)``.
    """

    def forward(self, x: Tensor) -> Tensor:
        self._check(x)
        return self.size * F.avg_pool2d(x, self.size)


class NormPool2d(_Pool2d):
    """The Euclidean norm of each window, channel by channel: 1-Lipschitz, and its gradients have norm 1.

    ``| |a| - |b| | <= |a - b|``, and windows are disjoint. At a window of zeros the gradient is taken as 0.

    Args:
        size: of the windows; it must divide the height and the width of the input.

    Shape:
        ``(N, C, size H, size W) -> (N, C, H, W)``.

    Source:
        Boureau, Ponce, LeCun, "A theoretical analysis of feature pooling in visual recognition", ICML 2010.
    """

    def forward(self, x: Tensor) -> Tensor:
        self._check(x)
        windows = x.unflatten(3, (-1, self.size)).unflatten(2, (-1, self.size))
        return windows.norm(dim=(3, 5))
