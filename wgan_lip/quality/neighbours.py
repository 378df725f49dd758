"""Exact nearest neighbours, in blocks of bounded memory."""

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
