"""Prices of all arcs, blockwise: the c-transform of a potential with every rounding accounted for."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wgan_lip.transport.norm import ORDERS, Norm, paired
from wgan_lip.transport.result import Budget
from wgan_lip.transport.rounding import lost, roundoff, shrink
from wgan_lip.transport.samples import FloatArray
from wgan_lip.transport.solvers.problem import Problem

# Note [float32 where that is safe]
# |x - y|^2 = |x|^2 + |y|^2 - 2 <x, y> is one matrix product, but carries an error of up to a multiple of
# u (|x| + |y|)^2 <= 2 u (|x|^2 + |y|^2). That bound is separable: subtracted from the two squared norms it turns
# every entry into a lower bound of the true distance at no cost. So a pass in float32 proves of nearly all arcs that
# they are not violated. The k smallest of each row are computed again in float64, coordinate by coordinate; the others
# are no smaller than the k-th. Where float32 leaves a gap, the next level is float64, and the last one takes
# differences of coordinates, which lose nothing however close the points are.

Level: TypeAlias = Literal["product32", "product64", "difference32", "difference64"]

# Below this dimension differences of coordinates cost no more than products.
FEW_COORDINATES = 8
# Above this, sums in float32 prove nothing any more.
_MANY_COORDINATES = 100_000
# Arcs of each point that are computed again from the coordinates, whatever their bounds.
_EXACT = 3
# Rows and columns of a block.
BLOCK_ROWS, _COLUMNS = 512, 8192


def levels(norm: Norm, dimension: int) -> tuple[Level, ...]:
    """The ways to price, from the fastest to the most accurate."""
    if dimension > _MANY_COORDINATES:
        return ("difference64",)
    if norm == "l2" and dimension >= FEW_COORDINATES:
        return ("product32", "product64", "difference64")
    if norm == "l2":
        return ("difference64",)
    return ("difference32", "difference64")


def accurate_level(norm: Norm, dimension: int) -> Level:
    """The fastest way in float64."""
    return next(level for level in levels(norm, dimension) if level.endswith("64"))


@dataclass(frozen=True)
class Transform:
    """A feasible potential, and the cheapest arcs of each of its points.

    Attributes:
        potential: at most ``min_j |x_i - y_j| - potential_j``, shape (n,).
        arcs: index of the other point of the k cheapest, in order, shape (n, k).
        bounds: lower bounds of ``|x_i - y_j| - potential_j`` of those arcs, increasing, shape (n, k).
        attained: whether the potential is that of one of the arcs, computed from coordinates; elsewhere it is a
            bound of theirs and of the others', shape (n,).
    """

    potential: FloatArray
    arcs: NDArray[np.int64]
    bounds: FloatArray
    attained: NDArray[np.bool_]


class Pricer:
    """The c-transforms of potentials on one set of points, as potentials on the other.

    Args:
        points: shape (n, d).
        others: shape (m, d).
        norm: the ground norm.
        level: how distances are computed.
        center: is subtracted from both before products are taken, shape (d,).
        device: where.
        cap: distances beyond it count as this long; see the note on capped distances in simplex.py.
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
            # Rows (x, |x|^2, 1) against columns (-2 y, 1, |y|^2): one product is all of |x - y|^2.
            (x, x_square), (y, y_square) = (self._squared(side - center, dtype) for side in (points, others))
            x, y = (
                torch.cat((x, x_square, x_square.new_ones(x_square.shape)), 1),
                torch.cat((-2 * y, y_square.new_ones(y_square.shape), y_square), 1),
            )
            self._x_excess, self._y_excess = np.zeros(len(points)), np.zeros(len(others))
        else:
            # Coordinates that are rounded make a distance this much too long.
            (x, self._x_excess), (y, self._y_excess) = (self._rounded(side, center, dtype) for side in (points, others))
            if norm == "l2":
                # The root of all that squares can lose, each less than the smallest normal number.
                self._x_excess += 2 * np.sqrt(points.shape[1] * float(torch.finfo(dtype).tiny))
        self._x, self._y = x.to(device), y.to(device)

    def _squared(self, moved: FloatArray, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Points in the level's precision, and their squared sizes, shape (n, 1), less all that rounding can do."""
        d = moved.shape[1]
        points = torch.from_numpy(moved).to(dtype)
        square = torch.cat([part.double().square().sum(1, keepdim=True) for part in points.split(BLOCK_ROWS)])
        # For the product 2 d + 4, rounded squares 2, rounded coordinates 4, the square root 4; d + 4 for the squares.
        square = square * (1 - roundoff(2 * d + 20, self._unit) - roundoff(d + 10))
        # Terms below the smallest normal number may be lost.
        return points, (square - 4 * (d + 8) * torch.finfo(dtype).tiny).to(dtype)

    def _rounded(self, points: FloatArray, center: FloatArray, dtype: torch.dtype) -> tuple[Tensor, FloatArray]:
        """Points in the level's precision, and a bound of how far each was moved by it, shape (n,)."""
        if dtype == torch.float64:
            return torch.from_numpy(points), np.zeros(len(points))
        moved = torch.from_numpy(points - center).to(dtype)
        order = ORDERS[self._norm]
        size = torch.cat([torch.linalg.vector_norm(part.double(), order, dim=1) for part in moved.split(BLOCK_ROWS)])
        lost = 4 * (points.shape[1] + 8) * torch.finfo(dtype).tiny
        return moved, 2 * self._unit * size.numpy() + lost

    def transform(self, potential: FloatArray, k: int) -> Transform:
        """The c-transform of a potential on the other points.

        Args:
            potential: shape (m,), already shrunk (see ``rounding.shrink``).
            k: how many arcs of each point to return; at least 1.

        Returns:
            A potential that with the given one is feasible for the true distances.
        """
        k = min(k, len(self._others))
        bounds, arcs = self._smallest(potential, k)
        looked = min(k, _EXACT)
        least = self._least(np.arange(len(arcs)), arcs[:, :looked], potential)
        # All arcs but the k are no cheaper than the last of them.
        rest = bounds[:, -1].copy() if k < len(self._others) else np.full(len(arcs), np.inf)
        if looked < k:
            # Few others can be cheaper than the first: only those are computed exactly.
            open_ = np.flatnonzero(bounds[:, looked] < least)
            least[open_] = np.minimum(least[open_], self._least(open_, arcs[open_, looked:], potential))
        return Transform(np.minimum(least, rest), arcs, bounds, least <= rest)

    def _least(self, own: NDArray[np.intp], arcs: NDArray[np.int64], potential: FloatArray) -> FloatArray:
        """Smallest ``|x_i - y_j| - potential_j`` of some points over some arcs each, from coordinates, rounded down."""
        k = arcs.shape[1]
        cost = paired(self._points, self._others, np.repeat(own, k), arcs.ravel(), self._norm).reshape(arcs.shape)
        exact = shrink(np.minimum(cost, self._cap), self._points.shape[1]) - potential[arcs]
        return (exact - roundoff(2) * np.abs(exact)).min(axis=1) - lost(self._points.shape[1])

    def _smallest(self, potential: FloatArray, k: int) -> tuple[FloatArray, NDArray[np.int64]]:
        """Of each row the k smallest lower bounds of ``|x_i - y_j| - potential_j``, in order."""
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
        return values - 4 * unit * np.abs(values) - self._x_excess[:, None] - lost(self._points.shape[1]), arcs


def _product(x: Tensor, y: Tensor, out: Tensor) -> Tensor:
    """``x y^T`` in the precision of its factors. NumPy's takes no orders from PyTorch's switches for speed."""
    if out.device.type == "cpu":
        np.matmul(x.numpy(), y.numpy().T, out=out.numpy())
        return out
    return torch.mm(x, y.T, out=out)


@contextmanager
def _full_precision(device: torch.device) -> Iterator[None]:
    """No TF32, bfloat16 or autocasting, whatever the program has set."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.no_grad(), torch.autocast(device.type, enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(before)


class BothSides:
    """The pricers of a problem's two sides, made when they are asked for.

    Args:
        problem: any.
        budget: whose time is looked at before each block of rows.
        device: where arcs are priced.

    Attributes:
        levels: the ways to price, from the fastest to the most accurate.
        center: between the means of x and of y, shape (d,).
    """

    def __init__(self, problem: Problem, budget: Budget, device: torch.device | str) -> None:
        self._problem, self._budget, self._device = problem, budget, device
        self.levels = levels(problem.norm, problem.dimension)
        self.center = (problem.x.mean(axis=0) + problem.y.mean(axis=0)) / 2
        self._cap = np.inf
        self._pricers: dict[tuple[bool, Level], Pricer] = {}

    def cut(self, cap: float) -> None:
        """From now on distances beyond a cap count as this long; see the note on capped distances in simplex.py."""
        self._cap = cap
        self._pricers.clear()

    def transform(self, swapped: bool, level: Level, potential: FloatArray, k: int) -> Transform:
        """The c-transform on x of a potential on y, or the other way round if swapped; as ``Pricer.transform``.

        Args:
            swapped: whether points of y are priced.
            level: how distances are computed.
            potential: on the other points, already shrunk.
            k: how many arcs of each point to return.
        """
        if (swapped, level) not in self._pricers:
            # One level at a time: each pricer holds copies of the points.
            self._pricers = {key: pricer for key, pricer in self._pricers.items() if key[1] == level}
            self._pricers[swapped, level] = self._pricer(swapped, level)
        return self._pricers[swapped, level].transform(potential, k)

    def _pricer(self, swapped: bool, level: Level) -> Pricer:
        problem, budget = self._problem, self._budget
        points, others = (problem.y, problem.x) if swapped else (problem.x, problem.y)
        return Pricer(points, others, problem.norm, level, self.center, self._device, self._cap, budget.check)
