"""Ordinary affine layers with given weights, and their products with maps of the channels."""

from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import skip_init

Affine = nn.Linear | nn.Conv2d | nn.ConvTranspose2d

A = TypeVar("A", bound=nn.Module)


def linear(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    """An ``nn.Linear`` that holds copies.

    Args:
        weight: shape (out, in).
        bias: shape (out,), or None.
    """
    outputs, inputs = weight.shape
    return _filled(skip_init(nn.Linear, inputs, outputs, bias is not None, **_kind(weight)), weight, bias)


def convolution(weight: Tensor, bias: Tensor | None, transposed: bool = False, **kwargs: Any) -> Affine:
    """An ``nn.Conv2d`` or ``nn.ConvTranspose2d`` that holds copies.

    Args:
        weight: shape (out, in / groups, k_1, k_2), or (in, out / groups, k_1, k_2) of a transposed convolution.
        bias: shape (out,), or None.
        transposed: which of the two.
        kwargs: options of its class, such as ``stride``.
    """
    groups = kwargs.get("groups", 1)
    first, second = weight.shape[:2]
    ends = (first, second * groups) if transposed else (second * groups, first)
    cls = nn.ConvTranspose2d if transposed else nn.Conv2d
    size = tuple(weight.shape[2:])
    return _filled(skip_init(cls, *ends, size, bias=bias is not None, **kwargs, **_kind(weight)), weight, bias)


def options(layer: nn.Conv2d | nn.ConvTranspose2d) -> dict[str, Any]:
    """How a convolution differs from others with the same weight.

    Args:
        layer: the convolution.
    """
    names = ["stride", "padding", "dilation", "groups", "padding_mode"]
    names += ["output_padding"] if isinstance(layer, nn.ConvTranspose2d) else []
    return {name: getattr(layer, name) for name in names}


def scaled(layer: Affine, factor: float, with_bias: bool) -> Affine:
    """``factor f(x)``, or ``f(factor x)``.

    Args:
        layer: ``f``.
        factor: the factor.
        with_bias: the first of the two.
    """
    bias = layer.bias if layer.bias is None or not with_bias else factor * layer.bias
    return _like(layer, factor * layer.weight, bias)


def then_map(layer: Affine, matrix: Tensor) -> Affine:
    """``M f(x)``, with M acting on the channels.

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
    """``f(M x)``, with M acting on the channels.

    Args:
        layer: f, of one group.
        matrix: M, shape (channels, new channels), float64.
    """
    weight = layer.weight.double()
    axis = 0 if isinstance(layer, nn.ConvTranspose2d) else 1
    return _like(layer, torch.tensordot(matrix.to(weight), weight, ([0], [axis])).movedim(0, axis), layer.bias)


def _like(layer: Affine, weight: Tensor, bias: Tensor | None) -> Affine:
    """The same kind of layer with another weight, in the layer's dtype."""
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
