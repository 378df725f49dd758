"""Networks evaluated in extended precision: an independent reference for certificates and for rounding.

Weights are taken as the layers hold or compute them, in floats, and everything after that in 1,500 bits by mpmath.
Layers that work in place are evaluated as if they did not.
"""

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import torch
from torch import nn

from wgan_lip.lipschitz import (
    Abs,
    ConvexResidual,
    FullSort,
    GroupSort,
    Householder,
    Maxout,
    NormPool2d,
    Scale,
    ScaledAvgPool2d,
)
from wgan_lip.lipschitz.layers.kernel_convolution import KernelConv2d

BITS = 1500
mpmath.mp.prec = BITS


def wide(values: Any) -> np.ndarray:
    """Floats as exact numbers of extended precision, of the same shape."""
    if isinstance(values, torch.Tensor):
        values = values.detach().double().numpy()
    result = np.empty(np.shape(values), object)
    result[...] = np.vectorize(lambda v: mpmath.mpf(float(v)), otypes=[object])(values) if result.size else values
    return result


def evaluate(module: nn.Module, x: np.ndarray) -> np.ndarray:
    """``module(x)`` for a batch of shape (n, ...)."""
    for base in type(module).__mro__:
        if base in _LAYERS:
            return _LAYERS[base](module, x)
    raise TypeError(f"no reference for {type(module).__name__}")


def _sequential(module: Any, x: np.ndarray) -> np.ndarray:
    for child in module._modules.values():
        x = evaluate(child, x)
    return x


def _linear(module: Any, x: np.ndarray) -> np.ndarray:
    y = x @ wide(module.weight).T
    return y if module.bias is None else y + wide(module.bias)


def _padded(x: np.ndarray, rows: tuple[int, int], columns: tuple[int, int], circular: bool) -> np.ndarray:
    pads = ((0, 0), (0, 0), rows, columns)
    return np.pad(x, pads, "wrap") if circular else np.pad(x, pads, constant_values=mpmath.mpf(0))


