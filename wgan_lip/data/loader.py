"""A data loader whose order is a function of the seed, so that a resumed run sees the same batches."""

import re
from collections.abc import Iterator
from typing import Any, cast

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, DistributedSampler, Sampler, default_collate

from wgan_lip.parts import share_of
from wgan_lip.randomness import keyed_generator
from wgan_lip.saved import is_count, named_value


class TensorSamples(Dataset[Tensor]):
    """Samples that lie in memory as one tensor of shape ``(n, ...)``."""

    def __init__(self, samples: Tensor) -> None:
        self.samples = samples

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Tensor:
        return self.samples[index]

    def __getitems__(self, indices: list[int]) -> Tensor:
        return self.samples[indices]


def collate(batch: Any) -> Tensor:
    """A batch as it is where the dataset made one at once (``__getitems__``); otherwise its samples, stacked.

    Args:
        batch: a tensor of shape ``(n, ...)``, or a list of n samples.

    Raises:
        ValueError: items that are no samples, such as pairs of a sample and its label.
    """
    samples = batch if isinstance(batch, Tensor) else default_collate(batch)
    if not isinstance(samples, Tensor):
        raise ValueError(
            "each item of a split must be one sample, an array or a tensor; got items that make a "
            f"{type(samples).__name__}, such as (sample, label): have the data set return the sample alone"
        )
    return samples


def take(dataset: Dataset[Tensor], indices: list[int]) -> Tensor:
    """Some samples of a map-style dataset, shape ``(len(indices), ...)``; at once, where it can.

    Args:
        dataset: map-style; its ``__getitems__``, if any, gives a list of samples or one tensor, as ``DataLoader`` asks.
        indices: which.
    """
    at_once = getattr(dataset, "__getitems__", None)
    return collate(at_once(indices) if at_once else [dataset[index] for index in indices])


class ShuffledBatches(Sampler[list[int]]):
    """An endless stream of batches, handed out in epochs of ``size // batch_size``.

    Batch k is slice ``k % len`` of a permutation drawn from ``(seed, k // len)``: every sample comes
    at most once an epoch, every batch is full, and the stream can be entered anywhere. Each rank is handed its part
    of every batch.

    Args:
        size: number of samples.
        batch_size: samples in a batch, all ranks together; at most ``size``.
        seed: what the permutations are drawn from.
        rank: of this process.
        ranks: how many there are.
    """

    def __init__(self, size: int, batch_size: int, seed: int, rank: int = 0, ranks: int = 1) -> None:
        if batch_size < ranks:
            raise ValueError(f"batch_size must be at least 1 for each of {ranks} ranks; got batch_size={batch_size}")
        if not 1 <= batch_size <= size:
            raise ValueError(
                f"batch_size must be between 1 and the {size} training samples; got batch_size={batch_size}"
            )
        self.size = size
        self.batch_size = batch_size
        self.seed = seed
        self.position = 0
        self._mine = share_of(batch_size, rank, ranks)

    def __len__(self) -> int:
        return self.size // self.batch_size

    def __iter__(self) -> Iterator[list[int]]:
        epoch, order = -1, torch.empty(0)
        for k in range(self.position, self.position + len(self)):
            if k // len(self) != epoch:
                epoch = k // len(self)
                order = torch.randperm(self.size, generator=keyed_generator(self.seed, "order", epoch))
            start = k % len(self) * self.batch_size
            yield self._mine.of(order[start : start + self.batch_size]).tolist()


class SampleLoader(DataLoader[Tensor]):
    """A ``DataLoader`` whose workers' errors are those that reading in this process would raise."""

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        try:
            yield from super().__iter__()
        except (ValueError, OSError) as error:
            # PyTorch puts the worker's whole traceback into the message; its last line is the worker's error.
            found = re.match(r"Caught \w+ in DataLoader worker process .*\n\S+: (.+)", str(error), re.DOTALL)
            if found is None:
                raise
            raise type(error)(found[1].strip()) from error


class ResumableLoader(SampleLoader):
    """A shuffling ``DataLoader`` that can be saved and resumed between any two batches.

    Lightning keeps its ``state_dict`` in every checkpoint. The position is counted in batches
    handed out, so those that workers have read ahead are not lost. It does not depend on the ranks: a run may go on
    with another number of them.

    Args:
        dataset: map-style, with a length.
        batch_size: samples in a batch, all ranks together.
        seed: what the order is drawn from.
        num_workers: processes that read ahead; 0 reads in this one.
        rank: of this process, which gets its part of each batch.
        ranks: how many there are.

    Attributes:
        total_batch_size: samples in a batch, all ranks together.

    Raises:
        ValueError: a batch larger than the data, or smaller than the number of ranks.
    """

    def __init__(
        self,
        dataset: Dataset[Tensor],
        batch_size: int,
        seed: int = 0,
        num_workers: int = 0,
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        self.total_batch_size = batch_size
        self._stream = ShuffledBatches(len(dataset), batch_size, seed, rank, ranks)  # type: ignore[arg-type]
        super().__init__(
            dataset,
            batch_sampler=self._stream,
            num_workers=num_workers,
            collate_fn=collate,
            persistent_workers=num_workers > 0,
            # A loader without its own generator draws from the global one whenever it is iterated.
            generator=keyed_generator(seed, "workers"),
        )
        if ranks > 1:
            # Lightning gives each loader a sampler for its rank, unless it has one. This one is not used: the stream
            # above is what is handed out. (A loader's sampler cannot be set otherwise.)
            self.__dict__["sampler"] = DistributedSampler(dataset, ranks, rank)

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        for batch in super().__iter__():
            self._stream.position += 1
            yield batch

    def state_dict(self) -> dict[str, int]:
        return {"position": self._stream.position}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self._stream.position = position_of(state)


def position_of(state: Any) -> int:
    """The position that a checkpoint has of a stream of batches.

    Args:
        state: of a loader.

    Raises:
        ValueError: it has none.
    """
    position = state.get("position") if isinstance(state, dict) else None
    if not is_count(position):
        raise ValueError(f"the position in the data in the checkpoint must be a count; got {named_value(position)}")
    return cast(int, position)
