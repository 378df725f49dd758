"""Sorting many small groups, fast on the CPU, and differentiable as often as one likes."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

# Up to this size comparing all pairs of a group is faster than sorting it.
_FEW = 8
# Up to so many entries in all torch.sort is faster than that (6 to 8 times at 2,048, 1.1 to 1.4 times at 32,768).
_SMALL = 32_768


def sort_groups(groups: Tensor, axis: int) -> Tensor:
    """``groups`` sorted in ascending order along ``axis``, as ``torch.sort`` does.

    The value is exact, and the Jacobian is the permutation that sorts: also among equal entries, whose
    order is arbitrary. NaN in a group makes at least one of its outputs NaN.

    Args:
        groups: a tensor in which ``axis`` counts the members of a group.
        axis: the axis to sort along, at least 0.
    """
    # Note [sorting small groups]: torch.sort on the CPU costs 30 to 250 multiplications of a large tensor. What is
    # differentiated is only a gather or a scatter along indices that are found without autograd: a
    # comparison of each pair (group_size 2 to 8), or NumPy's vectorised argsort, which knows no threads. Pairs of whole
    # images need no indices: minimum, maximum and products are vectorised, gather and where are not.
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
            # Filled with NaN: NaN compares with nothing, so two members may claim one place and leave another empty.
            empty = torch.full_like(groups, float("nan"))
            return empty.scatter(axis, _Indices.apply(groups.detach(), axis), groups)
        if size >= _FEW * torch.get_num_threads():
            return groups.gather(axis, _Indices.apply(groups.detach(), axis))
    return groups.sort(dim=axis).values


class _Swapped(torch.autograd.Function):
    """Pairs with ``swap`` 1 exchanged, those with 0 left as they are: linear in them, and its own adjoint.

    With ``by_size`` the swaps are known to sort the pairs, which is exact for infinite members too.
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
    """The place of each member (up to ``_FEW`` of them), or the member at each place; int64, without a gradient.

    A function of its own, so that the transforms of torch.func can look inside neither way of finding them.
    """

    @staticmethod
    def forward(groups: Tensor, axis: int) -> Tensor:
        if groups.shape[axis] <= _FEW:
            return _places(groups, axis).long()
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


def _places(groups: Tensor, axis: int) -> Tensor:
    """Member i's place: how many of its group are smaller, or equal and before it.

    Members that are ``distance`` apart are compared all at once, in rows of many groups, whose length keeps the
    arithmetic contiguous; pairs that straddle two groups are masked out.
    """
    size, inner = groups.shape[axis], groups.shape[axis + 1 :].numel()
    rows, length = len(groups), groups[0].numel()
    while rows % 2 == 0 and 2 * length <= 4096:
        rows, length = rows // 2, 2 * length
    flat = groups.reshape(rows, length)
    member = torch.arange(size, dtype=torch.uint8).repeat_interleave(inner).repeat(length // (size * inner))
    place = member.repeat(rows, 1)
    for distance in range(1, size):
        shift = distance * inner
        greater = flat[:, :-shift] > flat[:, shift:]
        greater = greater.mul_(member[:-shift] < size - distance).view(torch.uint8)
        place[:, :-shift].add_(greater)
        place[:, shift:].sub_(greater)
    return place.view(groups.shape)
