"""Ground norms: the distance between two points that a unit of mass pays."""

from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from wgan_lip.transport.samples import FloatArray

Norm: TypeAlias = Literal["l2", "l1", "linf"]

_METRICS: dict[Norm, Literal["euclidean", "cityblock", "chebyshev"]] = {
    "l2": "euclidean",
    "l1": "cityblock",
    "linf": "chebyshev",
}
# The order p of each, as NumPy and PyTorch call it.
ORDERS: dict[Norm, float] = {"l2": 2, "l1": 1, "linf": np.inf}
# Coordinates held at once by `paired`.
_HELD = 2**20
# Differences below the first have squares that underflow: they are multiplied by the second. Coordinates below 2 cannot
# overflow by that.
_SMALL, _LARGE = 2.0**-470, 2.0**470


def check_norm(norm: str) -> None:
    """Accept the ground norms that there are.

    Raises:
        ValueError: any other name.
    """
    if norm not in get_args(Norm):
        raise ValueError(f"norm must be one of {', '.join(get_args(Norm))}; got norm={norm!r}")


def pairwise(x: FloatArray, y: FloatArray, norm: Norm) -> FloatArray:
    """Distances ``|x_i - y_j|`` from differences of coordinates, within d + 4 roundings and ``lost`` of the truth.

    Args:
        x: shape (n, d), coordinates below 2 in size.
        y: shape (m, d), likewise.
        norm: of the difference.

    Returns:
        Shape (n, m).
    """
    distance: FloatArray = cdist(x, y, _METRICS[norm])
    if norm == "l2" and (small := distance < _SMALL).any():
        distance[small] = cdist(x * _LARGE, y * _LARGE)[small] / _LARGE
    return distance


def paired(
    x: FloatArray, y: FloatArray, rows: NDArray[np.integer], columns: NDArray[np.integer], norm: Norm
) -> FloatArray:
    """Distances ``|x_rows[k] - y_columns[k]|``, as accurate as those of :func:`pairwise`, in little memory.

    Args:
        x: shape (n, d), coordinates below 2 in size.
        y: shape (m, d), likewise.
        rows: indices of points of x, shape (k,).
        columns: indices of points of y, shape (k,).
        norm: of the difference.

    Returns:
        Shape (k,).
    """
    distance = np.empty(len(rows))
    step = max(1, _HELD // x.shape[1])
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        difference = x[rows[part]] - y[columns[part]]
        found = np.linalg.norm(difference, ord=ORDERS[norm], axis=1)
        if norm == "l2" and (small := found < _SMALL).any():
            found[small] = np.linalg.norm(difference[small] * _LARGE, axis=1) / _LARGE
        distance[part] = found
    return distance


def box_diameter(width: float, dimension: int, norm: Norm) -> float:
    """Largest distance of two points of a cube.

    Args:
        width: of the cube, along each coordinate.
        dimension: of the points.
        norm: of the difference.
    """
    return float(width * dimension ** (1 / ORDERS[norm]))
