"""Sample sets as they come in: checked, and as float64 matrices."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

FloatArray: TypeAlias = NDArray[np.float64]
Samples: TypeAlias = Tensor | NDArray[np.floating]


def as_points(samples: Samples, name: str) -> FloatArray:
    """Samples as a float64 matrix with one point a row.

    Args:
        samples: a floating-point tensor or array of shape ``(n, ...)``; axes after the first are
            flattened, and shape ``(n,)`` is n points on the real line.
        name: what the caller calls them, for the errors.

    Returns:
        An array of shape ``(n, d)``. Conversion to float64 is exact.

    Raises:
        TypeError: not a tensor or array.
        ValueError: not floating point, empty, or with NaN or infinity.
    """
    array = samples.detach().cpu() if isinstance(samples, Tensor) else samples
    if isinstance(array, Tensor):
        # NumPy has no bfloat16.
        array = array.double().numpy() if array.is_floating_point() else array.numpy()
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{name} must be a torch.Tensor or numpy.ndarray; got {type(samples).__name__}")
    if not np.issubdtype(array.dtype, np.floating) or array.dtype.itemsize > 8:
        raise ValueError(f"{name} must hold floating-point numbers of at most 64 bits; got dtype {samples.dtype}")
    if isinstance(array, np.ma.MaskedArray):
        raise ValueError(f"{name} is a masked array; pass the points that count")
    if array.ndim == 0 or array.size == 0:
        raise ValueError(f"{name} must hold at least one point; got shape {tuple(array.shape)}")
    points = np.ascontiguousarray(array.reshape(len(array), -1), dtype=np.float64)
    finite = np.isfinite(points).all(axis=1)
    if not finite.all():
        raise ValueError(
            f"{name} holds NaN or infinity in {int((~finite).sum())} of {len(points)} points; "
            f"the first is point {int(finite.argmin())}"
        )
    return points


def as_pair(x: Samples, y: Samples) -> tuple[FloatArray, FloatArray]:
    """Both sample sets of a problem, checked to lie in the same space.

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
