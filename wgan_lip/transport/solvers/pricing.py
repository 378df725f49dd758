"""Prices of all arcs, computed in blocks: c-transforms of potentials, with every rounding accounted for."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wgan_lip.transport.norm import ORDERS, Norm, paired
from wgan_lip.transport.rounding import roundoff, shrink, underflow_bound
from wgan_lip.transport.samples import FloatArray
from wgan_lip.transport.solvers.problem import Problem

# Note [float32 where that is safe]
# |x - y|^2 = |x|^2 + |y|^2 - 2 <x, y> is one matrix product, but carries an error of up to a multiple of
# u (|x| + |y|)^2 <= 2 u (|x|^2 + |y|^2). That bound is separable: subtracted from the two squared norms it makes
# every entry a lower bound of the true distance at no cost. So a pass in float32 proves for nearly all arcs that
# they are not violated. The k smallest of each row are computed again in float64, coordinate by coordinate; the others
# are no smaller than the k-th. Where float32 leaves a gap, the next level is float64, and the last one takes
# differences of coordinates, which are accurate however close the points are.

Level: TypeAlias = Literal["product32", "product64", "difference32", "difference64"]

# In fewer dimensions differences of coordinates cost no more than products.
FEW_COORDINATES = 8
# In more dimensions sums in float32 prove nothing.
_MANY_COORDINATES = 100_000
# Arcs of each point that are computed again from the coordinates, whatever their bounds.
_EXACT = 3
# Rows and columns of a block.
BLOCK_ROWS, _COLUMNS = 512, 8192


def levels(norm: Norm, dimension: int) -> tuple[Level, ...]:
    """Ways to compute distances, from the fastest to the most accurate."""
    if dimension > _MANY_COORDINATES:
        return ("difference64",)
    if norm == "l2" and dimension >= FEW_COORDINATES:
        return ("product32", "product64", "difference64")
    if norm == "l2":
        return ("difference64",)
    return ("difference32", "difference64")


def accurate_level(norm: Norm, dimension: int) -> Level:
    """The fastest way to compute distances in float64."""
    return next(level for level in levels(norm, dimension) if level.endswith("64"))


@dataclass(frozen=True)
class Transform:
    """A feasible potential, and the k cheapest arcs of each of its points.

    Attributes:
        potential: at most ``min_j |x_i - y_j| - potential_j``, shape (n,).
        arcs: index of the other point of each arc, from the cheapest on, shape (n, k).
        bounds: lower bounds of ``|x_i - y_j| - potential_j`` of those arcs, increasing, shape (n, k).
        attained: whether the potential is the price of one of the arcs, computed from coordinates; elsewhere it is
            a lower bound of the prices of all arcs, shape (n,).
    """

    potential: FloatArray
    arcs: NDArray[np.int64]
    bounds: FloatArray
    attained: NDArray[np.bool_]


class Pricer:
    """Computes c-transforms: from potentials on one set of points, potentials on the other.

    Args:
        points: shape (n, d).
        others: shape (m, d).
        norm: the ground norm.
        level: how distances are computed.
        center: is subtracted from both before products are taken, shape (d,).
        device: where prices are computed.
        cap: longer distances count as this long; see the note on capped distances in simplex.py.
        check: called before each block of rows; may end the pass by an error.
    """

    def __init__(
        self,
        points: FloatArray,
        others: FloatArray,
        norm: Norm,
        level: Level,
        center: FloatArray,
        device: torch.device | str = "cpu",
        cap: float = np.inf,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self._points, self._others, self._norm, self._cap, self._check = points, others, norm, cap, check
        self._products = level.startswith("product")
        dtype = torch.float32 if level.endswith("32") else torch.float64
        self._unit = torch.finfo(dtype).eps / 2
        if self._products:
            # The product of a row (x, |x|^2, 1) and a column (-2 y, 1, |y|^2) is |x - y|^2.
            (x, x_square), (y, y_square) = (self._squared(side - center, dtype) for side in (points, others))
            x, y = (
                torch.cat((x, x_square, x_square.new_ones(x_square.shape)), 1),
                torch.cat((-2 * y, y_square.new_ones(y_square.shape), y_square), 1),
            )
            self._x_excess, self._y_excess = np.zeros(len(points)), np.zeros(len(others))
        else:
            # Rounded coordinates can make a distance too long by this much.
            (x, self._x_excess), (y, self._y_excess) = (self._rounded(side, center, dtype) for side in (points, others))
            if norm == "l2":
                # The square root of what the squares can lose, each less than the smallest normal number.
                self._x_excess += 2 * np.sqrt(points.shape[1] * float(torch.finfo(dtype).tiny))
        self._x, self._y = x.to(device), y.to(device)

    def _squared(self, moved: FloatArray, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Points in the level's precision, and their squared norms, shape (n, 1), less all that rounding can add."""
        d = moved.shape[1]
        points = torch.from_numpy(moved).to(dtype)
        square = torch.cat([part.double().square().sum(1, keepdim=True) for part in points.split(BLOCK_ROWS)])
        # For the product 2 d + 4, rounded squares 2, rounded coordinates 4, the square root 4; d + 4 for the squares.
        square = square * (1 - roundoff(2 * d + 20, self._unit) - roundoff(d + 10))
        # Terms below the smallest normal number may be lost.
        return points, (square - 4 * (d + 8) * torch.finfo(dtype).tiny).to(dtype)

    def _rounded(self, points: FloatArray, center: FloatArray, dtype: torch.dtype) -> tuple[Tensor, FloatArray]:
        """Points in the level's precision, and a bound of how far each was moved by rounding, shape (n,)."""
        if dtype == torch.float64:
            return torch.from_numpy(points), np.zeros(len(points))
        moved = torch.from_numpy(points - center).to(dtype)
        order = ORDERS[self._norm]
        size = torch.cat([torch.linalg.vector_norm(part.double(), order, dim=1) for part in moved.split(BLOCK_ROWS)])
        underflow = 4 * (points.shape[1] + 8) * torch.finfo(dtype).tiny
        return moved, 2 * self._unit * size.numpy() + underflow

    def transform(self, potential: FloatArray, k: int) -> Transform:
        """Compute the c-transform of a potential on the other points.

        Args:
            potential: shape (m,), already shrunk (see ``rounding.shrink``).
            k: how many arcs of each point to return; at least 1.

        Returns:
            A potential that, with the given one, is feasible for the true distances.
        """
        k = min(k, len(self._others))
        bounds, arcs = self._smallest(potential, k)
        exact = min(k, _EXACT)
        least = self._least(np.arange(len(arcs)), arcs[:, :exact], potential)
        # All arcs but the k are no cheaper than the last of them.
        rest = bounds[:, -1].copy() if k < len(self._others) else np.full(len(arcs), np.inf)
        if exact < k:
            # Few others can be cheaper: only those are computed from coordinates.
            open_ = np.flatnonzero(bounds[:, exact] < least)
            least[open_] = np.minimum(least[open_], self._least(open_, arcs[open_, exact:], potential))
        return Transform(np.minimum(least, rest), arcs, bounds, least <= rest)

    def _least(self, own: NDArray[np.intp], arcs: NDArray[np.int64], potential: FloatArray) -> FloatArray:
        """Smallest ``|x_i - y_j| - potential_j`` over some arcs of points ``own``, from coordinates, rounded down."""
        k = arcs.shape[1]
        cost = paired(self._points, self._others, np.repeat(own, k), arcs.ravel(), self._norm).reshape(arcs.shape)
        exact = shrink(np.minimum(cost, self._cap), self._points.shape[1]) - potential[arcs]
        return (exact - roundoff(2) * np.abs(exact)).min(axis=1) - underflow_bound(self._points.shape[1])

    def _smallest(self, potential: FloatArray, k: int) -> tuple[FloatArray, NDArray[np.int64]]:
        """The k smallest lower bounds of ``|x_i - y_j| - potential_j`` of each row, in order, and their j."""
        unit, dtype, device = self._unit, self._x.dtype, self._x.device
        taken = torch.from_numpy(potential + self._y_excess).to(dtype)
        if dtype == torch.float32:
            # Rounded up, so that what is left is a lower bound.
            taken = torch.nextafter(taken, torch.full_like(taken, torch.inf))
        taken = taken.to(device)
        shrunk = 1 - roundoff(self._points.shape[1] + 8, unit)
        buffer = torch.empty(BLOCK_ROWS * _COLUMNS if self._products else 0, dtype=dtype, device=device)
        values = np.empty((len(self._points), k))
        arcs = np.empty((len(self._points), k), dtype=np.int64)
        with _full_precision(device):
            for start in range(0, len(self._points), BLOCK_ROWS):
                self._check()
                x = self._x[start : start + BLOCK_ROWS]
                best, index = torch.empty(len(x), 0, dtype=dtype, device=device), None
                for left in range(0, len(self._others), _COLUMNS):
                    y = self._y[left : left + _COLUMNS]
                    if self._products:
                        block = buffer[: len(x) * len(y)].view(len(x), len(y))
                        _product(x, y, block).clamp_(min=0).sqrt_()
                    else:
                        block = torch.cdist(x, y, ORDERS[self._norm], compute_mode="donot_use_mm_for_euclid_dist")
                        block.mul_(shrunk)
                    if self._cap < np.inf:
                        block.clamp_(max=self._cap * (1 - 2 * unit))
                    block.sub_(taken[left : left + _COLUMNS])
                    found, at = block.topk(min(k, block.shape[1]), dim=1, largest=False)
                    at += left
                    if index is None:
                        best, index = found, at
                    else:
                        best, kept = torch.cat((best, found), 1).topk(min(k, best.shape[1] + found.shape[1]), 1, False)
                        index = torch.cat((index, at), 1).gather(1, kept)
                values[start : start + BLOCK_ROWS], arcs[start : start + BLOCK_ROWS] = best.cpu(), index.cpu()  # type: ignore[union-attr]
        underflow = underflow_bound(self._points.shape[1])
        return values - 4 * unit * np.abs(values) - self._x_excess[:, None] - underflow, arcs


