"""Checks of sample sets, weights and potentials, and their conversion to float64 arrays."""

import math
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

FloatArray: TypeAlias = NDArray[np.float64]
Samples: TypeAlias = Tensor | NDArray[np.floating]
Weights: TypeAlias = Tensor | NDArray[np.floating]

# The largest error that is accepted in a sum of weights, from roundings in half precision.
_LARGEST_ROUNDING = 0.01


def as_points(samples: Samples, name: str) -> FloatArray:
    """Check samples and convert them to a float64 matrix with a point in each row.

    Args:
        samples: a floating-point tensor or array of shape ``(n, ...)``; axes after the first are
            flattened, and shape ``(n,)`` is n points on the real line.
        name: of the argument, for errors.

    Returns:
        An array of shape ``(n, d)``. Conversion to float64 is exact.

    Raises:
        TypeError: not a tensor or array.
        ValueError: not floating point, empty, or with NaN or infinity.
    """
    array = _as_float64(samples, name)
    if array.ndim == 0 or array.size == 0:
        raise ValueError(f"{name} must hold at least one point; got shape {tuple(array.shape)}")
    points = np.ascontiguousarray(array.reshape(len(array), -1))
    finite = np.isfinite(points).all(axis=1)
    if not finite.all():
        raise ValueError(
            f"{name} holds NaN or infinity in {int((~finite).sum())} of {len(points)} points; "
            f"the first is point {int(finite.argmin())}"
        )
    return points


def as_pair(x: Samples, y: Samples) -> tuple[FloatArray, FloatArray]:
    """Check and convert both sample sets of a problem, which must lie in the same space.

    Raises:
        TypeError, ValueError: as :func:`as_points`, or if the dimensions differ.
    """
    x_points, y_points = as_points(x, "x"), as_points(y, "y")
    if x_points.shape[1] != y_points.shape[1]:
        raise ValueError(
            f"x and y must have the same dimension; got {x_points.shape[1]} and {y_points.shape[1]} "
            f"(shapes {tuple(x.shape)} and {tuple(y.shape)})"
        )
    return x_points, y_points


def as_weights(weights: Weights | None, n: int, name: str) -> FloatArray:
    """Check and convert the weights of n points.

    Args:
        weights: shape (n,), non-negative, of sum 1 up to the rounding of their precision; equal weights if None.
        n: number of points.
        name: of the argument, for errors.

    Returns:
        Shape (n,), float64.

    Raises:
        TypeError: not a tensor or array.
        ValueError: not floating point, of another shape, negative, NaN, or not of sum 1.
    """
    if weights is None:
        return np.full(n, 1 / n)
    share = _as_float64(weights, name)
    if share.shape != (n,):
        raise ValueError(f"{name} must have one entry for each point, shape ({n},); got shape {tuple(share.shape)}")
    if not (share >= 0).all():
        worst = int(np.argmin(np.where(np.isnan(share), -np.inf, share)))
        raise ValueError(f"{name} must not be negative or NaN; got {share[worst]} at point {worst}")
    eps = torch.finfo(weights.dtype).eps if isinstance(weights, Tensor) else float(np.finfo(weights.dtype).eps)
    if share.max() > 2:
        raise ValueError(f"{name} must sum to 1; got a weight of {share.max()!r}: divide all by their sum")
    # Each weight, and the sum by which it was divided, carries a rounding of this size.
    if not abs(math.fsum(share) - 1) <= min(8 * math.sqrt(n) * eps, _LARGEST_ROUNDING):
        raise ValueError(f"{name} must sum to 1; got the sum {math.fsum(share)!r}: divide all by it")
    return share


def as_potentials(potentials: tuple[Weights, Weights], n: int, m: int) -> tuple[FloatArray, FloatArray]:
    """Check and convert potentials on n and m points.

    Raises:
        TypeError: not a pair of tensors or arrays.
        ValueError: not floating point, of other shapes, NaN or infinite.
    """
    if not isinstance(potentials, tuple | list) or len(potentials) != 2:
        raise TypeError(f"initial_potentials must be a pair, on x and on y; got {type(potentials).__name__}")
    first, second = (_as_float64(values, f"initial_potentials[{side}]") for side, values in enumerate(potentials))
    if first.shape != (n,) or second.shape != (m,):
        raise ValueError(
            f"initial_potentials must have one entry for each point, shapes ({n},) and ({m},); "
            f"got {first.shape} and {second.shape}"
        )
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ValueError("initial_potentials must be finite; got NaN or infinity")
    return first, second


def _as_float64(values: Samples, name: str) -> FloatArray:
    if isinstance(values, Tensor) and (values.layout != torch.strided or values.is_meta or values.is_quantized):
        raise ValueError(
            f"{name} must be a dense tensor with values; got {values.dtype} in layout {values.layout} on "
            f"{values.device}"
        )
    array = values.detach().cpu() if isinstance(values, Tensor) else values
    if isinstance(array, Tensor):
        # NumPy has no bfloat16. It converts all others in this thread, which reads subnormal numbers as they are.
        array = array.double().numpy() if array.dtype == torch.bfloat16 else array.numpy()
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{name} must be a torch.Tensor or numpy.ndarray; got {type(values).__name__}")
    if not np.issubdtype(array.dtype, np.floating) or array.dtype.itemsize > 8:
        raise ValueError(f"{name} must hold floating-point numbers of at most 64 bits; got dtype {values.dtype}")
    if isinstance(array, np.ma.MaskedArray):
        raise ValueError(f"{name} must not be a masked array: pass only the points that are not masked")
    return array.astype(np.float64, copy=False)
