"""The processes that train one model together, and errors of those whose other processes ended."""

import datetime
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist
from pytorch_lightning import Trainer
from pytorch_lightning.strategies import ParallelStrategy
from torch import Tensor, nn

from wgan_lip.parts import Part, share_of
from wgan_lip.training.checks import check_strategy
from wgan_lip.training.lightning_private import collective_timeout

# Parts of gloo's messages about a peer that ended or does not answer.
_LOST = ("connection closed by peer", "connection reset by peer", "broken pipe", "gloo/transport")


class LostRankError(RuntimeError):
    """Another process of the training ended, or cannot be reached."""


@contextmanager
def lost_ranks_named() -> Iterator[None]:
    """Turn errors of communication with a process that ended, including Lightning's, into a ``LostRankError``.

    Raises:
        LostRankError: another process ended, or cannot be reached.
    """
    try:
        yield
    except RuntimeError as error:
        if not is_lost_rank(error) or isinstance(error, LostRankError):
            raise
        raise LostRankError(
            "another process of this training ended, or cannot be reached; its own log says why; "
            "the run can be resumed from its last checkpoint"
        ) from error


def is_lost_rank(error: BaseException) -> bool:
    """Return whether an error reports that another process ended."""
    if isinstance(error, LostRankError | dist.DistError):
        return True
    said = str(error).lower()
    return type(error) is RuntimeError and any(words in said for words in _LOST)


T = TypeVar("T")

# Layers with running moments.
_NORMALIZATIONS = (
    *(nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm),
    *(nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d),
)

# Note [gradients are summed here]
# Lightning wraps the module in DistributedDataParallel, whose reducer expects a gradient of every parameter at each
# backward pass. A GAN's passes go through one of its networks at a time, and accumulation and penalties make several
# passes a step. So the reducer is switched off (``no_gradient_sync``), and the gradients of an optimiser are summed in
# one message before its step: no gradient is missing, none is sent twice.


class OtherRankError(RuntimeError):
    """Another process raised an error, which it reports itself."""