def _product(x: Tensor, y: Tensor, out: Tensor) -> Tensor:
    """``x y^T`` in the precision of its factors; by NumPy, which ignores PyTorch's switches for speed."""
    if out.device.type == "cpu":
        np.matmul(x.numpy(), y.numpy().T, out=out.numpy())
        return out
    return torch.mm(x, y.T, out=out)


@contextmanager
def _full_precision(device: torch.device) -> Iterator[None]:
    """Disable TF32, bfloat16 and autocasting, whatever the program has set."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.no_grad(), torch.autocast(device.type, enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(before)


class TwoSidedPricer:
    """The pricers of both sides of a problem, built when they are first used.

    Args:
        problem: any.
        check: called before each block of rows; may end the pass by an error.
        device: where arcs are priced.

    Attributes:
        levels: ways to compute distances, from the fastest to the most accurate.
        center: the mean of the means of x and of y, shape (d,).
    """

    def __init__(self, problem: Problem, check: Callable[[], None], device: torch.device | str = "cpu") -> None:
        self._problem, self._check, self._device = problem, check, device
        self.levels = levels(problem.norm, problem.dimension)
        self.center = (problem.x.mean(axis=0) + problem.y.mean(axis=0)) / 2
        self._cap = np.inf
        self._pricers: dict[tuple[bool, Level], Pricer] = {}

    def cap_distances(self, cap: float) -> None:
        """Let longer distances count as ``cap`` from now on; see the note on capped distances in simplex.py."""
        self._cap = cap
        self._pricers.clear()

    def transform(self, swapped: bool, level: Level, potential: FloatArray, k: int) -> Transform:
        """Compute the c-transform on x of a potential on y, or on y of one on x if swapped; see ``Pricer.transform``.

        Args:
            swapped: whether to price the arcs of each point of y.
            level: how distances are computed.
            potential: on the other points, already shrunk.
            k: how many arcs of each point to return.
        """
        if (swapped, level) not in self._pricers:
            # Only one level is kept: each pricer holds copies of the points.
            self._pricers = {key: pricer for key, pricer in self._pricers.items() if key[1] == level}
            x, y, norm = self._problem.x, self._problem.y, self._problem.norm
            points, others = (y, x) if swapped else (x, y)
            self._pricers[swapped, level] = Pricer(
                points, others, norm, level, self.center, self._device, self._cap, self._check
            )
        return self._pricers[swapped, level].transform(potential, k)