def _correlate(x: np.ndarray, kernel: np.ndarray, stride: Any, dilation: Any, groups: int = 1) -> np.ndarray:
    outs, channels = len(kernel) // groups, kernel.shape[1]
    spans = [d * (k - 1) + 1 for d, k in zip(dilation, kernel.shape[2:], strict=True)]
    sizes = [(n - span) // s + 1 for n, span, s in zip(x.shape[2:], spans, stride, strict=True)]
    y = np.empty((len(x), len(kernel), *sizes), object)
    for g in range(groups):
        rows = kernel[g * outs : (g + 1) * outs].reshape(outs, -1).T
        part = x[:, g * channels : (g + 1) * channels]
        for i, j in np.ndindex(*sizes):
            a, b = i * stride[0], j * stride[1]
            patch = part[:, :, a : a + spans[0] : dilation[0], b : b + spans[1] : dilation[1]]
            y[:, g * outs : (g + 1) * outs, i, j] = patch.reshape(len(x), -1) @ rows
    return y


def _scatter(x: np.ndarray, kernel: np.ndarray, stride: Any, dilation: Any, groups: int = 1) -> np.ndarray:
    """The adjoint of a correlation: kernel of shape (in, out / groups, k_1, k_2)."""
    ins, outs = len(kernel) // groups, kernel.shape[1]
    spans = [d * (k - 1) + 1 for d, k in zip(dilation, kernel.shape[2:], strict=True)]
    sizes = [s * (n - 1) + span for n, span, s in zip(x.shape[2:], spans, stride, strict=True)]
    y = np.full((len(x), outs * groups, *sizes), mpmath.mpf(0), object)
    for g in range(groups):
        rows = kernel[g * ins : (g + 1) * ins].reshape(ins, -1)
        for i, j in np.ndindex(*x.shape[2:]):
            a, b = i * stride[0], j * stride[1]
            patch = (x[:, g * ins : (g + 1) * ins, i, j] @ rows).reshape(len(x), outs, *kernel.shape[2:])
            y[:, g * outs : (g + 1) * outs, a : a + spans[0] : dilation[0], b : b + spans[1] : dilation[1]] += patch
    return y


def _with_bias(module: Any, y: np.ndarray) -> np.ndarray:
    return y if module.bias is None else y + wide(module.bias)[:, None, None]


def _conv(module: Any, x: np.ndarray) -> np.ndarray:
    kernel = wide(module.weight)
    left, right, top, bottom = module._reversed_padding_repeated_twice
    rows, columns = (top, bottom), (left, right)
    if module.padding_mode == "zeros" and module.padding == "same":
        overlaps = [d * (k - 1) for d, k in zip(module.dilation, kernel.shape[2:], strict=True)]
        rows, columns = ((o // 2, o - o // 2) for o in overlaps)
    elif module.padding_mode == "zeros":
        rows, columns = ((p, p) for p in module.padding)
    x = _padded(x, rows, columns, module.padding_mode == "circular")
    return _with_bias(module, _correlate(x, kernel, module.stride, module.dilation, module.groups))


def _conv_transpose(module: Any, x: np.ndarray) -> np.ndarray:
    y = _scatter(x, wide(module.weight), module.stride, module.dilation, module.groups)
    y = _padded(y, (0, module.output_padding[0]), (0, module.output_padding[1]), circular=False)
    (p, q), (height, width) = module.padding, y.shape[2:]
    return _with_bias(module, y[:, :, p : height - p, q : width - q])


def _kernel_of(module: Any) -> np.ndarray:
    with torch.no_grad():
        return wide(module.kernel())


def _kernel_conv(module: Any, x: np.ndarray) -> np.ndarray:
    x = _padded(x, module.padding, module.padding, module.padding_mode == "circular")
    return _with_bias(module, _correlate(x, _kernel_of(module), (module.stride,) * 2, (1, 1)))


def _windows(x: np.ndarray, size: int) -> np.ndarray:
    n, c, height, width = x.shape
    parts = x.reshape(n, c, height // size, size, width // size, size)
    return parts.transpose(0, 1, 2, 4, 3, 5).reshape(n, c, height // size, width // size, size**2)


def _moved(module: Any, x: np.ndarray) -> np.ndarray:
    """Layers that only move entries: where to, they say themselves."""
    places = torch.arange(x.size, dtype=torch.float64).view(x.shape)
    moved = module(places).long()
    return x.reshape(-1)[moved.reshape(-1).numpy()].reshape(moved.shape)


def _grouped(x: np.ndarray, size: int | None, dim: int) -> tuple[np.ndarray, int]:
    dim = dim % x.ndim
    size = size or x.shape[dim]
    return x.reshape(*x.shape[:dim], x.shape[dim] // size, size, *x.shape[dim + 1 :]), dim + 1


def _sort(module: Any, x: np.ndarray) -> np.ndarray:
    groups, axis = _grouped(x, getattr(module, "group_size", None), module.dim)
    return np.sort(groups, axis=axis).reshape(x.shape)


def _maxout(module: Any, x: np.ndarray) -> np.ndarray:
    groups, axis = _grouped(x, module.group_size, module.dim)
    return groups.max(axis=axis)


def _householder(module: Any, x: np.ndarray) -> np.ndarray:
    pairs, axis = _grouped(x, 2, module.dim)
    v = wide(module.normals).reshape(-1, 2, *(1,) * (pairs.ndim - 1 - axis))
    beyond = np.maximum((pairs * v).sum(axis=axis, keepdims=True), mpmath.mpf(0))
    return (pairs - 2 * beyond * v).reshape(x.shape)


def _leaky(module: Any, x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, mpmath.mpf(float(module.negative_slope)) * x)


def _residual(module: Any, x: np.ndarray) -> np.ndarray:
    a = mpmath.mpf(float(module.weight))
    return (1 - a) * x + a * evaluate(module.branch, x)


def _entrywise(function: Callable[[Any], Any]) -> Callable[[Any, np.ndarray], np.ndarray]:
    applied = np.vectorize(function, otypes=[object])
    return lambda module, x: applied(x)


def _same(module: Any, x: np.ndarray) -> np.ndarray:
    return x


_LAYERS: dict[type[nn.Module], Callable[[Any, np.ndarray], np.ndarray]] = {
    nn.Sequential: _sequential,
    nn.Linear: _linear,
    nn.Conv2d: _conv,
    nn.ConvTranspose2d: _conv_transpose,
    KernelConv2d: _kernel_conv,
    ScaledAvgPool2d: lambda module, x: _windows(x, module.size).sum(axis=4) / module.size,
    NormPool2d: lambda module, x: _entrywise(mpmath.sqrt)(None, (_windows(x, module.size) ** 2).sum(axis=4)),
    nn.PixelUnshuffle: _moved,
    nn.PixelShuffle: _moved,
    nn.Flatten: _moved,
    nn.Unflatten: _moved,
    GroupSort: _sort,
    FullSort: _sort,
    Maxout: _maxout,
    Householder: _householder,
    Abs: _entrywise(abs),
    Scale: lambda module, x: mpmath.mpf(float(module.factor)) * x,
    nn.Identity: _same,
    nn.Dropout: _same,
    nn.ReLU: _entrywise(lambda v: max(v, mpmath.mpf(0))),
    nn.LeakyReLU: _leaky,
    nn.Tanh: _entrywise(mpmath.tanh),
    nn.Sigmoid: _entrywise(lambda v: 1 / (1 + mpmath.exp(-v))),
    ConvexResidual: _residual,
}