class Ranks:
    """Communication among the processes that train one model; nothing is sent where there is only one.

    The weights of all ranks are equal at all times: they begin equal, and every rank takes the same step along the same
    summed gradients. Messages about evaluations use a process group of their own, on the CPU (gloo).

    Args:
        trainer: with a strategy that is set up.

    Attributes:
        rank: of this process, from 0.
        size: number of processes.

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
        """Time after which a rank that waits for the others raises an error."""
        return collective_timeout(self.strategy)

    @property
    def is_rank_zero(self) -> bool:
        """True for the process that writes files and prints."""
        return self.rank == 0

    def close(self) -> None:
        """Destroy the process group; nothing can be sent afterwards."""
        if self._group is not None and dist.is_initialized():
            dist.destroy_process_group(self._group)
        self._group = None

    def part(self, total: int) -> Part:
        """Return this rank's part of a batch of ``total`` rows.

        Raises:
            ValueError: there are fewer rows than ranks.
        """
        if total < self.size:
            raise ValueError(f"a batch must have a sample for each of the {self.size} ranks; got {total} samples")
        return share_of(total, self.rank, self.size)

    @contextmanager
    def no_gradient_sync(self) -> Iterator[None]:
        """Keep gradients of backward passes to this rank; see the note on gradients."""
        with self.strategy.block_backward_sync() if isinstance(self.strategy, ParallelStrategy) else nullcontext():
            yield

    @torch.no_grad()
    def sum_gradients_(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace each gradient by its sum over the ranks, bit for bit the same on all ranks.

        Args:
            parameters: the same ones on all ranks; those without a gradient are left out.
        """
        self._sum_([p.grad for p in parameters if p.grad is not None])

    @torch.no_grad()
    def average_statistics_(self, *networks: nn.Module) -> None:
        """Replace the running moments of batch normalisation by their means over the ranks.

        Args:
            networks: those whose batches are split among the ranks.
        """
        if self.size == 1:
            return
        moments = [
            buffer
            for network in networks
            for module in network.modules()
            if isinstance(module, _NORMALIZATIONS) and module.training
            for buffer in (module.running_mean, module.running_var)
            if buffer is not None
        ]
        self._sum_(moments)
        for moment in moments:
            moment.div_(self.size)

    def sum(self, value: Tensor) -> Tensor:
        """Return the sum of a scalar over the ranks."""
        if self.size == 1:
            return value
        value = value.detach().clone()
        with lost_ranks_named():
            dist.all_reduce(value)
        return value

    def any(self, flag: bool) -> bool:
        """Return whether the flag is true on any rank."""
        if self.size == 1:
            return flag
        # Over the default group, for gloo is slow with small messages.
        flags = torch.tensor([float(flag)], device=self.strategy.root_device)
        with lost_ranks_named():
            dist.all_reduce(flags, op=dist.ReduceOp.MAX)
        return bool(flags.item())

    def gather(self, rows: Tensor) -> Tensor | None:
        """Return the rows of all ranks, in their order, on the CPU of rank 0; None on other ranks.

        Args:
            rows: shape (n, ...), with n possibly different on each rank.
        """
        if self.size == 1:
            return rows.cpu()
        rows = rows.detach().cpu().contiguous()
        sizes = self.all_gather(len(rows))
        parts = [rows.new_empty(size, *rows.shape[1:]) for size in sizes]
        with lost_ranks_named():
            if self.is_rank_zero:
                parts[0] = rows
                for rank in range(1, self.size):
                    dist.recv(parts[rank], group_src=rank, group=self._group)
                return torch.cat(parts)
            dist.send(rows, group_dst=0, group=self._group)
        return None

    def all_gather(self, value: T) -> list[T]:
        """Return the values of all ranks, in their order.

        Args:
            value: plain data, which is pickled.
        """
        if self.size == 1:
            return [value]
        found: list[Any] = [None] * self.size
        with lost_ranks_named():
            dist.all_gather_object(found, value, group=self._group)
        return found

    def on_all(self, function: Callable[[], T]) -> T:
        """Call a function on every rank, and raise on all ranks if it raises on one.

        Args:
            function: sends no messages.

        Returns:
            This rank's result.

        Raises:
            OtherRankError: on the ranks where the function itself did not raise.
        """
        if self.size == 1:
            return function()
        result, error = _attempt(function)
        messages = self.all_gather(None if error is None else str(error))
        if error is not None:
            raise error
        for rank, message in enumerate(messages):
            if message is not None:
                raise OtherRankError(f"rank {rank}: {message}")
        return cast(T, result)

    def on_rank_zero(self, function: Callable[[], T]) -> T:
        """Call a function on rank 0 and broadcast its result; the other ranks wait for it.

        Args:
            function: takes less time than ``timeout``; its result is plain data, which is pickled.

        Raises:
            OtherRankError: on the other ranks, if it raised on rank 0.
        """
        if self.size == 1:
            return function()
        result, error = _attempt(function) if self.is_rank_zero else (None, None)
        sent: list[Any] = [(result, None if error is None else str(error))]
        with lost_ranks_named():
            dist.broadcast_object_list(sent, group_src=0, group=self._group)
        if error is not None:
            raise error
        result, message = sent[0]
        if message is not None:
            raise OtherRankError(f"rank 0: {message}")
        return cast(T, result)

    def check_same(self, module: nn.Module) -> None:
        """Check that the weights of all ranks are equal, bit for bit.

        Raises:
            RuntimeError: they are not, as on nodes with processors of different kinds.
        """
        if self.size == 1:
            return
        digests = self.all_gather([_digest(parameter) for parameter in module.parameters()])
        for (name, _), *values in zip(module.named_parameters(), *digests, strict=True):
            if len(set(values)) > 1:
                raise RuntimeError(
                    f"the ranks' weights differ, first in {name}: they round differently; use nodes of one kind"
                )

    def _sum_(self, tensors: list[Tensor]) -> None:
        if self.size == 1 or not tensors:
            return
        message = torch.cat([tensor.flatten() for tensor in tensors])
        with lost_ranks_named():
            dist.all_reduce(message)
        for tensor, summed in zip(tensors, message.split([t.numel() for t in tensors]), strict=True):
            tensor.copy_(summed.view_as(tensor))


def _attempt(function: Callable[[], T]) -> tuple[T | None, Exception | None]:
    try:
        return function(), None
    except Exception as error:
        return None, error


def _digest(parameter: Tensor) -> int:
    """Return the sum of a tensor's bits, read as integers."""
    kind = {2: torch.int16, 4: torch.int32, 8: torch.int64}[parameter.element_size()]
    return int(parameter.detach().contiguous().view(kind).sum(dtype=torch.int64))
