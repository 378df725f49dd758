"""Parts of a batch: what is drawn for the whole, a part sees as it would within the whole."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

T = TypeVar("T", Tensor, list[int], NDArray[np.float64])


@dataclass(frozen=True)
class Part:
    """Rows ``start`` to ``stop`` of a batch of ``total`` rows.

    A step's batch is split among ranks, and by each of them again where memory asks for it. Randomness is drawn for
    the whole batch and losses are weighted by ``share``, so that the step is the same however it is split.

    Attributes:
        start: first row.
        stop: row after the last one.
        total: rows of the whole batch.
    """

    start: int
    stop: int
    total: int

    def __len__(self) -> int:
        return self.stop - self.start

    @property
    def share(self) -> float:
        """The weight of the part's mean in the mean of the whole batch."""
        return len(self) / self.total

    def of(self, rows: T) -> T:
        """The part's rows.

        Args:
            rows: of the whole batch, shape (total, ...).
        """
        return rows[self.start : self.stop]

    def chunks(self, chunks: int) -> Iterator["Part"]:
        """The part in consecutive parts of its own, of the sizes of ``torch.chunk``.

        Args:
            chunks: at most so many.
        """
        size = max(1, -(-len(self) // chunks))
        for start in range(self.start, self.stop, size):
            yield Part(start, min(start + size, self.stop), self.total)


def share_of(total: int, rank: int, ranks: int) -> Part:
    """The part of a batch that a rank takes: consecutive rows, as many as the others have, or one more.

    Args:
        total: rows of the whole batch.
        rank: from 0.
        ranks: how many there are.
    """
    return Part(total * rank // ranks, total * (rank + 1) // ranks, total)
