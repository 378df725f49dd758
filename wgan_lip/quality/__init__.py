"""The quality of samples by features: Frechet and kernel distance, precision and recall, nearest neighbours."""

from wgan_lip.quality.distances import FrechetDistance, KernelDistance, frechet_distance, kernel_distance
from wgan_lip.quality.manifold import ManifoldMetrics, Neighbours, manifold_metrics, nearest_neighbours

__all__ = [
    "FrechetDistance",
    "KernelDistance",
    "ManifoldMetrics",
    "Neighbours",
    "frechet_distance",
    "kernel_distance",
    "manifold_metrics",
    "nearest_neighbours",
]
