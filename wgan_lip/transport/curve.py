"""How W1 of samples falls as they grow, and where it seems to be heading."""

import math
from dataclasses import dataclass

import numpy as np
import torch

from wgan_lip.transport.deviation import deviation, mean
from wgan_lip.transport.exact import wasserstein1
from wgan_lip.transport.norm import Norm, check_norm
from wgan_lip.transport.samples import Samples, as_pair
from wgan_lip.transport.subsets import disjoint_subsets
from wgan_lip.transport.underflow import gradual_underflow

_PARTS = 4


@dataclass(frozen=True)
class W1Curve:
    """W1 of samples at a quarter, half and the whole of their size.

    The ``extrapolated_`` fields come from a model through three noisy points: they are guesses, not bounds, and
    they are all None where the points do not allow the model.

    Attributes:
        x_sizes: points of x in the quarter, the half and the whole.
        y_sizes: of y, likewise.
        values: W1 at those sizes, in the units of the samples: means over 4, 2 and 1 pairs of disjoint subsets.
        stds: standard deviation over these pairs; NaN for the single last one.
        extrapolated_w1: extrapolation to infinite samples: ``w`` in ``W(n) = w + c n^-alpha``. It may be negative.
        extrapolated_exponent: ``alpha`` there.
        extrapolated_constant: ``c`` there, n the size of x.
    """

    x_sizes: tuple[int, int, int]
    y_sizes: tuple[int, int, int]
    values: tuple[float, float, float]
    stds: tuple[float, float, float]
    extrapolated_w1: float | None
    extrapolated_exponent: float | None
    extrapolated_constant: float | None


@gradual_underflow()
def w1_curve(x: Samples, y: Samples, *, norm: Norm = "l2", generator: torch.Generator) -> W1Curve:
    """Exact W1 at n/4, n/2 and n, and the power law through the three.

    ``W(n) = w + c n^-alpha``: with ``ratio = (W(n/4) - W(n/2)) / (W(n/2) - W(n))``,
    ``alpha = log2(ratio)`` and ``w = W(n) - (W(n/2) - W(n)) / (ratio - 1)``

    The law needs a curve that falls, ever more slowly (ratio > 1). Where sampling noise hides that, nothing is
    extrapolated. The bias of W1 is of order n^(-1/d) for d > 2, but only its upper bound is proven, so the
    extrapolation is not a bound of anything: for those see :func:`population_bracket`.

    Args:
        x: shape (n, ...), n >= 4. Up to three points, at random, are left out, so that n is a multiple of 4.
        y: likewise, shape (m, ...).
        norm: the ground norm.
        generator: draws the subsets.

    Raises:
        ValueError: fewer than four points, bad samples, another norm.

    Source:
        Fournier, Guillin, "On the rate of convergence in Wasserstein distance of the empirical measure", 2015,
        theorem 1 (the rate); the elimination is Aitken's, "On Bernoulli's numerical solution of algebraic
        equations", 1926.
    """
    check_norm(norm)
    x_points, y_points = as_pair(x, y)
    x_part, y_part = len(x_points) // _PARTS, len(y_points) // _PARTS
    if min(x_part, y_part) < 1:
        raise ValueError(f"x and y must hold at least {_PARTS} points; got {len(x_points)} and {len(y_points)}")
    x_parts = disjoint_subsets(x_points, [x_part] * _PARTS, generator)
    y_parts = disjoint_subsets(y_points, [y_part] * _PARTS, generator)
    values, stds = [], []
    for joined in (1, 2, _PARTS):
        distances = [
            wasserstein1(
                np.concatenate(x_parts[start : start + joined]),
                np.concatenate(y_parts[start : start + joined]),
                norm=norm,
            ).value
            for start in range(0, _PARTS, joined)
        ]
        values.append(mean(np.array(distances)))
        stds.append(deviation(np.array(distances)))
    limit, exponent, constant = _power_law(values[0], values[1], values[2], _PARTS * x_part)
    return W1Curve(
        x_sizes=(x_part, 2 * x_part, 4 * x_part),
        y_sizes=(y_part, 2 * y_part, 4 * y_part),
        values=(values[0], values[1], values[2]),
        stds=(stds[0], stds[1], stds[2]),
        extrapolated_w1=limit,
        extrapolated_exponent=exponent,
        extrapolated_constant=constant,
    )


def _power_law(
    quarter: float, half: float, whole: float, n: int
) -> tuple[float, float, float] | tuple[None, None, None]:
    """``(w, alpha, c)`` of ``w + c n^-alpha`` through the values at n/4, n/2 and n; Nones if there is none."""
    first, second = quarter - half, half - whole
    if not 0 < second < first:
        return None, None, None
    ratio = first / second
    excess = second / (ratio - 1)
    alpha = math.log2(ratio)
    return whole - excess, alpha, excess * n**alpha
