"""The set of images from which an attack may choose: those near an image, inside the box of all images."""

import math
from dataclasses import dataclass
from typing import get_args

import torch
from torch import Tensor

from wgan_lip.dtypes import widened
from wgan_lip.lipschitz import Norm


def check_norm(norm: str) -> None:
    """Raise ValueError unless ``norm`` is "l2" or "linf"."""
    if norm not in get_args(Norm):
        raise ValueError(f"norm must be 'linf' or 'l2'; got norm={norm!r}")


@dataclass(frozen=True)
class Ball:
    """``{z in [low, high]^d : |z - x| <= eps}`` around each x of a batch, rounding included.

    All points that its methods return are within ``eps`` of x, as measured in float64. In l_inf the set is a box, whose
    sides are rounded inwards. In l2 a perturbation is scaled back to the ball and added to x, and the sum is clamped to
    the box: x lies in the box, so clamping moves each coordinate towards x, and the point stays in the ball. The radius
    is smaller than ``eps`` by the possible rounding errors: ``u`` of a factor and of the scaled perturbation, and
    ``u (max(|low|, |high|) + eps)`` of each of the d sums, with u the unit roundoff of the images' dtype.

    Build it with :meth:`around`.

    Attributes:
        x: the images, shape (N, ...).
        norm: of the ball.
        low: the least value of each coordinate, shape (N, ...): of the box in l2, of box and ball in l_inf.
        high: the largest value, likewise.
        radius: the norm to which longer perturbations are scaled.
    """

    x: Tensor
    norm: Norm
    low: Tensor
    high: Tensor
    radius: float

    @classmethod
    def around(cls, x: Tensor, eps: float, norm: Norm, bounds: tuple[float, float]) -> "Ball":
        """Build the balls of radius ``eps`` around images.

        Args:
            x: shape (N, ...), of floating-point numbers in the box.
            eps: the radius.
            norm: "linf" or "l2".
            bounds: the least and the largest value of a coordinate, which are rounded to the images' dtype.

        Raises:
            ValueError: images of another dtype or shape, or outside of the bounds.
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
        """Return the balls of some of the images.

        Args:
            rows: the indices of these images, or a mask of them.
        """
        return Ball(self.x[rows], self.norm, self.low[rows], self.high[rows], self.radius)

    def projected(self, z: Tensor) -> Tensor:
        """Project z to the balls: to the nearest point in l_inf; in l2 to that of the ball, clamped to the box.

        Args:
            z: shape (N, ...).
        """
        return z.clamp(self.low, self.high) if self.norm == "linf" else self._shifted(z - self.x)

    def step(self, z: Tensor, gradient: Tensor, size: float) -> Tensor:
        """Move z by ``size`` in the direction of steepest ascent in the norm, and project it.

        In l_inf the direction is the gradient's signs. In l2 it is the gradient divided by its norm, without the
        coordinates that are at an edge of the box and would leave it, since clamping would undo their part of the step.

        Args:
            z: points of the balls, shape (N, ...).
            gradient: of the loss at z, shape (N, ...).
            size: the length of the step, in the ball's norm.
        """
        # A gradient may be undefined, as at a kink; then z is not moved.
        gradient = gradient.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)
        if self.norm == "linf":
            return self.projected(z + size * gradient.sign())
        stuck = ((z <= self.low) & (gradient < 0)) | ((z >= self.high) & (gradient > 0))
        inside = gradient.masked_fill(stuck, 0)
        length = _norms(inside)
        return self.projected(z + inside * torch.where(length > 0, size / length, 0).to(z))

    def uniform(self, generator: torch.Generator) -> Tensor:
        """Draw points that are uniform in the balls, and clamp them to the box.

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
    """Compute the l2 norm of each sample, summed in float64, with axes of size 1 for broadcasting."""
    return torch.linalg.vector_norm(delta, dim=tuple(range(1, delta.ndim)), keepdim=True, dtype=torch.float64)


def _up(wide: Tensor, like: Tensor) -> Tensor:
    """Round ``wide`` up to the dtype of ``like``."""
    near = wide.to(like)
    return torch.where(near < wide, torch.nextafter(near, torch.full_like(near, math.inf)), near)


def _down(wide: Tensor, like: Tensor) -> Tensor:
    return -_up(-wide, like)
