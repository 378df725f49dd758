"""The processes that train one model together."""

import datetime
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist
from pytorch_lightning import Trainer
from pytorch_lightning.strategies import DDPStrategy, DeepSpeedStrategy, ParallelStrategy, Strategy
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from wgan_lip.parts import Part, share_of
from wgan_lip.training.lost_ranks import lost_ranks_named

T = TypeVar("T")

# Note [gradients are summed here]
# Lightning wraps the module in DistributedDataParallel, whose reducer expects a gradient of every parameter at each
# backward pass. A GAN's passes are through one network or the other, and accumulation and penalties make several
# passes a step. So the reducer is kept out of it, and the gradients that an optimiser is about to use are summed in one
# message: nothing is unused, nothing is sent twice.


class OtherRankError(RuntimeError):
    """Another process could not do its part; it says why itself."""


class Ranks:
    """What the processes of a training do together; a single one does it alone, at no cost.

    Weights are the same on all ranks at all times: they begin so, and every rank takes the same step along the same
    summed gradients. Messages about evaluations go over a group of their own, on the CPU (gloo).

    Args:
        trainer: whose strategy is set up.

    Attributes:
        rank: of this process, from 0.
        size: how many there are.

    Raises:
        ValueError: a strategy that splits weights among processes.
    """

    def __init__(self, trainer: Trainer) -> None:
        self.rank, self.size = trainer.global_rank, trainer.world_size
        self.strategy = trainer.strategy
        self._group: dist.ProcessGroup | None = None
        check_strategy(self.strategy)
        if self.size > 1:
            self._group = cast(dist.ProcessGroup, dist.new_group(backend="gloo", timeout=self.timeout))

    @property
    def timeout(self) -> datetime.timedelta:
        """How long a rank waits for the others before it gives up."""
        chosen = getattr(self.strategy, "_timeout", None)
        return chosen or dist.default_pg_timeout

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes and speaks for all."""
        return self.rank == 0

    @property
    def group(self) -> dist.ProcessGroup | None:
        """The gloo group of all ranks; None for a single process."""
        return self._group

    def close(self) -> None:
        """Give up the group; nothing can be sent after it."""
        if self._group is not None and dist.is_initialized():
            dist.destroy_process_group(self._group)
        self._group = None

    def share(self, total: int) -> Part:
        """This rank's part of a batch of ``total`` rows.

        Raises:
            ValueError: there are fewer rows than ranks.
        """
        if total < self.size:
            raise ValueError(f"a batch must have a sample for each of the {self.size} ranks; got {total} samples")
        return share_of(total, self.rank, self.size)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Backward passes within are of this rank only; see the note on gradients."""
        with self.strategy.block_backward_sync() if isinstance(self.strategy, ParallelStrategy) else nullcontext():
            yield

    @torch.no_grad()
    def sum_gradients_(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace each gradient by its sum over the ranks, bit by bit the same on all.

        Args:
            parameters: those without a gradient are left out; the same ones on all ranks.
        """
        self._sum_([p.grad for p in parameters if p.grad is not None])

    @torch.no_grad()
    def average_statistics_(self, *networks: nn.Module) -> None:
        """Replace the running moments of batch normalisation by their means over the ranks.

        Args:
            networks: of whose batches each rank saw its own part.
        """
        if self.size == 1:
            return
        moments = [
            buffer
            for network in networks
            for module in network.modules()
            if isinstance(module, _NormBase) and module.training
            for buffer in (module.running_mean, module.running_var)
            if buffer is not None
        ]
        self._sum_(moments)
        for moment in moments:
            moment.div_(self.size)

    def total(self, value: Tensor) -> Tensor:
        """The sum of a scalar over the ranks."""
        if self.size == 1:
            return value
        value = value.detach().clone()
        with lost_ranks_named():
            dist.all_reduce(value)
        return value

    def any(self, flag: bool) -> bool:
        """Whether any rank says so."""
        if self.size == 1:
            return flag
        # Not over gloo where there is another: it sends small messages round a ring of all ranks.
        said = torch.tensor([float(flag)], device=self.strategy.root_device)
        with lost_ranks_named():
            dist.all_reduce(said, op=dist.ReduceOp.MAX)
        return bool(said.item())

    def gather(self, rows: Tensor) -> Tensor | None:
        """The rows of all ranks, in their order, on the CPU of the first; None elsewhere.

        Args:
            rows: shape (n, ...), n of each rank's own.
        """
        if self.size == 1:
            return rows.cpu()
        rows = rows.detach().cpu().contiguous()
        sizes = self._all(len(rows))
        parts = [rows.new_empty(size, *rows.shape[1:]) for size in sizes]
        with lost_ranks_named():
            if self.is_first:
                parts[0] = rows
                for rank in range(1, self.size):
                    dist.recv(parts[rank], group_src=rank, group=self._group)
                return torch.cat(parts)
            dist.send(rows, group_dst=0, group=self._group)
        return None

    def each(self, value: T) -> list[T]:
        """Every rank's value, in their order; plain data, which is pickled."""
        return [value] if self.size == 1 else self._all(value)

    def together(self, function: Callable[[], T]) -> T:
        """Have every rank call a function that sends no messages; an error of one is one of all.

        Returns:
            This rank's result.

        Raises:
            OtherRankError: on ranks that did their own part.
        """
        if self.size == 1:
            return function()
        result, error = _attempt(function)
        said = self._all(None if error is None else str(error))
        if error is not None:
            raise error
        for rank, message in enumerate(said):
            if message is not None:
                raise OtherRankError(f"rank {rank}: {message}")
        return cast(T, result)

    def lead(self, function: Callable[[], T]) -> T:
        """Call a function on rank 0 and broadcast its result; the other ranks wait for it.

        Args:
            function: takes less time than ``timeout``; its result is plain data, which is pickled.

        Raises:
            OtherRankError: on the others, where it raised on the first.
        """
        if self.size == 1:
            return function()
        result, error = _attempt(function) if self.is_first else (None, None)
        said: list[Any] = [(result, None if error is None else str(error))]
        with lost_ranks_named():
            dist.broadcast_object_list(said, group_src=0, group=self._group)
        if error is not None:
            raise error
        result, message = said[0]
        if message is not None:
            raise OtherRankError(f"rank 0: {message}")
        return cast(T, result)

    def check_same(self, module: nn.Module) -> None:
        """See that the weights of all ranks are the same, bit by bit.

        Raises:
            RuntimeError: they are not, as on nodes with processors of different kinds.
        """
        if self.size == 1:
            return
        digests = self._all([_digest(parameter) for parameter in module.parameters()])
        for (name, _), *values in zip(module.named_parameters(), *digests, strict=True):
            if len(set(values)) > 1:
                raise RuntimeError(
                    f"the ranks' weights differ, first in {name}: they round differently; use nodes of one kind"
                )

    def _all(self, value: T) -> list[T]:
        found: list[Any] = [None] * self.size
        with lost_ranks_named():
            dist.all_gather_object(found, value, group=self._group)
        return found

    def _sum_(self, tensors: list[Tensor]) -> None:
        if self.size == 1 or not tensors:
            return
        message = torch.cat([tensor.flatten() for tensor in tensors])
        with lost_ranks_named():
            dist.all_reduce(message)
        for tensor, summed in zip(tensors, message.split([t.numel() for t in tensors]), strict=True):
            tensor.copy_(summed.view_as(tensor))


def check_strategy(strategy: Strategy | str) -> None:
    """See that every process holds whole weights, and was not copied from another.

    Args:
        strategy: or its name, before it is built.

    Raises:
        ValueError: it does not, or was.
    """
    if isinstance(strategy, str):
        keeps_whole, name = strategy.startswith(("auto", "ddp", "single_device")), strategy
        if strategy.endswith(("_spawn", "_fork", "_notebook")):
            raise ValueError(
                f"trainer.strategy must be ddp; {strategy} copies a running process: use ddp, which starts new ones"
            )
    else:
        splits = isinstance(strategy, ParallelStrategy) and not isinstance(strategy, DDPStrategy)
        keeps_whole, name = not splits and not isinstance(strategy, DeepSpeedStrategy), type(strategy).__name__
    if not keeps_whole:
        raise ValueError(
            f"trainer.strategy must be ddp; {name} splits or replaces weights, but the retraction of an orthogonal "
            "matrix and its certificate need the whole of it"
        )


def _attempt(function: Callable[[], T]) -> tuple[T | None, Exception | None]:
    try:
        return function(), None
    except Exception as error:
        return None, error


def _digest(parameter: Tensor) -> int:
    """The sum of a tensor's bits, taken as integers."""
    kind = {2: torch.int16, 4: torch.int32, 8: torch.int64}[parameter.element_size()]
    return int(parameter.detach().contiguous().view(kind).sum(dtype=torch.int64))
