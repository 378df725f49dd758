"""Parts of a batch, for steps that are split among ranks or chunks and give the same result as unsplit ones."""

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

    A step's batch is split among ranks, and by each rank into chunks to save memory. Randomness is drawn for the whole
    batch and losses are weighted by ``share``, so that the step does not depend on the split.

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
        """Return the part's rows.

        Args:
            rows: of the whole batch, shape (total, ...).
        """
        return rows[self.start : self.stop]

    def chunks(self, chunks: int) -> Iterator["Part"]:
        """Split the part into consecutive parts, of the sizes of ``torch.chunk``.

        Args:
            chunks: the largest number of parts.
        """
        size = max(1, -(-len(self) // chunks))
        for start in range(self.start, self.stop, size):
            yield Part(start, min(start + size, self.stop), self.total)


def share_of(total: int, rank: int, ranks: int) -> Part:
    """Return the part of a batch for a rank: consecutive rows, as many as for other ranks, or one more.

    Args:
        total: rows of the whole batch.
        rank: from 0.
        ranks: number of ranks.
    """
    return Part(total * rank // ranks, total * (rank + 1) // ranks, total)
