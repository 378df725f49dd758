"""Ground norms: the cost of moving a unit of mass is the distance in one of them."""

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
# The order p of each norm, in the convention of NumPy and PyTorch.
ORDERS: dict[Norm, float] = {"l2": 2, "l1": 1, "linf": np.inf}
# Coordinates that `paired` holds in memory at once.
_HELD = 2**20
# Squares of differences below _SMALL underflow: such differences are multiplied by _LARGE, by which coordinates below 2
# do not overflow.
_SMALL, _LARGE = 2.0**-470, 2.0**470


def check_norm(norm: str) -> None:
    """Check the name of a ground norm.

    Raises:
        ValueError: an unknown name.
    """
    if norm not in get_args(Norm):
        raise ValueError(f"norm must be one of {', '.join(get_args(Norm))}; got norm={norm!r}")


def pairwise(x: FloatArray, y: FloatArray, norm: Norm) -> FloatArray:
    """Compute all distances ``|x_i - y_j|``, from differences of coordinates.

    The error is at most that of d + 4 roundings, and ``underflow_bound``.

    Args:
        x: shape (n, d), coordinates below 2 in size.
        y: shape (m, d), likewise.
        norm: the ground norm.

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
    """Compute the distances ``|x[rows[k]] - y[columns[k]]|``, as accurately as :func:`pairwise`, in little memory.

    Args:
        x: shape (n, d), coordinates below 2 in size.
        y: shape (m, d), likewise.
        rows: indices of points of x, shape (k,).
        columns: indices of points of y, shape (k,).
        norm: the ground norm.

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
    """Compute the largest distance of two points of a cube.

    Args:
        width: of the cube, along each coordinate.
        dimension: of the points.
        norm: the ground norm.
    """
    return float(width * dimension ** (1 / ORDERS[norm]))
