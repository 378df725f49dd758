"""A data loader whose order is a function of the seed, so that a resumed run gets the same batches."""

import re
from collections.abc import Iterator
from typing import Any, cast

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, DistributedSampler, default_collate

from wgan_lip.parts import share_of
from wgan_lip.randomness import keyed_generator
from wgan_lip.saved import is_count, named_value


class TensorSamples(Dataset[Tensor]):
    """Samples in memory, as one tensor of shape ``(n, ...)``."""

    def __init__(self, samples: Tensor) -> None:
        self.samples = samples

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Tensor:
        return self.samples[index]

    def __getitems__(self, indices: list[int]) -> Tensor:
        return self.samples[indices]


def collate(batch: Any) -> Tensor:
    """Stack samples into a batch; a batch that the data set has made at once (``__getitems__``) is returned unchanged.

    Args:
        batch: a tensor of shape ``(n, ...)``, or a list of n samples.

    Raises:
        ValueError: items that are not single samples, such as pairs of a sample and its label.
    """
    samples = batch if isinstance(batch, Tensor) else default_collate(batch)
    if not isinstance(samples, Tensor):
        raise ValueError(
            "each item of a split must be one sample, an array or a tensor; got items that make a "
            f"{type(samples).__name__}, such as (sample, label): have the data set return the sample alone"
        )
    return samples


def take(dataset: Dataset[Tensor], indices: list[int]) -> Tensor:
    """Read some samples of a map-style data set, shape ``(len(indices), ...)``; at once, if it has ``__getitems__``.

    Args:
        dataset: map-style; its ``__getitems__`` may return a list of samples or one tensor.
        indices: of the samples.
    """
    at_once = getattr(dataset, "__getitems__", None)
    return collate(at_once(indices) if at_once else [dataset[index] for index in indices])


class _Batches(Dataset[Tensor]):
    """A data set whose item, given a list of indices, is the batch of these samples."""

    def __init__(self, dataset: Dataset[Tensor]) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)  # type: ignore[arg-type]

    def __getitem__(self, indices: list[int]) -> Tensor:
        return take(self.dataset, indices)


class ShuffledBatches(DistributedSampler[list[int]]):
    """An endless stream of batches, in epochs of ``size // batch_size``.

    Batch k is slice ``k % len`` of a permutation drawn from ``(seed, k // len)``: every sample comes at most once an
    epoch, every batch is full, and the stream can start at any batch. Each rank gets its part of every batch; as this
    is a ``DistributedSampler``, Lightning does not put one of its own in its place.

    Args:
        size: number of samples.
        batch_size: samples in a batch, all ranks together; at most ``size``.
        seed: determines the permutations.
        rank: of this process.
        ranks: the number of ranks.
    """

    def __init__(self, size: int, batch_size: int, seed: int, rank: int = 0, ranks: int = 1) -> None:
        if batch_size < ranks:
            raise ValueError(f"batch_size must be at least 1 for each of {ranks} ranks; got batch_size={batch_size}")
        if not 1 <= batch_size <= size:
            raise ValueError(
                f"batch_size must be between 1 and the {size} training samples; got batch_size={batch_size}"
            )
        super().__init__(cast(Dataset[Any], range(size)), ranks, rank, seed=seed)
        self.size = size
        self.batch_size = batch_size
        self.position = 0
        self._part = share_of(batch_size, rank, ranks)

    def __len__(self) -> int:
        return self.size // self.batch_size

    def __iter__(self) -> Iterator[list[int]]:
        epoch, order = -1, torch.empty(0)
        for k in range(self.position, self.position + len(self)):
            if k // len(self) != epoch:
                epoch = k // len(self)
                order = torch.randperm(self.size, generator=keyed_generator(self.seed, "order", epoch))
            start = k % len(self) * self.batch_size
            yield self._part.of(order[start : start + self.batch_size]).tolist()


class SampleLoader(DataLoader[Tensor]):
    """A ``DataLoader`` whose workers raise the errors that reading in this process would raise."""

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

    Lightning keeps its ``state_dict`` in every checkpoint. The position counts the batches that were handed out, not
    those that workers have read ahead, and does not depend on the ranks: a run may be resumed with another number of
    them.

    Args:
        dataset: map-style, with a length.
        batch_size: samples in a batch, all ranks together.
        seed: determines the order.
        num_workers: processes that read ahead; 0 reads in this one.
        rank: of this process, which gets its part of each batch.
        ranks: the number of ranks.

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
            _Batches(dataset),
            batch_size=None,
            sampler=self._stream,
            num_workers=num_workers,
            collate_fn=collate,
            persistent_workers=num_workers > 0,
            # A loader without its own generator draws from the global one whenever it is iterated.
            generator=keyed_generator(seed, "workers"),
        )

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        for batch in super().__iter__():
            self._stream.position += 1
            yield batch

    def state_dict(self) -> dict[str, int]:
        return {"position": self._stream.position}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self._stream.position = position_of(state)


def position_of(state: Any) -> int:
    """Return the position of a stream of batches that a checkpoint holds.

    Args:
        state: the state of a loader.

    Raises:
        ValueError: it holds no position.
    """
    position = state.get("position") if isinstance(state, dict) else None
    if not is_count(position):
        raise ValueError(f"the position in the data in the checkpoint must be a count; got {named_value(position)}")
    return cast(int, position)
