"""Fidelity and variety of generated samples, and exact nearest neighbours, in blocks of bounded memory."""

from dataclasses import dataclass

import torch
from torch import Tensor

from wgan_lip.quality.features import Features, check_features, rows_at_once


@dataclass(frozen=True)
class Neighbours:
    """The k references nearest to each query, in the order of their distances.

    Attributes:
        indices: of the references, shape (n, k), int64.
        distances: in l2, shape (n, k), float64.
    """

    indices: Tensor
    distances: Tensor


def nearest_neighbours(queries: Features, references: Features, k: int = 1) -> Neighbours:
    """Find the k nearest references of each query in l2; at equal distances those of the smallest index.

    Distances are computed from differences in float64, without cancellation.

    Args:
        queries: a tensor or a NumPy array of shape (n, ...).
        references: a tensor or a NumPy array of shape (m, ...), m >= k.
        k: the number of neighbours.

    Raises:
        TypeError: neither tensors nor NumPy arrays.
        ValueError: sparse or masked ones, ``k`` is not in 1..m, NaN or infinity, or different numbers of features.
    """
    queries, references = check_features(1, queries=queries, references=references)
    if not 1 <= k <= len(references):
        raise ValueError(f"k must lie between 1 and the {len(references)} references; got k={k}")
    indices, distances = [], []
    for part in queries.split(rows_at_once(len(references))):
        all_ = torch.cdist(part, references, compute_mode="donot_use_mm_for_euclid_dist")
        nearest = all_.sort(dim=1, stable=True) if k == len(references) else _smallest(all_, k)
        indices.append(nearest[1][:, :k])
        distances.append(nearest[0][:, :k])
    return Neighbours(torch.cat(indices), torch.cat(distances))


def _smallest(distances: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return values and indices of the k smallest in each row; equal ones by their index."""
    limit = distances.kthvalue(k, dim=1, keepdim=True).values
    # All up to the k-th distance in the order of their indices, which a stable sort keeps among equal distances.
    width = int((distances <= limit).sum(1).max())
    candidates = distances.masked_fill(distances > limit, torch.inf)
    chosen = candidates.topk(width, dim=1, largest=False).indices.sort(dim=1).values
    values, order = distances.gather(1, chosen).sort(dim=1, stable=True)
    return values, chosen.gather(1, order)


# Distances from differences: those from a matrix product can round a sample on the boundary into a ball.
_EXACT = "donot_use_mm_for_euclid_dist"

# Note [disjoint halves]
# The binomial standard error, sqrt(p (1 - p) / n), takes the balls as given. But they are samples too, shared by all
# samples in them, and the true error was measured up to 2.3 times as large; the jackknife overstates it by at least as
# much. The values on two disjoint halves are independent, so half of their squared difference estimates the variance
# for half of the samples without bias. For twice as many samples it is half of that.


@dataclass(frozen=True)
class ManifoldMetrics:
    """Fidelity and variety of generated samples, by the ball around each sample that reaches to its k-th neighbour.

    The standard errors include the sampling of both sides, also of the balls; see the note on disjoint halves.

    Attributes:
        precision: part of the generated samples that lie in the ball of at least one real sample.
        recall: part of the real samples that lie in the ball of at least one generated sample.
        density: mean number of real balls that a generated sample lies in, over k; may exceed 1.
        coverage: part of the real samples whose ball holds at least one generated sample.
        precision_standard_error: of ``precision``.
        recall_standard_error: of ``recall``.
        density_standard_error: of ``density``.
        coverage_standard_error: of ``coverage``.
    """

    precision: float
    recall: float
    density: float
    coverage: float
    precision_standard_error: float
    recall_standard_error: float
    density_standard_error: float
    coverage_standard_error: float


def manifold_metrics(
    real: Features, fake: Features, k: int = 5, *, splits: int = 10, generator: torch.Generator
) -> ManifoldMetrics:
    """Compute precision, recall, density and coverage of generated samples.

    A sample's ball reaches to the k-th nearest other sample of its own set. It is open, as in the second source's
    published code (the first source's balls are closed), which matters for copies only: the ball of a sample with k
    copies or more is empty.

    Args:
        real: features of shape (n, d), a tensor or a NumPy array, n > k.
        fake: features of shape (m, d), m > k.
        k: the number of neighbours that determines a ball.
        splits: the number of splits into halves for the standard errors, which are NaN if a half has at most k samples.
        generator: draws the splits.

    Raises:
        TypeError: neither tensors nor NumPy arrays.
        ValueError: sparse or masked ones, ``k < 1`` or ``splits < 1``, too few samples, NaN or infinity, or different
            numbers of features.

    Source:
        Kynkaanniemi et al., "Improved precision and recall metric for assessing generative models", NeurIPS 2019,
        equations (1) and (2); Naeem et al., "Reliable fidelity and diversity metrics for generative models", ICML 2020,
        equations (5) and (6).
    """
    if k < 1 or splits < 1:
        raise ValueError(f"k and splits must be at least 1; got k={k}, splits={splits}")
    real, fake = check_features(k + 1, real=real, fake=fake)
    values = _figures(real, fake, k)
    errors = torch.full((4,), torch.nan)
    if min(len(real), len(fake)) >= 2 * (k + 1):
        halves = [_halves(real, fake, generator) for _ in range(splits)]
        differences = torch.stack([_figures(*first, k) - _figures(*second, k) for first, second in halves])
        errors = differences.square().mean(0).sqrt() / 2
    return ManifoldMetrics(*values.tolist(), *errors.tolist())


def _figures(real: Tensor, fake: Tensor, k: int) -> Tensor:
    """Return precision, recall, density and coverage."""
    real_radii, fake_radii = _radii(real, k), _radii(fake, k)
    holds = torch.zeros(len(fake), dtype=torch.int64)
    covered, recalled = [], []
    rows = rows_at_once(len(fake))
    for points, radii in zip(real.split(rows), real_radii.split(rows), strict=True):
        distances = torch.cdist(points, fake, compute_mode=_EXACT)
        inside = distances < radii[:, None]
        holds += inside.sum(0)
        covered.append(inside.any(1))
        recalled.append((distances < fake_radii).any(1))
    precision, density = (holds > 0).double().mean(), holds.double().mean() / k
    recall, coverage = torch.cat(recalled).double().mean(), torch.cat(covered).double().mean()
    return torch.stack((precision, recall, density, coverage))


def _halves(real: Tensor, fake: Tensor, generator: torch.Generator) -> list[tuple[Tensor, Tensor]]:
    """Split both samples at random into two halves."""
    first, second = (
        samples[torch.randperm(len(samples), generator=generator, device=generator.device).cpu()].tensor_split(2)
        for samples in (real, fake)
    )
    return list(zip(first, second, strict=True))


def _radii(points: Tensor, k: int) -> Tensor:
    """Return the distance of each point to its k-th nearest other point."""
    parts = [
        torch.cdist(part, points, compute_mode=_EXACT).kthvalue(k + 1, dim=1).values
        for part in points.split(rows_at_once(len(points)))
    ]
    return torch.cat(parts)
