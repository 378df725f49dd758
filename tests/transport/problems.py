"""Transport problems: drawn ones, to compare solvers on, and ones whose distance is known."""

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Problem:
    """Two sample sets."""

    x: Array
    y: Array
    kind: str


KINDS = ("gaussian", "duplicates", "collinear", "far clusters", "same", "shifted", "tiny", "large")


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
    return Problem(x, y, kind)
