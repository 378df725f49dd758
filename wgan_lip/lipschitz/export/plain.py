"""Networks of constrained layers as ordinary ones: the same function, with nothing left of how it was trained."""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wgan_lip.lipschitz.activations.absolute import Abs
from wgan_lip.lipschitz.activations.groupsort import FullSort, GroupSort, MaxMin
from wgan_lip.lipschitz.activations.householder import Householder
from wgan_lip.lipschitz.activations.maxout import Maxout
from wgan_lip.lipschitz.evaluating import evaluating
from wgan_lip.lipschitz.export.affine import convolution, linear, options
from wgan_lip.lipschitz.export.plain_layers import PlainLayers
from wgan_lip.lipschitz.export.relu_form import Stage, absolute_stage, householder_stage, sorting_stages
from wgan_lip.lipschitz.layers.kernel_convolution import KernelConv2d, KernelConvolution, KernelConvTranspose2d
from wgan_lip.lipschitz.layers.pooling import NormPool2d, ScaledAvgPool2d
from wgan_lip.lipschitz.layers.residual import ConvexResidual
from wgan_lip.lipschitz.layers.scale import Scale
from wgan_lip.lipschitz.leaves import inherits_forward, is_hooked, kind_of, leaves, named, not_in_place

Converter = Callable[[nn.Module], list[nn.Module]]


@torch.no_grad()
def plain(network: nn.Module, relu: bool = False) -> nn.Sequential:
    """The function of a network in evaluation mode, as one flat ``nn.Sequential`` of ordinary layers.

    Every layer under a constraint becomes an ``nn.Linear``, ``nn.Conv2d`` or ``nn.ConvTranspose2d`` with the weight as
    it is, with a padding layer before it where images are a torus; dropout and identities go;
    ``Scale`` is multiplied into a layer beside it. What PyTorch has no layer for stays as a small module without
    parameters that are trained: GroupSort and its kin, ``Abs``, ``Householder``, and ``ConvexResidual`` around a plain
    branch. Convolutions no longer refuse images of a wrong size.

    Args:
        network: a layer that ``certify`` can bound, an ordinary one of PyTorch, or an ``nn.Sequential`` (also nested)
            of such layers. It is not changed.
        relu: make sorting, ``Maxout``, ``Abs`` and ``Householder`` of linear maps and ReLUs, and merge these maps with
            the layers beside them: for tools that know no other activation. MaxMin takes two units for each channel,
            in one hidden layer; groups of k take as many hidden layers as a sorting network has stages, up to
            ``ceil(log2 k) (ceil(log2 k) + 1) / 2``.

    Returns:
        A network that shares no memory with the given one, with the same outputs but for rounding, in evaluation mode.

    Raises:
        ValueError: a layer that cannot be expressed so (it is named, with its class).
    """
    layers = PlainLayers()
    with evaluating(network):
        for name, module in leaves(network):
            try:
                _add(layers, module, relu)
            except ValueError as error:
                raise ValueError(f"cannot make {named(name)} ({kind_of(module)}) plain: {error}") from None
    return layers.sequential()


def _add(layers: PlainLayers, module: nn.Module, relu: bool) -> None:
    if is_hooked(module):
        raise ValueError("it has forward hooks, or a forward of its own instance, that may change its output")
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
        layers.sort(_STAGES[base](module, layers.channels_on(getattr(module, "dim", 1))))
    else:
        layers.extend(_CONVERTERS[base](module))


def _ordinary(module: nn.Module) -> list[nn.Module]:
    """A copy of a layer that PyTorch itself has, which leaves its inputs as they are."""
    if not type(module).__module__.startswith("torch.nn.modules.") or any(True for _ in module.children()):
        raise ValueError("no ordinary layers are known that do the same")
    return [not_in_place(copy.deepcopy(module))]


def _nothing(module: nn.Module) -> list[nn.Module]:
    return []


def _linear(module: nn.Module) -> list[nn.Module]:
    return [linear(_tensor(module.weight), _bias(module))]


def _convolution(module: nn.Module) -> list[nn.Module]:
    if not isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        raise ValueError("it is no two-dimensional convolution")
    transposed = isinstance(module, nn.ConvTranspose2d)
    return [convolution(_tensor(module.weight), _bias(module), transposed, **options(module))]


