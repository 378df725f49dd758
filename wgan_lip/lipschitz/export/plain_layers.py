"""A list of ordinary layers under construction, with factors and maps of channels merged into its affine layers."""

from dataclasses import dataclass
from typing import Any, TypeGuard, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import skip_init

from wgan_lip.lipschitz.layers.composition import Scale

Affine = nn.Linear | nn.Conv2d | nn.ConvTranspose2d
A = TypeVar("A", bound=nn.Module)

_PADDINGS = (nn.CircularPad2d, nn.ZeroPad2d)
# Linear maps without a bias, which commute with a factor.
_LINEAR = (*_PADDINGS, nn.Flatten, nn.Unflatten, nn.PixelShuffle, nn.PixelUnshuffle, nn.AvgPool2d)
# Layers that keep the number of channels, and images as images.
_CHANNELWISE = (
    *_PADDINGS,
    nn.AvgPool2d,
    nn.BatchNorm2d,
    nn.LPPool2d,
    nn.LeakyReLU,
    nn.MaxPool2d,
    nn.ReLU,
    nn.Sigmoid,
    nn.Tanh,
    nn.Upsample,
)


@dataclass(frozen=True)
class Stage:
    """``x -> after relu(before x)`` on channels.

    Attributes:
        before: shape (units, channels), float64.
        after: shape (channels left, units), float64.
    """

    before: Tensor
    after: Tensor


class PlainLayers:
    """Layers in order; :meth:`add_stages` adds activations that are made of ReLUs."""

    def __init__(self) -> None:
        self._layers: list[nn.Module] = []
        # A map of the channels to be applied next, which is merged into the next layer if that is affine.
        self._pending: Tensor | None = None
        self._channels: int | None = None
        self._images = False
        # A factor to be merged into a later layer.
        self._factor = 1.0

    def sequential(self) -> nn.Sequential:
        """Return all layers, in evaluation mode."""
        self._flush()
        self._flush_factor()
        return nn.Sequential(*self._layers).eval()

    def channels_on(self, dim: object) -> int:
        """Return the number of channels of the last layer's output.

        Args:
            dim: the channel axis of the activation that follows.

        Raises:
            ValueError: the number is not known, or ``dim`` is not the axis of the channels.
        """
        if self._channels is None:
            raise ValueError("with relu=True it must follow a linear layer or a convolution, which fixes its channels")
        if dim != 1 and (dim != -1 or self._images):
            raise ValueError(f"with relu=True it must act on axis 1; got dim={dim}")
        return self._channels

    def extend(self, modules: list[nn.Module]) -> None:
        """Add layers one after the other."""
        for module in modules:
            self.add(module)

    def add(self, module: nn.Module) -> None:
        """Add a layer.

        Args:
            module: the layer, which is used without being copied.
        """
        if isinstance(module, Scale):
            self._scale(module.factor)
            return
        if self._pending is not None and self._images and isinstance(module, _PADDINGS):
            # Padding commutes with maps of the channels.
            self._layers.append(module)
            return
        if self._pending is not None and _merges(module) and isinstance(module, nn.Linear) != self._images:
            module, self._pending = after_map(module, self._pending), None
        self._flush()
        if self._factor != 1.0 and isinstance(module, Affine):
            module, self._factor = scaled(module, self._factor, with_bias=False), 1.0
        elif not isinstance(module, _LINEAR):
            self._flush_factor()
        self._layers.append(module)
        self._follow(module)

    def add_stages(self, stages: list[Stage]) -> None:
        """Add an activation that is made of ReLUs.

        Args:
            stages: of the activation, on the channels of the last layer's output.
        """
        for stage in stages:
            self._flush_factor()
            before = stage.before if self._pending is None else stage.before @ self._pending
            last = self._layers[-1] if self._layers else None
            if self._pending is None and _merges(last):
                self._layers[-1] = then_map(last, before)
            else:
                self._layers.append(self._map(before))
            self._layers.append(nn.ReLU())
            self._pending = stage.after
            self._channels = len(stage.after)

    def _scale(self, factor: float) -> None:
        if self._pending is not None:
            self._pending = factor * self._pending
            return
        for i, layer in reversed(list(enumerate(self._layers))):
            if isinstance(layer, Affine):
                self._layers[i] = scaled(layer, factor, with_bias=True)
                return
            if not isinstance(layer, _LINEAR):
                break
        self._factor *= factor

    def _flush(self) -> None:
        if self._pending is not None:
            self._layers.append(self._map(self._pending))
            self._pending = None

    def _flush_factor(self) -> None:
        if self._factor != 1.0:
            self._layers.append(Scale(self._factor))
            self._factor = 1.0

    def _map(self, matrix: Tensor) -> nn.Module:
        """Make a layer of a map of the channels, in the dtype of the last weights."""
        like = next(layer.weight for layer in reversed(self._layers) if isinstance(layer, Affine))
        matrix = matrix.to(like)
        return convolution(matrix[:, :, None, None], None, False) if self._images else linear(matrix, None)

    def _follow(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear):
            self._channels, self._images = module.out_features, False
        elif isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            self._channels, self._images = module.out_channels, True
        elif not isinstance(module, _CHANNELWISE):
            self._channels = None


