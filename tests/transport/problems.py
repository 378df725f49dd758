"""Random transport problems to compare solvers on, and problems whose distance is known."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from wgan_lip.transport import Norm, W1Result, wasserstein1

Array = NDArray[np.float64]


METRICS = {"l2": "euclidean", "l1": "cityblock", "linf": "chebyshev"}


@dataclass(frozen=True)
class Problem:
    """Two sample sets, with weights or without, and the ground norm."""

    x: Array
    y: Array
    kind: str
    x_weights: Array | None = None
    y_weights: Array | None = None
    norm: Norm = "l2"

    def solve(self, **options: Any) -> W1Result:
        """The solution of the package."""
        options = {"norm": self.norm, "x_weights": self.x_weights, "y_weights": self.y_weights, **options}
        return wasserstein1(self.x, self.y, **options)

    def distance(self) -> Array:
        """All distances, shape (n, m)."""
        return cdist(self.x, self.y, METRICS[self.norm])

    def shares(self) -> tuple[Array, Array]:
        """The weights, those that were not given too."""
        n, m = len(self.x), len(self.y)
        return (
            np.full(n, 1 / n) if self.x_weights is None else self.x_weights,
            np.full(m, 1 / m) if self.y_weights is None else self.y_weights,
        )


KINDS = ("gaussian", "duplicates", "collinear", "far clusters", "same", "shifted", "tiny", "large", "one far point")
WEIGHTS = ("none", "random", "counts", "mostly zero", "one side")


@st.composite
def problems(draw, max_size: int = 60, max_dimension: int = 784) -> Problem:
    """Problems of different sizes, from one point on, in 1 to ``max_dimension`` dimensions."""
    n = draw(st.integers(1, max_size))
    m = draw(st.one_of(st.just(n), st.integers(1, max_size)))
    d = draw(st.one_of(st.integers(1, min(5, max_dimension)), st.integers(1, max_dimension)))
    kind = draw(st.sampled_from(KINDS))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x, y = rng.normal(size=(n, d)), rng.normal(size=(m, d)) + 0.3
    if kind == "duplicates":
        x, y = x.round(), y.round()
    elif kind == "collinear":
        direction = rng.normal(size=(1, d))
        x, y = rng.normal(size=(n, 1)) * direction, rng.normal(size=(m, 1)) * direction
    elif kind == "far clusters":
        x[: n // 2] += 1e4
        y[: m // 2] += 1e4
    elif kind == "same":
        y = x[rng.permutation(n)]
    elif kind == "shifted":
        x, y = x + 1e3, y + 1e3
    elif kind == "tiny":
        x, y = x * 1e-9, y * 1e-9
    elif kind == "large":
        x, y = x * 1e9, y * 1e9
    elif kind == "one far point":
        x[0] *= 1e3
    return Problem(x, y, kind)


@st.composite
def weighted_problems(draw, **limits: int) -> Problem:
    """Problems in all norms, with weights of all kinds."""
    problem = draw(problems(**limits))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from(WEIGHTS))
    weights = [_weights(kind, len(points), rng) for points in (problem.x, problem.y)]
    if kind == "one side":
        weights[1] = None
    return replace(problem, norm=draw(st.sampled_from(sorted(METRICS))), x_weights=weights[0], y_weights=weights[1])


def _weights(kind: str, n: int, rng: np.random.Generator) -> Array | None:
    if kind == "none":
        return None
    weights = rng.integers(0, 4, size=n).astype(float) if kind == "counts" else rng.random(n)
    if kind == "mostly zero":
        weights *= rng.random(n) < 0.3
    weights[rng.integers(n)] += 1
    return weights / weights.sum()
