"""Activations to compare GroupSort with: Abs, Maxout and Householder, each 1-Lipschitz."""

import math

import torch
from torch import Tensor, nn

from wgan_lip.lipschitz.activations.groupsort import split_into_groups


class Abs(nn.Module):
    """``y = |x|`` entrywise: 1-Lipschitz in every l_p norm.

    The Jacobian is a diagonal of signs, so the map preserves gradient norm wherever no entry is 0.

    Source:
        Anil, Lucas, Grosse, "Sorting out Lipschitz function approximation", ICML 2019, section 4.1.
    """

    def forward(self, x: Tensor) -> Tensor:
        return x.abs()


class Maxout(nn.Module):
    """``y[g] = max(x[g * k : (g + 1) * k])`` with ``k = group_size``: one output channel for each group.

    ``|max a - max b| <= |a - b|_inf <= |a - b|_p`` for each group, hence 1-Lipschitz in every l_p norm. The gradient
    with respect to x has the norm of the gradient with respect to y, but only the largest channel of a group gets any.

    Args:
        group_size: adjacent channels of which one is kept. Must divide the channels.
        dim: the channel axis.

    Shape:
        Any input with the channel axis ``dim``, of C channels; the output has ``C / group_size``.

    Raises:
        ValueError: ``group_size < 1``, or in ``forward`` if it does not divide the channels.

    Source:
        Goodfellow et al., "Maxout networks", ICML 2013; Anil, Lucas, Grosse 2019, section 4.1.
    """

    def __init__(self, group_size: int, dim: int = 1) -> None:
        super().__init__()
        if group_size < 1:
            raise ValueError(f"Maxout needs group_size >= 1; got group_size={group_size}")
        self.group_size = group_size
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        groups, axis = split_into_groups(x, self.group_size, self.dim, "Maxout")
        return groups.max(dim=axis).values

    def extra_repr(self) -> str:
        return f"group_size={self.group_size}, dim={self.dim}"


class Householder(nn.Module):
    """Reflect each pair of adjacent channels at a learned line if the pair lies on the far side of it.

    ``y = x - 2 max(v^T x, 0) v`` for a pair x, with the unit normal ``v = (sin(theta / 2), -cos(theta / 2))``.
    Continuous, and locally the identity or a reflection: 1-Lipschitz in l2 and gradient-norm preserving
    for any angle. The initial ``theta = pi / 2`` is MaxMin; ``theta = pi`` is ``(-|a|, b)``.

    Args:
        channels: number of channels; even. Each pair has its own angle.
        dim: the channel axis.

    Shape:
        Any input with ``channels`` channels on axis ``dim``; the output has the same shape.

    Raises:
        ValueError: ``channels`` is not even and at least 2, or in ``forward`` the input has another number of channels.

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
        pairs, axis = split_into_groups(x, 2, self.dim, "Householder")
        if pairs.shape[axis - 1] != len(self.theta):
            raise ValueError(f"Householder needs channels={self.channels}; got an input of shape {tuple(x.shape)}")
        trailing = (1,) * (pairs.ndim - 1 - axis)
        v = self.normals.view(-1, 2, *trailing)
        beyond = (pairs * v).sum(axis, keepdim=True).relu()
        return (pairs - 2 * beyond * v).flatten(axis - 1, axis)

    def extra_repr(self) -> str:
        return f"channels={self.channels}, dim={self.dim}"
