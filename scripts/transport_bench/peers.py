"""Ways to the exact W1 of equally weighted points."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

# Coordinates from which on |x|^2 + |y|^2 - 2 <x, y> is the fastest way to all distances: ten times at 784.
MANY_COORDINATES = 128
PIVOTS = 10**9


@dataclass(frozen=True)
class Peer:
    """A way to the exact W1 of equally weighted points.

    Attributes:
        solve: the value, from x and y of shape (n, d).
        bytes_an_arc: memory for each of the n^2 distances, as measured by this script.
        package: that it needs.
    """

    solve: Callable[[np.ndarray, np.ndarray], float]
    bytes_an_arc: int = 0
    package: str = "wgan_lip"


def ours(x: np.ndarray, y: np.ndarray, **options: Any) -> float:
    """This package."""
    from wgan_lip.transport import wasserstein1

    return wasserstein1(x, y, **options).value


def emd2(x: np.ndarray, y: np.ndarray) -> float:
    """POT's network simplex on all distances."""
    import ot

    a, b = (np.full(len(points), 1 / len(points)) for points in (x, y))
    value, log = ot.emd2(a, b, ot.dist(x, y, metric="euclidean"), numItermax=PIVOTS, log=True)
    return _optimal(value, log)


def emd2_lazy(x: np.ndarray, y: np.ndarray) -> float:
    """POT's network simplex, which computes distances when it needs them."""
    import ot

    value, log = ot.lp.emd2_lazy(x, y, metric="euclidean", numItermax=PIVOTS, log=True, return_matrix=False)
    return _optimal(value, log)


def scipy(x: np.ndarray, y: np.ndarray) -> float:
    """Scipy's shortest augmenting paths."""
    from scipy.optimize import linear_sum_assignment

    distance = _distances(x, y)
    return float(distance[linear_sum_assignment(distance)].mean())


def lapjv(x: np.ndarray, y: np.ndarray) -> float:
    """Jonker and Volgenant's algorithm, of the package lap."""
    import lap

    return float(lap.lapjv(_distances(x, y))[0]) / len(x)


def _optimal(value: float, log: dict[str, Any]) -> float:
    if log["result_code"] != 1:
        raise RuntimeError(f"POT found no optimum: {log['warning']}")
    return float(value)


def _distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """All distances, in no more memory than they take, and in the way that is faster for the dimension."""
    if x.shape[1] < MANY_COORDINATES:
        from scipy.spatial.distance import cdist

        return cdist(x, y)
    distance = x @ y.T
    distance *= -2
    distance += (x**2).sum(axis=1)[:, None]
    distance += (y**2).sum(axis=1)
    return np.sqrt(distance.clip(min=0, out=distance), out=distance)


OURS = "ours"
PEERS = {
    OURS: Peer(ours),
    "emd2": Peer(emd2, bytes_an_arc=41, package="ot"),
    "emd2_lazy": Peer(emd2_lazy, package="ot"),
    "scipy": Peer(scipy, bytes_an_arc=8, package="scipy"),
    "lapjv": Peer(lapjv, bytes_an_arc=8, package="lap"),
    "ours-network-simplex": Peer(partial(ours, method="network-simplex"), bytes_an_arc=45),
    "ours-column-generation": Peer(partial(ours, method="column-generation")),
}
