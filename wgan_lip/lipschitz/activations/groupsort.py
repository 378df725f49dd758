"""GroupSort activations: 1-Lipschitz in every l_p norm and gradient-norm preserving."""

from torch import Tensor, nn

from wgan_lip.lipschitz.activations.sorting import sort_groups


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

    Example:
        >>> GroupSort(group_size=3)(torch.tensor([[5.0, 1.0, 3.0, 0.0, 2.0, 1.0]]))
        tensor([[1., 3., 5., 0., 1., 2.]])
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
        return _sort_groups(x, None, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


def _sort_groups(x: Tensor, group_size: int | None, dim: int) -> Tensor:
    groups, axis = grouped(x, group_size, dim, "GroupSort")
    return sort_groups(groups, axis).flatten(axis - 1, axis)


def grouped(x: Tensor, group_size: int | None, dim: int, name: str) -> tuple[Tensor, int]:
    """``x`` with its channels split into groups of adjacent ones, and the axis that counts their members.

    Args:
        x: a tensor whose axis ``dim`` counts channels.
        group_size: members of a group; None for one group of all channels.
        dim: the channel axis.
        name: the layer's class, for the errors.

    Raises:
        ValueError: there is no such axis, or ``group_size`` does not divide the channels.
    """
    if not -x.ndim <= dim < x.ndim:
        raise ValueError(f"{name} needs an input with axis dim={dim}; got shape {tuple(x.shape)}")
    dim = dim % x.ndim
    channels = x.shape[dim]
    group_size = max(channels, 1) if group_size is None else group_size
    if channels % group_size:
        raise ValueError(
            f"{name} needs channels divisible by group_size; got channels={channels}, group_size={group_size}"
        )
    return x.unflatten(dim, (channels // group_size, group_size)), dim + 1
