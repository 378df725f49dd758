"""Random disjoint subsets of a sample: independent samples of the same distribution."""

from collections.abc import Sequence

import torch

from wgan_lip.transport.samples import FloatArray


def disjoint_subsets(points: FloatArray, sizes: Sequence[int], generator: torch.Generator) -> list[FloatArray]:
    """Disjoint subsets, drawn without replacement.

    Args:
        points: shape (n, d).
        sizes: of the subsets; together at most n.
        generator: draws one permutation of n.

    Returns:
        Arrays of shape (sizes[k], d).
    """
    order = torch.randperm(len(points), generator=generator, device=generator.device).cpu().numpy()
    subsets, start = [], 0
    for size in sizes:
        subsets.append(points[order[start : start + size]])
        start += size
    return subsets