def _kernel_convolution(module: nn.Module) -> list[nn.Module]:
    if not isinstance(module, KernelConv2d):
        raise ValueError("it is no convolution with a kernel")
    before, after = module.padding
    padding, padded = (before, []) if before == after else (0, [nn.ZeroPad2d((before, after, before, after))])
    if module.padding_mode == "circular" and after:
        padding, padded = 0, [nn.CircularPad2d((before, after, before, after))]  # type: ignore[list-item]
    return [*padded, convolution(*_kernel(module), False, stride=module.stride, padding=padding)]


def _kernel_transposed(module: nn.Module) -> list[nn.Module]:
    """Cropped to the middle by its padding; a torus is continued first by as many pixels as reach into it.

    Where one row more is cut off behind than in front, the kernel gets a row of zeros in front, so that both are alike.
    """
    if not isinstance(module, KernelConvTranspose2d):
        raise ValueError("it is no transposed convolution with a kernel")
    (before, after), stride = module.padding, module.stride
    margin = -(-after // stride) if module.padding_mode == "circular" else 0
    kernel, bias = _kernel(module)
    shift = after - before
    layer = convolution(F.pad(kernel, (shift, 0, shift, 0)), bias, True, stride=stride, padding=margin * stride + after)
    return [*([nn.CircularPad2d(margin)] if margin else []), layer]


def _kernel(module: KernelConvolution) -> tuple[Tensor, Tensor | None]:
    return module.kernel(), module.bias


def _average(module: nn.Module) -> list[nn.Module]:
    size = int(module.size)  # type: ignore[arg-type]
    return [nn.AvgPool2d(size), Scale(size)]


def _norm(module: nn.Module) -> list[nn.Module]:
    return [nn.LPPool2d(2, int(module.size))]  # type: ignore[arg-type]


def _copied(module: nn.Module) -> list[nn.Module]:
    return [copy.deepcopy(module)]


_CONVERTERS: dict[type[nn.Module], Converter] = {
    nn.Linear: _linear,
    nn.Conv2d: _convolution,
    nn.ConvTranspose2d: _convolution,
    KernelConv2d: _kernel_convolution,
    KernelConvTranspose2d: _kernel_transposed,
    ScaledAvgPool2d: _average,
    NormPool2d: _norm,
    nn.Identity: _nothing,
    nn.Dropout: _nothing,
    nn.Dropout1d: _nothing,
    nn.Dropout2d: _nothing,
    nn.Dropout3d: _nothing,
    nn.AlphaDropout: _nothing,
    nn.FeatureAlphaDropout: _nothing,
    Scale: lambda module: [Scale(float(module.factor))],  # type: ignore[arg-type]
    GroupSort: _copied,
    MaxMin: _copied,
    FullSort: _copied,
    Maxout: _copied,
    Householder: _copied,
    Abs: _copied,
}


def _sort(module: nn.Module, channels: int) -> list[Stage]:
    return sorting_stages(channels, _group_size(module, channels))


def _largest(module: nn.Module, channels: int) -> list[Stage]:
    size = _group_size(module, channels)
    return sorting_stages(channels, size, kept=(size - 1,))


def _group_size(module: nn.Module, channels: int) -> int:
    size = int(module.group_size)  # type: ignore[arg-type]
    if channels % size:
        raise ValueError(f"group_size={size} does not divide the {channels} channels before it")
    return size


def _householder(module: nn.Module, channels: int) -> list[Stage]:
    if not isinstance(module, Householder) or module.channels != channels:
        raise ValueError(f"it does not act on the {channels} channels before it")
    return [householder_stage(module.normals)]


# As linear maps around ReLUs, on a number of channels.
_STAGES: dict[type[nn.Module], Callable[[nn.Module, int], list[Stage]]] = {
    GroupSort: _sort,
    MaxMin: _sort,
    FullSort: lambda module, channels: sorting_stages(channels, channels),
    Maxout: _largest,
    Householder: _householder,
    Abs: lambda module, channels: [absolute_stage(channels)],
}


def _tensor(weight: object) -> Tensor:
    if not isinstance(weight, Tensor) or not weight.is_floating_point() or weight.layout != torch.strided:
        raise ValueError("its weight is not a dense tensor of floating-point numbers")
    return weight


def _bias(module: nn.Module) -> Tensor | None:
    return None if module.bias is None else _tensor(module.bias)
