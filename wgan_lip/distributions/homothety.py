"""Pairs of one law, shifted and scaled: Gaussians and uniform cubes."""

import math
from abc import abstractmethod

import torch
from scipy.special import gammaln, hyp1f1
from torch import Generator, Tensor

from wgan_lip.distributions.pair import Pair, Truth, check_samples, float32_box, unit


class _Homothety(Pair):
    """P is the law of ``m + s_p Z``, Q that of ``s_q Z``, with one and the same Z.

    With d = s_p - s_q, coupling by Z moves y to x by ``m + d Z = (d / s_p)(x - c)``, ``c = -m s_q / d``: every point
    moves along its ray from c, all outwards (d > 0) or all inwards. So ``f(x) = sign(d) |x - c|`` has
    ``f(x) - f(y) = |x - y|`` on every couple: the coupling and f are optimal, and ``W1 = E |m + d Z|``. For d = 0 all
    points move by m: ``f(x) = <x, m> / |m|`` and ``W1 = |m|``.
    """

    knows_w1 = knows_plan = knows_potential = True

    def __init__(self, dim: int, shift: float, scale_p: float, scale_q: float) -> None:
        if dim < 1:
            raise ValueError(f"dim must be at least 1; got dim={dim}")
        for name, scale in (("scale_p", scale_p), ("scale_q", scale_q)):
            if not 0 < scale < math.inf:
                raise ValueError(f"{name} must be positive and finite; got {name}={scale}")
        if not math.isfinite(shift):
            raise ValueError(f"shift must be finite; got shift={shift}")
        if shift == 0 and scale_p == scale_q:
            raise ValueError("shift and scales must make P and Q differ; got shift=0 and equal scales")
        self.shape = (dim,)
        self.shift = float(shift)
        self.scale_p = float(scale_p)
        self.scale_q = float(scale_q)

    @property
    def _per_coordinate(self) -> float:
        """Value of every coordinate of m, whose Euclidean norm is ``|shift|``."""
        return self.shift / math.sqrt(self.dim)

    @abstractmethod
    def _base(self, n: int, generator: Generator) -> Tensor:
        """Draw Z: float64, shape (n, dim)."""

    def sample(self, n: int, generator: Generator, heldout: bool = False) -> tuple[Tensor, Tensor]:
        return self.sample_plan(n, generator)[0], self.sample_plan(n, generator)[1]

    def sample_plan(self, n: int, generator: Generator) -> tuple[Tensor, Tensor]:
        z = self._base(n, generator)
        return (self._per_coordinate + self.scale_p * z).float(), (self.scale_q * z).float()

    def w1(self) -> Truth:
        return Truth(abs(self.shift)) if self.scale_p == self.scale_q else super().w1()

    def potential(self, x: Tensor) -> Tensor:
        flat = check_samples(self.shape, x).double()
        if self.scale_p == self.scale_q:
            return (flat.sum(1) * math.copysign(1 / math.sqrt(self.dim), self.shift)).to(x.dtype)
        sign = math.copysign(1.0, self.scale_p - self.scale_q)
        return (sign * (flat - self._fixed_point).norm(dim=1)).to(x.dtype)

    def potential_gradient(self, x: Tensor) -> Tensor:
        flat = check_samples(self.shape, x).double()
        if self.scale_p == self.scale_q:
            return torch.full_like(x, math.copysign(1 / math.sqrt(self.dim), self.shift))
        sign = math.copysign(1.0, self.scale_p - self.scale_q)
        return sign * unit(flat - self._fixed_point).to(x.dtype)

    @property
    def _fixed_point(self) -> float:
        """Every coordinate of c."""
        return -self._per_coordinate * self.scale_q / (self.scale_p - self.scale_q)

    def __str__(self) -> str:
        # The truth's Monte Carlo draws depend on it.
        return (
            f"{type(self).__name__}(dim={self.dim}, shift={self.shift}, scale_p={self.scale_p}, scale_q={self.scale_q})"
        )


class Gaussians(_Homothety):
    """P = N(m, s_p^2 I) and Q = N(0, s_q^2 I), m of norm ``shift`` along the diagonal.

    ``W1 = |m|`` for equal scales, else, with ``d = |s_p - s_q|`` and D the dimension,
    ``d sqrt(2) Gamma((D + 1) / 2) / Gamma(D / 2) 1F1(-1/2; D / 2; -|m|^2 / (2 d^2))``: the mean of a noncentral chi.

    Args:
        dim: ``D``.
        shift: ``|m|``, with the sign of its coordinates.
        scale_p: s_p, the standard deviation of each coordinate.
        scale_q: s_q.

    Raises:
        ValueError: ``dim < 1``, a scale that is not positive, or P equal to Q.

    Source:
        Johnson, Kotz, Balakrishnan, "Continuous univariate distributions" 2, 1995, section 29.4, for the mean.
    """

    def __init__(self, dim: int, shift: float = 1.0, scale_p: float = 1.0, scale_q: float = 1.0) -> None:
        super().__init__(dim, shift, scale_p, scale_q)

    def _base(self, n: int, generator: Generator) -> Tensor:
        return torch.randn(n, self.dim, generator=generator, device=generator.device, dtype=torch.float64)

    def w1(self) -> Truth:
        if self.scale_p == self.scale_q:
            return super().w1()
        d, half = abs(self.scale_p - self.scale_q), self.dim / 2
        central = d * math.sqrt(2) * math.exp(float(gammaln(half + 0.5) - gammaln(half)))
        return Truth(central * float(hyp1f1(-0.5, half, -(self.shift**2) / (2 * d * d))))


class UniformCubes(_Homothety):
    """P and Q are uniform on cubes with half sides s_p and s_q about m, of norm ``shift`` on the diagonal, and about 0.

    ``W1 = |m|`` for equal cubes, else ``E |m + (s_p - s_q) U|`` with U uniform on [-1, 1]^dim, by Monte Carlo.

    Args:
        dim: dimension.
        shift: ``|m|``, with the sign of its coordinates.
        scale_p: s_p.
        scale_q: s_q.

    Raises:
        ValueError: ``dim < 1``, a scale that is not positive, or P equal to Q.
    """

    def __init__(self, dim: int, shift: float = 1.0, scale_p: float = 1.0, scale_q: float = 1.0) -> None:
        super().__init__(dim, shift, scale_p, scale_q)
        m = self._per_coordinate
        self.bounds = float32_box(min(m - scale_p, -scale_q), max(m + scale_p, scale_q))

    def _base(self, n: int, generator: Generator) -> Tensor:
        return 2 * torch.rand(n, self.dim, generator=generator, device=generator.device, dtype=torch.float64) - 1
