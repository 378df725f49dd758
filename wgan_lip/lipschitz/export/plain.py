"""Conversion of networks of constrained layers to ordinary layers that compute the same function."""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from wgan_lip.lipschitz.activations.alternatives import Abs, Householder, Maxout
from wgan_lip.lipschitz.activations.groupsort import FullSort, GroupSort, MaxMin
from wgan_lip.lipschitz.export.plain_layers import PlainLayers, convolution, linear, options
from wgan_lip.lipschitz.export.relu_form import Stage, absolute_stage, householder_stage, sorting_stages
from wgan_lip.lipschitz.inspection import (
    dense,
    describe,
    evaluating,
    inherits_forward,
    is_hooked,
    kind_of,
    leaves,
    not_in_place,
)
from wgan_lip.lipschitz.layers.composition import ConvexResidual, NormPool2d, Scale, ScaledAvgPool2d
from wgan_lip.lipschitz.layers.kernel_convolution import KernelConv2d

# Converts a layer of one class to ordinary layers.
Converter = Callable[[Any], list[nn.Module]]


@torch.no_grad()
def plain(network: nn.Module, relu: bool = False) -> nn.Sequential:
    """Convert a network to a flat ``nn.Sequential`` of ordinary layers with the same outputs in evaluation mode.

    Every layer under a constraint becomes an ``nn.Linear``, ``nn.Conv2d`` or ``nn.ConvTranspose2d`` with the weight as
    it is, after a padding layer if images are a torus; dropout and identities are omitted; ``Scale`` is multiplied into
    a neighbouring layer. Layers that PyTorch does not have stay as they are: GroupSort and the other activations,
    and ``ConvexResidual`` around a converted branch. The convolutions accept images of any size.

    Args:
        network: a layer that ``certify`` can bound, an ordinary one of PyTorch, or an ``nn.Sequential`` (also nested)
            of such layers. It is not changed.
        relu: express sorting, ``Maxout``, ``Abs`` and ``Householder`` by linear maps and ReLUs, and merge these maps
            with the neighbouring layers: for tools that support no other activation. MaxMin becomes one hidden layer of
            two units for each channel; groups of k become as many hidden layers as a sorting network has stages, up to
            ``ceil(log2 k) (ceil(log2 k) + 1) / 2``.

    Returns:
        A network that shares no memory with the given one, with the same outputs but for rounding, in evaluation mode.

    Raises:
        ValueError: a layer cannot be converted (the message names it and its class).
    """
    layers = PlainLayers()
    with evaluating(network):
        for name, module in leaves(network):
            try:
                _add(layers, module, relu)
            except ValueError as error:
                raise ValueError(f"cannot make {describe(name)} ({kind_of(module)}) plain: {error}") from None
    return layers.sequential()


def _add(layers: PlainLayers, module: nn.Module, relu: bool) -> None:
    if is_hooked(module):
        raise ValueError("it has forward hooks, or a forward set on the instance, that may change its output")
    if isinstance(module, ConvexResidual) and inherits_forward(module, ConvexResidual):
        layers.add(ConvexResidual(plain(module.branch, relu), float(module.weight)))
        return
    base = next((base for base in type(module).__mro__ if base in _CONVERTERS or base in _STAGES), None)
    if base is None:
        layers.extend(_ordinary(module))
        return
    if not inherits_forward(module, base):
        raise ValueError(f"its forward is not that of {base.__name__}")
    if relu and base in _STAGES:
        layers.add_stages(_STAGES[base](module, layers.channels_on(getattr(module, "dim", 1))))
    else:
        layers.extend(_CONVERTERS[base](module))


def _ordinary(module: nn.Module) -> list[nn.Module]:
    """Copy a layer of PyTorch, such that it does not overwrite its inputs."""
    if not type(module).__module__.startswith("torch.nn.modules.") or any(True for _ in module.children()):
        raise ValueError("no equivalent ordinary layers are known")
    return [not_in_place(copy.deepcopy(module))]


def _nothing(module: nn.Module) -> list[nn.Module]:
    return []


def _linear(module: nn.Linear) -> list[nn.Module]:
    return [linear(dense(module.weight, 2), _bias(module))]


def _convolution(module: nn.Conv2d | nn.ConvTranspose2d) -> list[nn.Module]:
    transposed = isinstance(module, nn.ConvTranspose2d)
    return [convolution(dense(module.weight, 4), _bias(module), transposed, **options(module))]


def _kernel_convolution(module: KernelConv2d) -> list[nn.Module]:
    before, after = module.padding
    padding, padded = (before, []) if before == after else (0, [nn.ZeroPad2d((before, after, before, after))])
    if module.padding_mode == "circular" and after:
        padding, padded = 0, [nn.CircularPad2d((before, after, before, after))]  # type: ignore[list-item]
    return [*padded, convolution(module.kernel(), module.bias, False, stride=module.stride, padding=padding)]


def _copied(module: nn.Module) -> list[nn.Module]:
    return [copy.deepcopy(module)]


_CONVERTERS: dict[type[nn.Module], Converter] = {
    nn.Linear: _linear,
    nn.Conv2d: _convolution,
    nn.ConvTranspose2d: _convolution,
    KernelConv2d: _kernel_convolution,
    ScaledAvgPool2d: lambda module: [nn.AvgPool2d(module.size), Scale(module.size)],
    NormPool2d: lambda module: [nn.LPPool2d(2, module.size)],
    nn.Identity: _nothing,
    nn.Dropout: _nothing,
    nn.Dropout1d: _nothing,
    nn.Dropout2d: _nothing,
    nn.Dropout3d: _nothing,
    nn.AlphaDropout: _nothing,
    nn.FeatureAlphaDropout: _nothing,
    Scale: lambda module: [Scale(float(module.factor))],
    GroupSort: _copied,
    MaxMin: _copied,
    FullSort: _copied,
    Maxout: _copied,
    Householder: _copied,
    Abs: _copied,
}


def _sort(module: GroupSort, channels: int) -> list[Stage]:
    return sorting_stages(channels, _group_size(module, channels))


def _largest(module: Maxout, channels: int) -> list[Stage]:
    size = _group_size(module, channels)
    return sorting_stages(channels, size, kept=(size - 1,))


def _group_size(module: GroupSort | Maxout, channels: int) -> int:
    size = module.group_size
    if channels % size:
        raise ValueError(f"group_size={size} does not divide the {channels} channels of its input")
    return size


def _householder(module: Householder, channels: int) -> list[Stage]:
    if module.channels != channels:
        raise ValueError(f"it does not act on the {channels} channels of its input")
    return [householder_stage(module.normals)]


# Activations on a number of channels, as linear maps around ReLUs.
_STAGES: dict[type[nn.Module], Callable[[Any, int], list[Stage]]] = {
    GroupSort: _sort,
    MaxMin: _sort,
    FullSort: lambda module, channels: sorting_stages(channels, channels),
    Maxout: _largest,
    Householder: _householder,
    Abs: lambda module, channels: [absolute_stage(channels)],
}


def _bias(module: nn.Linear | nn.Conv2d | nn.ConvTranspose2d) -> Tensor | None:
    return None if module.bias is None else dense(module.bias, 1, "bias")
