"""The noise floor: the W1 between two samples of one distribution."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from wgan_lip.transport.deviation import deviation, mean
from wgan_lip.transport.exact import wasserstein1
from wgan_lip.transport.norm import Norm, check_norm
from wgan_lip.transport.rounding import gradual_underflow
from wgan_lip.transport.samples import FloatArray, Samples, as_points


@dataclass(frozen=True)
class NoiseFloor:
    """W1 between disjoint subsets of one sample.

    Attributes:
        values: W1 of each split, in the units of the samples.
        mean: of the values.
        std: standard deviation of the values; NaN for a single split. The splits share their data, so it is the
            spread over splits, not the standard error of independent experiments.
        size: points in each of the two subsets.
    """

    values: tuple[float, ...]
    mean: float
    std: float
    size: int


@gradual_underflow()
def noise_floor(
    x: Samples, *, size: int | None = None, splits: int = 5, norm: Norm = "l2", generator: torch.Generator
) -> NoiseFloor:
    """Compute the exact W1 between two disjoint random subsets of the same sample, over repeated splits.

    ``W1(x[A], x[B])``, A and B disjoint, both of ``size`` points

    Both subsets come from one distribution, whose distance from itself is 0: all of the W1 is due to sampling. It falls
    with the size, so compare a distance between samples of ``size`` points with the floor of the same size.

    Args:
        x: shape (n, ...).
        size: points in each subset, at most n // 2, which is the default.
        splits: number of splits.
        norm: the ground norm.
        generator: draws the splits.

    Raises:
        ValueError: fewer than two points, a size outside 1 to n // 2, fewer than one split, bad samples.

    Source:
        Sriperumbudur et al., "On the empirical estimation of integral probability metrics", 2012 (rate
        at which W1 between samples falls).

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> x = torch.rand(2000, 1, generator=generator)  # uniform on [0, 1]
        >>> floor = noise_floor(x, generator=generator)
        >>> floor.size
        1000
        >>> 0 < floor.mean < 0.05  # two samples of one distribution, and yet above 0
        True
    """
    check_norm(norm)
    points = as_points(x, "x")
    n = len(points)
    if n < 2:
        raise ValueError(f"x must hold at least two points; got {n}")
    if size is None:
        size = n // 2
    if size < 1 or 2 * size > n:
        raise ValueError(f"size must be between 1 and {n // 2}, half of the {n} points; got size={size}")
    if splits < 1:
        raise ValueError(f"splits must be at least 1; got splits={splits}")
    values = []
    for _ in range(splits):
        first, second = disjoint_subsets(points, (size, size), generator)
        values.append(wasserstein1(first, second, norm=norm).value)
    found = np.array(values)
    return NoiseFloor(values=tuple(values), mean=mean(found), std=deviation(found), size=size)


def disjoint_subsets(points: FloatArray, sizes: Sequence[int], generator: torch.Generator) -> list[FloatArray]:
    """Draw disjoint random subsets of a sample: independent samples of the same distribution.

    Args:
        points: shape (n, d).
        sizes: of the subsets; their sum is at most n.
        generator: draws a permutation of the points.

    Returns:
        Arrays of shape (sizes[k], d).
    """
    order = torch.randperm(len(points), generator=generator, device=generator.device).cpu().numpy()
    subsets, start = [], 0
    for size in sizes:
        subsets.append(points[order[start : start + size]])
        start += size
    return subsets
