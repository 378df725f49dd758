"""How good samples are, judged by features: Frechet and kernel distance, precision and recall, nearest neighbours."""

from wgan_lip.quality.frechet_distance import FrechetDistance, frechet_distance
from wgan_lip.quality.kernel_distance import KernelDistance, kernel_distance
from wgan_lip.quality.manifold import ManifoldMetrics, manifold_metrics
from wgan_lip.quality.neighbours import Neighbours, nearest_neighbours

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
