"""Conversion of networks of constrained layers to ordinary layers that compute the same function; sorting by ReLUs."""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from wgan_lip.lipschitz.activations.alternatives import Abs, Householder, Maxout
from wgan_lip.lipschitz.activations.groupsort import FullSort, GroupSort, MaxMin
from wgan_lip.lipschitz.export.plain_layers import PlainLayers, Stage, convolution, linear, options
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


def sorting_stages(channels: int, group_size: int, kept: tuple[int, ...] | None = None) -> list[Stage]:
    """Express the sorting of each group of adjacent channels by ReLUs, exactly but for rounding.

    A pair (a, b) is sorted with four units: ``min = b - relu(b - a)`` and ``max = b + relu(a - b)``, where b itself is
    ``relu(b) - relu(-b)``, as is every channel that is not compared. Larger groups are sorted by a network of such
    comparisons, in ``ceil(log2 k) (ceil(log2 k) + 1) / 2`` stages.

    Args:
        channels: a multiple of ``group_size``.
        group_size: ``k``.
        kept: the ranks of each sorted group that are kept; all of them if None.

    Source:
        Batcher, "Sorting networks and their applications", AFIPS 1968; in the form of Knuth, "The art of computer
        programming" 3, algorithm 5.2.2M.
    """
    stages = [_stage(channels, group_size, pairs) for pairs in _comparisons(group_size)]
    if kept is not None and stages:
        rows = [start + place for start in range(0, channels, group_size) for place in kept]
        stages[-1] = Stage(stages[-1].before, stages[-1].after[rows])
    return stages


def absolute_stage(channels: int) -> Stage:
    """Express ``|x| = relu(x) + relu(-x)`` as a stage.

    Args:
        channels: of x.
    """
    eye = torch.eye(channels, dtype=torch.float64)
    return Stage(torch.cat((eye, -eye)), torch.cat((eye, eye), 1))


def householder_stage(normals: Tensor) -> Stage:
    """Express ``x - 2 relu(v^T x) v`` on pairs x of adjacent channels, with x itself ``relu(x) - relu(-x)``.

    Args:
        normals: v of each pair, shape (channels / 2, 2).
    """
    v = torch.block_diag(*normals.detach().to("cpu", torch.float64)[:, None])
    eye = torch.eye(v.shape[1], dtype=torch.float64)
    return Stage(torch.cat((eye, -eye, v)), torch.cat((eye, -eye, -2 * v.T), 1))


def _comparisons(size: int) -> list[list[tuple[int, int]]]:
    """List the pairs of places that Batcher's merge exchange compares at the same time, stage by stage."""
    stages = []
    top = 1 << (size - 1).bit_length() >> 1
    p = top
    while p:
        # Places with bit p clear against those p further on, then those with bit p set against ever nearer ones.
        q, bit, distance = top, 0, p
        while True:
            stages.append([(i, i + distance) for i in range(size - distance) if i & p == bit])
            if q == p:
                break
            q, bit, distance = q >> 1, p, q - p
        p >>= 1
    return [pairs for pairs in stages if pairs]


def _stage(channels: int, group_size: int, pairs: list[tuple[int, int]]) -> Stage:
    before: list[dict[int, float]] = []
    after: list[dict[int, float]] = [{} for _ in range(channels)]

    def units(*rows: dict[int, float]) -> list[int]:
        before.extend(rows)
        return list(range(len(before) - len(rows), len(before)))

    compared = {place for pair in pairs for place in pair}
    for start in range(0, channels, group_size):
        for a, b in ((start + first, start + second) for first, second in pairs):
            up, down, plus, minus = units({a: 1, b: -1}, {a: -1, b: 1}, {b: 1}, {b: -1})
            after[a] = {plus: 1, minus: -1, down: -1}
            after[b] = {plus: 1, minus: -1, up: 1}
        for place in range(group_size):
            if place not in compared:
                plus, minus = units({start + place: 1}, {start + place: -1})
                after[start + place] = {plus: 1, minus: -1}
    return Stage(_matrix(before, channels), _matrix(after, len(before)))


def _matrix(rows: list[dict[int, float]], columns: int) -> Tensor:
    matrix = torch.zeros(len(rows), columns, dtype=torch.float64)
    for i, row in enumerate(rows):
        for j, value in row.items():
            matrix[i, j] = value
    return matrix
