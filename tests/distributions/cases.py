"""Every pair, registered once: each law in test_pairs.py runs on each of them."""

from collections.abc import Callable

import torch
from torch import Tensor

from wgan_lip.distributions import (
    AbsoluteValue,
    DiracImages,
    Funnels,
    Gaussians,
    HighDimensionalCone,
    Pair,
    SamplePair,
    SphericalShells,
    ThreeCones,
    UniformCubes,
)


def points(n: int, seed: int) -> Tensor:
    return torch.randn(n, 2, generator=torch.Generator().manual_seed(seed))


KNOWN: dict[str, Callable[[], Pair]] = {
    "absolute value": AbsoluteValue,
    "three cones": ThreeCones,
    "cone in 128 dimensions": HighDimensionalCone,
    "shells in 3 dimensions": lambda: SphericalShells([[0.0, 0.0, 0.0], [5.0, 0.0, 0.0]], outer=2.0, inner=0.5),
    "images": DiracImages,
    "small images": lambda: DiracImages(size=6, side=3),
    "shifted Gaussians": lambda: Gaussians(4, shift=-2.0),
    "scaled Gaussians": lambda: Gaussians(5, shift=0.0, scale_p=2.0, scale_q=0.5),
    "shrunk Gaussians": lambda: Gaussians(3, shift=0.0, scale_p=0.5, scale_q=1.0),
    "shifted and scaled Gaussians": lambda: Gaussians(2, shift=1.5, scale_p=1.0, scale_q=2.0),
    "Gaussians on the line": lambda: Gaussians(1, shift=1.0, scale_p=3.0, scale_q=1.0),
    "shifted cubes": lambda: UniformCubes(3, shift=0.5),
    "scaled cubes": lambda: UniformCubes(2, shift=0.3, scale_p=0.5, scale_q=1.0),
    "one funnel": lambda: Funnels.random(3, 1, seed=1),
    "funnels on the line": lambda: Funnels.random(1, 3, seed=2),
    "funnels in the plane": lambda: Funnels.random(2, 16, seed=3),
    "funnels in 16 dimensions": lambda: Funnels.random(16, 64, seed=4),
}
UNKNOWN: dict[str, Callable[[], Pair]] = {
    "samples": lambda: SamplePair(points(40, 0), points(60, 1) + 1),
}
PAIRS = KNOWN | UNKNOWN
