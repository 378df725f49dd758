"""Sliced W1: exact W1 of one-dimensional projections, lower bounds of W1."""

import math
from dataclasses import dataclass

import numpy as np
import torch

from wgan_lip.transport.deviation import standard_error
from wgan_lip.transport.norm import Norm, check_norm
from wgan_lip.transport.rounding import gradual_underflow, rounded_down, roundoff, underflow_bound, unit_of
from wgan_lip.transport.samples import FloatArray, Samples, as_pair

# The norm |.|_* with <u, x> <= |u|_* |x|, as an order of np.linalg.norm.
_DUAL_ORDERS: dict[Norm, float] = {"l2": 2, "l1": np.inf, "linf": 1}
# Entries of a block of projections: 32 MiB.
_BLOCK = 2**22


@dataclass(frozen=True)
class SlicedW1:
    """W1 of one-dimensional projections, rounded down: mean and maximum are both lower bounds of W1.

    Attributes:
        mean: over the directions, in the units of the samples.
        standard_error: of the mean, over draws of directions; NaN for one direction. It does not include the
            sampling of the points.
        maximum: over the directions: the larger of the two lower bounds.
        direction: the direction of the maximum, shape (d,), of dual norm 1.
        directions: number of directions.
    """

    mean: float
    standard_error: float
    maximum: float
    direction: FloatArray
    directions: int


def draw_directions(count: int, dimension: int, *, norm: Norm = "l2", generator: torch.Generator) -> FloatArray:
    """Draw Gaussian directions u scaled to dual norm 1, so that ``x -> <u, x>`` is 1-Lipschitz in the ground norm.

    l2: the unit sphere, uniformly; l1: ``max_k |u_k| = 1``; linf: ``sum_k |u_k| = 1``.

    Args:
        count: number of directions.
        dimension: ``d``.
        norm: the ground norm.
        generator: draws them.

    Returns:
        Shape (count, d).

    Raises:
        ValueError: fewer than one direction or dimension, another norm.
    """
    check_norm(norm)
    if count < 1 or dimension < 1:
        raise ValueError(f"directions and dimension must be at least 1; got directions={count}, dimension={dimension}")
    normal = torch.randn(count, dimension, dtype=torch.float64, generator=generator, device=generator.device)
    directions: FloatArray = normal.cpu().numpy()
    return directions / np.linalg.norm(directions, ord=_DUAL_ORDERS[norm], axis=1, keepdims=True)


@gradual_underflow()
def sliced_wasserstein1(
    x: Samples, y: Samples, *, directions: int = 256, norm: Norm = "l2", generator: torch.Generator
) -> SlicedW1:
    """Compute the exact W1 of projections ``<u, x>`` and ``<u, y>`` in random directions u: mean and maximum.

    ``W1(u#x, u#y) = int_0^1 |F_ux^-1(t) - F_uy^-1(t)| dt <= W1(x, y)`` for ``|u|_* <= 1``, the dual norm

    In d dimensions both can be smaller than W1 by more than a factor sqrt(d). The cost is that of sorting.

    Args:
        x: shape (n, ...).
        y: shape (m, ...), of the same dimension; n and m may differ.
        directions: number of directions.
        norm: the ground norm of the W1 that is bounded.
        generator: draws the directions.

    Raises:
        ValueError: fewer than one direction, another norm, bad samples, projections that overflow.

    Source:
        Bonneel et al., "Sliced and Radon Wasserstein barycenters of measures", 2015, section 3 (mean); Deshpande
        et al., "Max-sliced Wasserstein distance and its use for GANs", 2019 (maximum, there over all directions).

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> x = torch.rand(100, 3, generator=generator)
        >>> sliced = sliced_wasserstein1(x, x + torch.tensor([1.0, 0.0, 0.0]), generator=generator)
        >>> sliced.mean < sliced.maximum <= 1  # W1 is 1
        True
    """
    x_points, y_points = as_pair(x, y)
    unit = unit_of(x_points, y_points)
    x_points, y_points = x_points / unit, y_points / unit
    (n, d), m = x_points.shape, len(y_points)
    slices = draw_directions(directions, d, norm=norm, generator=generator)
    # Jumps of the two quantile functions in units of 1 / (n m): integers, so the masses are exact.
    jumps = np.union1d(np.arange(1, n + 1) * m, np.arange(1, m + 1) * n)
    mass = np.diff(jumps, prepend=0) / (n * m)
    rows, columns = (jumps - 1) // m, (jumps - 1) // n
    values = np.empty(directions)
    block = max(1, _BLOCK // (n + m))
    # The rounding of a projection is relative to its terms, all other roundings are relative to the distance.
    size = np.abs(x_points).mean(axis=0) + np.abs(y_points).mean(axis=0)
    for start in range(0, directions, block):
        turned = slices[start : start + block].T
        x_sorted, y_sorted = np.sort(x_points @ turned, axis=0), np.sort(y_points @ turned, axis=0)
        found = mass @ np.abs(x_sorted[rows] - y_sorted[columns]) * (1 - roundoff(len(jumps) + d + 12))
        values[start : start + block] = np.maximum(
            0, found - roundoff(n + m + d + 4) * (size @ np.abs(turned)) - underflow_bound(d)
        )
    best = int(values.argmax())
    if not math.isfinite(float(values[best]) * unit):
        raise ValueError("projections of x and y overflow float64: scale both down")
    return SlicedW1(
        mean=rounded_down(float(values.mean()) * (1 - roundoff(directions + 2)), unit),
        standard_error=unit * standard_error(values),
        maximum=rounded_down(float(values[best]), unit),
        direction=slices[best],
        directions=directions,
    )
