"""The Householder activation: pairs of channels reflected where they lie on one side of a learned line."""

import math

import torch
from torch import Tensor, nn

from wgan_lip.lipschitz.activations.groupsort import grouped


class Householder(nn.Module):
    """Reflect each pair of adjacent channels at a learned line if it lies on the line's far side.

    ``y = x - 2 max(v^T x, 0) v`` for a pair x, with the unit normal ``v = (sin(theta / 2), -cos(theta / 2))``.
    Continuous, and locally the identity or a reflection: 1-Lipschitz in l2 and gradient-norm preserving
    for any angle. ``theta = pi / 2``, where it starts, is MaxMin; ``theta = pi`` is ``(-|a|, b)``.

    Args:
        channels: number of channels; even. Each pair has an angle of its own.
        dim: the channel axis.

    Shape:
        Any input with ``channels`` channels on axis ``dim``; the output has the same shape.

    Raises:
        ValueError: ``channels`` is not even and at least 2, or in ``forward`` another number of them.

    Source:
        Singla, Singla, Feizi, "Improved deterministic l2 robustness on CIFAR-10 and CIFAR-100", ICLR 2022.
    """

    def __init__(self, channels: int, dim: int = 1) -> None:
        super().__init__()
        if channels < 2 or channels % 2:
            raise ValueError(f"Householder needs an even number of channels, at least 2; got channels={channels}")
        self.channels = channels
        self.dim = dim
        self.theta = nn.Parameter(torch.full((channels // 2,), math.pi / 2))

    @property
    def normals(self) -> Tensor:
        """The normals v of the pairs' lines, shape (channels / 2, 2); of length 1 to rounding."""
        half = self.theta / 2
        return torch.stack((half.sin(), -half.cos()), 1)

    def forward(self, x: Tensor) -> Tensor:
        pairs, axis = grouped(x, 2, self.dim, "Householder")
        if pairs.shape[axis - 1] != len(self.theta):
            raise ValueError(f"Householder needs channels={self.channels}; got an input of shape {tuple(x.shape)}")
        trailing = (1,) * (pairs.ndim - 1 - axis)
        v = self.normals.view(-1, 2, *trailing)
        beyond = (pairs * v).sum(axis, keepdim=True).relu()
        return (pairs - 2 * beyond * v).flatten(axis - 1, axis)

    def extra_repr(self) -> str:
        return f"channels={self.channels}, dim={self.dim}"
