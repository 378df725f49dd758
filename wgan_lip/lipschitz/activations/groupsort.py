"""GroupSort activations: 1-Lipschitz in every l_p norm and gradient-norm preserving; fast also on the CPU."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

# Up to this size comparing all pairs of a group is faster than sorting it.
_FEW = 8
# Up to this many entries in all torch.sort is faster than that (6 to 8 times at 2,048, 1.1 to 1.4 times at 32,768).
_SMALL = 32_768


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
    groups, axis = split_into_groups(x, group_size, dim, "GroupSort")
    return sort_groups(groups, axis).flatten(axis - 1, axis)


def split_into_groups(x: Tensor, group_size: int | None, dim: int, name: str) -> tuple[Tensor, int]:
    """Split the channels of ``x`` into groups of adjacent ones; also return the axis that counts a group's members.

    Args:
        x: a tensor whose axis ``dim`` counts channels.
        group_size: members of a group; None for one group of all channels.
        dim: the channel axis.
        name: the layer's class, for error messages.

    Raises:
        ValueError: ``x`` has no such axis, or ``group_size`` does not divide the channels.
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


def sort_groups(groups: Tensor, axis: int) -> Tensor:
    """Sort in ascending order along ``axis``, as ``torch.sort`` does.

    The values are exact, and the Jacobian is the permutation that sorts, also among equal entries, whose
    order is arbitrary. NaN in a group makes at least one of its outputs NaN.

    Args:
        groups: a tensor in which ``axis`` counts the members of a group.
        axis: the axis to sort along, at least 0.
    """
    # Note [sorting small groups]: torch.sort on the CPU costs as much as 30 to 250 multiplications of a large
    # tensor. Autograd sees only a gather or a scatter along indices that are computed without it: by comparing each
    # pair (group_size 2 to 8), or by NumPy's vectorised argsort, which uses one thread. Pairs of whole images need no
    # indices: minimum, maximum and products are vectorised, gather and where are not.
    size = groups.shape[axis]
    inner = groups.shape[axis + 1 :].numel()
    if size == 2 and inner > 1 and groups.is_floating_point() and not torch.compiler.is_compiling():
        first, second = groups.detach().unbind(axis)
        return _Swapped.apply(groups, torch.gt(first, second).to(groups.dtype), axis, True)
    if size == 2:
        first, second = groups.detach().unbind(axis)
        swap = (first > second).long()
        return groups.gather(axis, torch.stack((swap, 1 - swap), axis))
    plain = groups.device.type == "cpu" and groups.is_floating_point() and groups.numel() > 0
    if plain and not torch.compiler.is_compiling() and (size > _FEW or groups.numel() > _SMALL):
        if 1 < size <= _FEW:
            # Filled with NaN: comparisons with NaN are false, so two members may have one rank and leave another empty.
            empty = torch.full_like(groups, float("nan"))
            return empty.scatter(axis, _Indices.apply(groups.detach(), axis), groups)
        if size >= _FEW * torch.get_num_threads():
            return groups.gather(axis, _Indices.apply(groups.detach(), axis))
    return groups.sort(dim=axis).values


class _Swapped(torch.autograd.Function):
    """Exchange the members of pairs whose ``swap`` is 1: a linear map that is its own adjoint.

    With ``by_size`` the swaps are those that sort the pairs, and minimum and maximum are exact for infinite ones too.
    """

    @staticmethod
    def forward(groups: Tensor, swap: Tensor, axis: int, by_size: bool) -> Tensor:
        first, second = groups.unbind(axis)
        result = torch.empty_like(groups)
        low, high = result.unbind(axis)
        if by_size:
            torch.minimum(first, second, out=low)
            torch.maximum(first, second, out=high)
        else:
            keep = 1 - swap
            torch.mul(first, keep, out=low).addcmul_(second, swap)
            torch.mul(second, keep, out=high).addcmul_(first, swap)
        return result

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        _, swap, ctx.axis, _ = inputs
        ctx.save_for_backward(swap)
        ctx.save_for_forward(swap)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return _Swapped.apply(gradients[0], *ctx.saved_tensors, ctx.axis, False), None, None, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        return _Swapped.apply(tangents[0], *ctx.saved_tensors, ctx.axis, False)

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[Any, ...], groups: Tensor, swap: Tensor, axis: int, by_size: bool
    ) -> tuple[Tensor, int]:
        groups, swap = (
            tensor.expand(info.batch_size, *tensor.shape) if dim is None else tensor.movedim(dim, 0)
            for tensor, dim in ((groups, in_dims[0]), (swap, in_dims[1]))
        )
        return _Swapped.apply(groups, swap, axis + 1, by_size), 0


class _Indices(torch.autograd.Function):
    """The rank of each member (groups of up to ``_FEW``), or the member of each rank; int64, without a gradient.

    An autograd function, so that the transforms of torch.func do not trace how the indices are computed.
    """

    @staticmethod
    def forward(groups: Tensor, axis: int) -> Tensor:
        if groups.shape[axis] <= _FEW:
            return _ranks(groups, axis).long()
        # NumPy has no bfloat16 and a slow float16.
        groups = groups.float() if groups.element_size() == 2 else groups
        return torch.from_numpy(np.argsort(groups.numpy(), axis=axis))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.mark_non_differentiable(output)

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> None:
        return None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], groups: Tensor, axis: int) -> tuple[Tensor, int]:
        return _Indices.apply(groups.movedim(in_dims[0], 0), axis + 1), 0


def _ranks(groups: Tensor, axis: int) -> Tensor:
    """Count for each member how many of its group are smaller, or equal and before it.

    All members that are ``distance`` apart are compared in one operation, in rows of many groups, so that the
    arithmetic is contiguous; pairs of members of two different groups are masked out.
    """
    size, inner = groups.shape[axis], groups.shape[axis + 1 :].numel()
    rows, length = len(groups), groups[0].numel()
    while rows % 2 == 0 and 2 * length <= 4096:
        rows, length = rows // 2, 2 * length
    flat = groups.reshape(rows, length)
    member = torch.arange(size, dtype=torch.uint8).repeat_interleave(inner).repeat(length // (size * inner))
    rank = member.repeat(rows, 1)
    for distance in range(1, size):
        shift = distance * inner
        greater = flat[:, :-shift] > flat[:, shift:]
        greater = greater.mul_(member[:-shift] < size - distance).view(torch.uint8)
        rank[:, :-shift].add_(greater)
        rank[:, shift:].sub_(greater)
    return rank.view(groups.shape)