def _merges(module: nn.Module | None) -> TypeGuard[Affine]:
    """Return whether maps of the channels can be merged into a layer."""
    return isinstance(module, Affine) and getattr(module, "groups", 1) == 1


def linear(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    """Build an ``nn.Linear`` with copies of a weight and a bias.

    Args:
        weight: shape (out, in).
        bias: shape (out,), or None.
    """
    outputs, inputs = weight.shape
    return _filled(skip_init(nn.Linear, inputs, outputs, bias is not None, **_kind(weight)), weight, bias)


def convolution(weight: Tensor, bias: Tensor | None, transposed: bool = False, **kwargs: Any) -> Affine:
    """Build an ``nn.Conv2d`` or ``nn.ConvTranspose2d`` with copies of a weight and a bias.

    Args:
        weight: shape (out, in / groups, k_1, k_2), or (in, out / groups, k_1, k_2) of a transposed convolution.
        bias: shape (out,), or None.
        transposed: build an ``nn.ConvTranspose2d``.
        kwargs: options of its class, such as ``stride``.
    """
    groups = kwargs.get("groups", 1)
    first, second = weight.shape[:2]
    ends = (first, second * groups) if transposed else (second * groups, first)
    cls = nn.ConvTranspose2d if transposed else nn.Conv2d
    size = tuple(weight.shape[2:])
    return _filled(skip_init(cls, *ends, size, bias=bias is not None, **kwargs, **_kind(weight)), weight, bias)


def options(layer: nn.Conv2d | nn.ConvTranspose2d) -> dict[str, Any]:
    """Return the options of a convolution, as keyword arguments of its class."""
    names = ["stride", "padding", "dilation", "groups", "padding_mode"]
    names += ["output_padding"] if isinstance(layer, nn.ConvTranspose2d) else []
    return {name: getattr(layer, name) for name in names}


def scaled(layer: Affine, factor: float, with_bias: bool) -> Affine:
    """Build a layer that computes ``factor f(x)`` (``with_bias``) or ``f(factor x)`` for a layer f."""
    bias = layer.bias if layer.bias is None or not with_bias else factor * layer.bias
    return _like(layer, factor * layer.weight, bias)


def then_map(layer: Affine, matrix: Tensor) -> Affine:
    """Build a layer that computes ``M f(x)``, with M acting on the channels.

    Args:
        layer: f, of one group.
        matrix: M, shape (new channels, channels), float64.
    """
    weight = layer.weight.double()
    matrix = matrix.to(weight)
    axis = 1 if isinstance(layer, nn.ConvTranspose2d) else 0
    bias = None if layer.bias is None else matrix @ layer.bias.double()
    return _like(layer, torch.tensordot(matrix, weight, ([1], [axis])).movedim(0, axis), bias)


def after_map(layer: Affine, matrix: Tensor) -> Affine:
    """Build a layer that computes ``f(M x)``, with M acting on the channels.

    Args:
        layer: f, of one group.
        matrix: M, shape (channels, new channels), float64.
    """
    weight = layer.weight.double()
    axis = 0 if isinstance(layer, nn.ConvTranspose2d) else 1
    return _like(layer, torch.tensordot(matrix.to(weight), weight, ([0], [axis])).movedim(0, axis), layer.bias)


def _like(layer: Affine, weight: Tensor, bias: Tensor | None) -> Affine:
    """Build a layer of the same kind with another weight, in the layer's dtype."""
    weight = weight.to(layer.weight)
    if isinstance(layer, nn.Linear):
        return linear(weight, bias)
    return convolution(weight, bias, isinstance(layer, nn.ConvTranspose2d), **options(layer))


def _filled(layer: A, weight: Tensor, bias: Tensor | None) -> A:
    with torch.no_grad():
        layer.get_parameter("weight").copy_(weight)
        if bias is not None:
            layer.get_parameter("bias").copy_(bias)
    return layer


def _kind(weight: Tensor) -> dict[str, Any]:
    return {"device": weight.device, "dtype": weight.dtype}
