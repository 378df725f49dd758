"""Sparse sets of arcs with their costs, as a column generation uses them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array

from wgan_lip.transport.samples import FloatArray

IndexArray = NDArray[np.int64]


@dataclass(frozen=True)
class Arcs:
    """A set of arcs i -> j with their costs, sorted by ``i * m + j``.

    Attributes:
        shape: n and m.
        keys: ``i * m + j``, shape (k,), increasing.
        cost: shape (k,).
    """

    shape: tuple[int, int]
    keys: IndexArray
    cost: FloatArray

    @property
    def rows(self) -> IndexArray:
        return self.keys // self.shape[1]

    @property
    def columns(self) -> IndexArray:
        return self.keys % self.shape[1]

    def __len__(self) -> int:
        return len(self.keys)

    def keys_of(self, rows: IndexArray, columns: IndexArray) -> IndexArray:
        """Keys of the arcs ``rows[k] -> columns[k]``, shape (k,)."""
        return rows * self.shape[1] + columns

    def merged(self, rows: IndexArray, columns: IndexArray, cost: FloatArray) -> "Arcs":
        """The union with other arcs, shapes (k,); an arc that is in both sets must have the same cost in both."""
        keys, first = np.unique(self.keys_of(rows, columns), return_index=True)
        at = np.minimum(np.searchsorted(self.keys, keys), max(len(self.keys) - 1, 0))
        new = np.ones(len(keys), dtype=bool) if len(self.keys) == 0 else self.keys[at] != keys
        keys, cost = keys[new], cost[first[new]]
        at = np.searchsorted(self.keys, keys)
        return Arcs(self.shape, np.insert(self.keys, at, keys), np.insert(self.cost, at, cost))

    def reduced_cost(self, x_potential: FloatArray, y_potential: FloatArray) -> FloatArray:
        """``cost - x_potential[i] - y_potential[j]`` of each arc, shape (k,)."""
        return self.cost - x_potential[self.rows] - y_potential[self.columns]

    def kept(self, which: NDArray[np.bool_]) -> "Arcs":
        """The subset that a mask of shape (k,) selects."""
        return Arcs(self.shape, self.keys[which], self.cost[which])

    def matrix(self) -> coo_array:
        """Sparse matrix of the costs, shape (n, m), with an entry for each arc of the set."""
        return coo_array((self.cost, (self.rows, self.columns)), shape=self.shape)

    def shortest(self) -> Callable[[FloatArray], FloatArray]:
        """Return the argument ``shortest`` of ``potentials_of_plan`` over these arcs; infinity where no arc ends."""
        order = np.argsort(self.columns)
        rows, cost = self.rows[order], self.cost[order]
        ends, starts = np.unique(self.columns[order], return_index=True)

        def step(x_path: FloatArray) -> FloatArray:
            out = np.full(self.shape[1], np.inf)
            out[ends] = np.minimum.reduceat(x_path[rows] + cost, starts)
            return out

        return step
