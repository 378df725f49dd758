"""Precision, recall, density and coverage: whether samples are like real ones, and whether they are as varied."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from wgan_lip.quality.features import checked, rows_at_once

# Of differences: by a product of matrices, a sample on the rim of a ball would be let in by rounding.
_EXACT = "donot_use_mm_for_euclid_dist"


@dataclass(frozen=True)
class ManifoldMetrics:
    """Fidelity and variety of generated samples, by the balls that reach from each sample to its k-th neighbour.

    The standard errors are those of means over the samples that are judged, the others taken as they are.

    Attributes:
        precision: part of the generated samples that lie in the ball of some real one.
        recall: part of the real samples that lie in the ball of some generated one.
        density: in how many real balls a generated sample lies, over k; may exceed 1.
        coverage: part of the real samples whose ball holds some generated one.
        precision_standard_error: likewise of each.
        recall_standard_error: likewise.
        density_standard_error: likewise.
        coverage_standard_error: likewise.
    """

    precision: float
    recall: float
    density: float
    coverage: float
    precision_standard_error: float
    recall_standard_error: float
    density_standard_error: float
    coverage_standard_error: float


def manifold_metrics(real: Tensor, fake: Tensor, k: int = 5) -> ManifoldMetrics:
    """Precision, recall, density and coverage of generated samples.

    A sample's ball is open, and reaches to the k-th nearest other sample of its own set.

    Args:
        real: features of shape (n, d), n > k.
        fake: features of shape (m, d), m > k.
        k: neighbours that a ball reaches to.

    Raises:
        ValueError: ``k < 1``, too few samples, NaN or infinity, or different numbers of features.

    Source:
        Kynkaanniemi et al., "Improved precision and recall metric for assessing generative models", NeurIPS 2019,
        equations (1) and (2); Naeem et al., "Reliable fidelity and diversity metrics for generative models", ICML 2020,
        equations (5) and (6).
    """
    if k < 1:
        raise ValueError(f"k must be at least 1; got k={k}")
    real, fake = checked(k + 1, real=real, fake=fake)
    real_radii, fake_radii = _radii(real, k), _radii(fake, k)
    # Real balls down, generated samples across; and the other way round.
    holds = torch.zeros(len(fake), dtype=torch.int64)
    covered, recalled = [], []
    rows = rows_at_once(len(fake))
    for points, radii in zip(real.split(rows), real_radii.split(rows), strict=True):
        distances = torch.cdist(points, fake, compute_mode=_EXACT)
        inside = distances < radii[:, None]
        holds += inside.sum(0)
        covered.append(inside.any(1))
        recalled.append((distances < fake_radii).any(1))
    named = {
        "precision": (holds > 0).double(),
        "recall": torch.cat(recalled).double(),
        "density": holds.double() / k,
        "coverage": torch.cat(covered).double(),
    }
    means = {name: float(values.mean()) for name, values in named.items()}
    errors = {f"{name}_standard_error": float(v.std()) / math.sqrt(len(v)) for name, v in named.items()}
    return ManifoldMetrics(**means, **errors)


def _radii(points: Tensor, k: int) -> Tensor:
    """Distance of each point to its k-th nearest other one."""
    parts = [
        torch.cdist(part, points, compute_mode=_EXACT).kthvalue(k + 1, dim=1).values
        for part in points.split(rows_at_once(len(points)))
    ]
    return torch.cat(parts)
