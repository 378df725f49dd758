"""Ground norms: the distance between two points that a unit of mass pays."""

from typing import Literal, TypeAlias, get_args

import numpy as np
from scipy.spatial.distance import cdist

from wgan_lip.transport.samples import FloatArray

Norm: TypeAlias = Literal["l2", "l1", "linf"]

_METRICS: dict[Norm, Literal["euclidean", "cityblock", "chebyshev"]] = {
    "l2": "euclidean",
    "l1": "cityblock",
    "linf": "chebyshev",
}
_ORDERS: dict[Norm, float] = {"l2": 2, "l1": 1, "linf": np.inf}


def check_norm(norm: str) -> None:
    """Accept the ground norms that there are.

    Raises:
        ValueError: any other name.
    """
    if norm not in get_args(Norm):
        raise ValueError(f"norm must be one of {', '.join(get_args(Norm))}; got norm={norm!r}")


def pairwise(x: FloatArray, y: FloatArray, norm: Norm) -> FloatArray:
    """Distances ``|x_i - y_j|`` from differences of coordinates, each within d + 4 roundings of the truth.

    Args:
        x: shape (n, d).
        y: shape (m, d).
        norm: of the difference.

    Returns:
        Shape (n, m).
    """
    return cdist(x, y, _METRICS[norm])


def paired(x: FloatArray, y: FloatArray, norm: Norm) -> FloatArray:
    """Distances ``|x_i - y_i|``, as accurate as those of :func:`pairwise`.

    Args:
        x: shape (n, d).
        y: shape (n, d).
        norm: of the difference.

    Returns:
        Shape (n,).
    """
    return np.linalg.norm(x - y, ord=_ORDERS[norm], axis=1)
