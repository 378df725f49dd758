"""Spheres around centres: pairs whose optimal potential is a cone, or several."""

import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from wgan_lip.distributions.pair import Pair, Truth, check_samples, float32_box, unit


class SphericalShells(Pair):
    """P is uniform on spheres of radius R around centres c_k, Q on spheres of radius r < R around them.

    ``W1(P, Q) = R - r``, and ``f(x) = min_k |x - c_k|`` is an optimal potential: moving every point of the inner
    spheres along its ray costs R - r, f is 1-Lipschitz, and if centres are at least 2 R apart, the nearest centre to
    any point of a sphere is its own, so ``E_P f - E_Q f = R - r``.

    Args:
        centers: k centres, each of d numbers.
        outer: ``R``.
        inner: r; 0 puts Q on the centres themselves.

    Raises:
        ValueError: centres that are not (k, d) numbers or are nearer than 2 R; unless ``0 <= inner < outer``.

    Source:
        The cones of Anil, Lucas, Grosse, "Sorting out Lipschitz function approximation", ICML 2019, section 5.1.
    """

    knows_w1 = knows_plan = knows_potential = True

    def __init__(self, centers: Sequence[Sequence[float]], outer: float = 1.0, inner: float = 0.0) -> None:
        if not 0 <= inner < outer < math.inf:
            raise ValueError(f"inner and outer must satisfy 0 <= inner < outer; got inner={inner}, outer={outer}")
        if not centers or not centers[0] or len({len(center) for center in centers}) != 1:
            raise ValueError(f"centers must be at least one list of d >= 1 numbers, all of one length; got {centers}")
        self.centers = torch.tensor(centers, dtype=torch.float64)
        if not bool(torch.isfinite(self.centers).all()):
            raise ValueError("centers must be finite; got NaN or infinity")
        apart = torch.pdist(self.centers).min() if len(self.centers) > 1 else torch.tensor(math.inf)
        # Rounding of the distances: touching spheres are allowed.
        if float(apart) < 2 * outer * (1 - 1e-12):
            raise ValueError(f"centers must be at least 2 outer = {2 * outer} apart; got two at {float(apart):.6g}")
        self.outer = outer
        self.inner = inner
        self.shape = (self.centers.shape[1],)
        self.bounds = float32_box(float(self.centers.min()) - outer, float(self.centers.max()) + outer)

    def sample(self, n: int, generator: Generator, heldout: bool = False) -> tuple[Tensor, Tensor]:
        return self.sample_plan(n, generator)[0], self.sample_plan(n, generator)[1]

    def sample_plan(self, n: int, generator: Generator) -> tuple[Tensor, Tensor]:
        device = generator.device
        ray = unit(torch.randn(n, self.dim, generator=generator, device=device, dtype=torch.float64))
        which = torch.randint(len(self.centers), (n,), generator=generator, device=device)
        center = self.centers.to(device)[which]
        return (center + self.outer * ray).float(), (center + self.inner * ray).float()

    def w1(self) -> Truth:
        return Truth(self.outer - self.inner)

    def potential(self, x: Tensor) -> Tensor:
        return self._nearest(x)[0].to(x.dtype)

    def potential_gradient(self, x: Tensor) -> Tensor:
        return unit(x.double() - self._nearest(x)[1]).to(x.dtype)

    def _nearest(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the distance to the nearest centre, and that centre."""
        centers = self.centers.to(x.device)
        exact = "donot_use_mm_for_euclid_dist"
        distance, which = torch.cdist(check_samples(self.shape, x).double(), centers, compute_mode=exact).min(1)
        return distance, centers[which]


class AbsoluteValue(SphericalShells):
    """P is -1 or 1, each with probability one half, and Q is 0: ``f(x) = |x|`` and ``W1 = 1``.

    Source:
        Anil, Lucas, Grosse, "Sorting out Lipschitz function approximation", ICML 2019, section 5.1.

    Example:
        >>> pair = AbsoluteValue()
        >>> pair.w1().value
        1.0
        >>> pair.potential(torch.tensor([[-1.0], [0.0], [1.0]]))
        tensor([1., 0., 1.])
    """

    def __init__(self) -> None:
        super().__init__([[0.0]])


class ThreeCones(SphericalShells):
    """P is uniform on three circles in the plane, Q on their three centres: f is three cones and W1 the radius.

    Args:
        radius: of the circles.
        distance: between each two of the centres, the corners of a triangle about 0; at least twice the radius.

    Raises:
        ValueError: circles that overlap, or a radius that is not positive.

    Source:
        Anil, Lucas, Grosse, "Sorting out Lipschitz function approximation", ICML 2019, section 5.1.
    """

    def __init__(self, radius: float = 1.0, distance: float = 2.0) -> None:
        if not 0 < radius < math.inf:
            raise ValueError(f"radius must be positive and finite; got radius={radius}")
        if not 2 * radius * (1 - 1e-12) <= distance < math.inf:
            raise ValueError(f"distance must be at least 2 radius = {2 * radius} and finite; got distance={distance}")
        corners = [math.pi / 2 + 2 * math.pi * k / 3 for k in range(3)]
        # The circle through the corners of a triangle of side a has radius a / sqrt(3).
        from_zero = distance / math.sqrt(3)
        super().__init__([[from_zero * math.cos(t), from_zero * math.sin(t)] for t in corners], outer=radius)


class HighDimensionalCone(SphericalShells):
    """P is uniform on the unit sphere of R^dim and Q is 0: ``f(x) = |x|`` and ``W1 = 1``.

    Args:
        dim: at least 1.

    Raises:
        ValueError: ``dim < 1``.

    Source:
        Anil, Lucas, Grosse, "Sorting out Lipschitz function approximation", ICML 2019, section 5.1.
    """

    def __init__(self, dim: int = 128) -> None:
        if dim < 1:
            raise ValueError(f"dim must be at least 1; got dim={dim}")
        super().__init__([[0.0] * dim])
