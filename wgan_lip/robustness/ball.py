"""The images that an attack may choose from: those near an image, inside the box of all images."""

import math
from dataclasses import dataclass
from typing import get_args

import torch
from torch import Tensor

from wgan_lip.dtypes import widened
from wgan_lip.lipschitz import Norm


def check_norm(norm: str) -> None:
    """Raise ValueError unless ``norm`` is one in which attacks are bounded."""
    if norm not in get_args(Norm):
        raise ValueError(f"norm must be 'linf' or 'l2'; got norm={norm!r}")


@dataclass(frozen=True)
class Ball:
    """``{z in [low, high]^d : |z - x| <= eps}`` around each x of a batch, rounding included.

    Whatever this class returns is no farther from x than ``eps``, as measured in float64. In l_inf that is a box, whose
    sides are rounded inwards. In l2 a perturbation is scaled back to the ball and added to x, and the sum is clamped to
    the box: as x lies in the box, clamping moves no coordinate away from it, so it never leaves the ball. The radius
    is smaller than ``eps`` by what the roundings can add: ``u`` of a factor's and of the scaling's result, and
    ``u (max(|low|, |high|) + eps)`` of each of the d sums, with u the unit roundoff of the images' dtype.

    Build it with :meth:`around`.

    Attributes:
        x: the images, shape (N, ...).
        norm: of the ball.
        low: the least that each coordinate may be, shape (N, ...); in l2 the box's, in l_inf the ball's too.
        high: likewise the largest.
        radius: to which perturbations are scaled.
    """

    x: Tensor
    norm: Norm
    low: Tensor
    high: Tensor
    radius: float

    @classmethod
    def around(cls, x: Tensor, eps: float, norm: Norm, bounds: tuple[float, float]) -> "Ball":
        """The ball of radius ``eps`` around images.

        Args:
            x: shape (N, ...), of floating-point numbers in the box.
            eps: the radius.
            norm: "linf" or "l2".
            bounds: the least and the largest that a coordinate may be, rounded to the images' dtype.

        Raises:
            ValueError: images with another content.
        """
        if not x.is_floating_point() or x.ndim < 2:
            raise ValueError(f"x must be a batch of floating-point images; got {x.dtype} of shape {tuple(x.shape)}")
        low, high = (x.new_tensor(bound) for bound in bounds)
        if not bool(((low <= x) & (x <= high)).all()):
            raise ValueError(f"x must lie between the bounds {bounds}, without NaN")
        size = max(abs(float(low)), abs(float(high))) + eps
        if norm == "linf":
            # In float64, with room for the roundings of the sums here and of the distances that are measured later.
            radius = max(0.0, eps - 4 * size * torch.finfo(torch.float64).eps)
            wide = x.double()
            return cls(x, norm, _up(wide - radius, x).clamp_min(low), _down(wide + radius, x).clamp_max(high), radius)
        roundoff = torch.finfo(x.dtype).eps / 2
        room = math.sqrt(x[:1].numel()) * roundoff * size
        radius = max(0.0, (eps - room) * (1 - 8 * roundoff))
        return cls(x, norm, low.expand_as(x), high.expand_as(x), radius)

    def __getitem__(self, rows: Tensor) -> "Ball":
        """The balls of some of the images.

        Args:
            rows: their indices, or which they are.
        """
        return Ball(self.x[rows], self.norm, self.low[rows], self.high[rows], self.radius)

    def projected(self, z: Tensor) -> Tensor:
        """Points of the balls near z: in l_inf the nearest, in l2 the ball's nearest, clamped to the box.

        Args:
            z: shape (N, ...).
        """
        return z.clamp(self.low, self.high) if self.norm == "linf" else self._shifted(z - self.x)

    def step(self, z: Tensor, gradient: Tensor, size: float) -> Tensor:
        """z moved by ``size`` in the steepest direction of its norm, and projected.

        In l_inf the gradient's signs. In l2 the gradient, divided by its norm, without the coordinates that lie at an
        edge of the box and would leave it: they would take their share of the step and lose it at once.

        Args:
            z: points of the balls, shape (N, ...).
            gradient: at z, of what is to grow, shape (N, ...).
            size: the length of the step, in the ball's norm.
        """
        # Where there is no gradient, as at a kink, nothing is gained.
        gradient = gradient.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)
        if self.norm == "linf":
            return self.projected(z + size * gradient.sign())
        stuck = ((z <= self.low) & (gradient < 0)) | ((z >= self.high) & (gradient > 0))
        inside = gradient.masked_fill(stuck, 0)
        length = _norms(inside)
        return self.projected(z + inside * torch.where(length > 0, size / length, 0).to(z))

    def uniform(self, generator: torch.Generator) -> Tensor:
        """Points that are uniform in the balls, then clamped to the box.

        Args:
            generator: source of the randomness; on any device.
        """
        shape, kind = self.x.shape, {"generator": generator, "dtype": widened(self.x.dtype), "device": generator.device}
        if self.norm == "linf":
            unit = torch.rand(shape, **kind)  # type: ignore[call-overload]
            return self.projected(self.x + self.radius * (2 * unit - 1).to(self.x))
        direction = torch.randn(shape, **kind)  # type: ignore[call-overload]
        radii = torch.rand((len(self.x), *(1,) * (self.x.ndim - 1)), **kind)  # type: ignore[call-overload]
        lengths = self.radius * radii.double() ** (1 / self.x[0].numel())
        return self._shifted((direction * (lengths / _norms(direction))).to(self.x))

    def _shifted(self, delta: Tensor) -> Tensor:
        factor = self.radius / _norms(delta).clamp_min(self.radius) if self.radius else torch.zeros(())
        return (self.x + delta * factor.to(delta)).clamp(self.low, self.high)


def _norms(delta: Tensor) -> Tensor:
    """The l2 norm of each of a batch, summed in float64, with axes to divide by."""
    return torch.linalg.vector_norm(delta, dim=tuple(range(1, delta.ndim)), keepdim=True, dtype=torch.float64)


def _up(wide: Tensor, like: Tensor) -> Tensor:
    """The least numbers of another dtype that are not below ``wide``."""
    near = wide.to(like)
    return torch.where(near < wide, torch.nextafter(near, torch.full_like(near, math.inf)), near)


def _down(wide: Tensor, like: Tensor) -> Tensor:
    return -_up(-wide, like)
