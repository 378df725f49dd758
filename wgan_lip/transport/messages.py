"""What the processes of a team say to each other: numbers in float64, which holds indices up to 2^53."""

from collections.abc import Callable
from typing import cast

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from wgan_lip.transport.pricing import Transform
from wgan_lip.transport.progress import BudgetSpentError
from wgan_lip.transport.samples import FloatArray

# A command is its name and at most five numbers.
_WORDS = 6
# Kinds of answers.
_FAILED, _PRICED, _SPENT = range(3)


class ServerError(RuntimeError):
    """A process that served could not do its part."""


class Messages:
    """Commands and arrays from the first process of a group to the others, and the others' answers.

    Args:
        group: of ``torch.distributed``, for tensors on the CPU (gloo); None is the default group.

    Raises:
        ValueError: a group that sends tensors of GPUs only.
    """

    def __init__(self, group: dist.ProcessGroup | None) -> None:
        if dist.get_backend(group) == dist.Backend.NCCL:
            raise ValueError("group must send tensors of the CPU; got one of nccl: use new_group(backend='gloo')")
        self._group = group
        self.rank, self.size = dist.get_rank(group), dist.get_world_size(group)

    def tell(self, *numbers: float) -> None:
        """Give the others a command, at most six numbers; the first does."""
        message = torch.zeros(_WORDS, dtype=torch.float64)
        message[: len(numbers)] = torch.tensor(numbers, dtype=torch.float64)
        dist.broadcast(message, group_src=0, group=self._group)

    def hear(self) -> list[float]:
        """Wait for a command, six numbers; the others do."""
        message = torch.empty(_WORDS, dtype=torch.float64)
        dist.broadcast(message, group_src=0, group=self._group)
        return cast(list[float], message.tolist())

    def spread(self, array: FloatArray | None, shape: tuple[int, ...]) -> FloatArray:
        """An array of the first process's, on all; the others have None, and know its shape."""
        message = torch.empty(shape, dtype=torch.float64) if array is None else torch.tensor(array)
        dist.broadcast(message, group_src=0, group=self._group)
        return cast(FloatArray, message.numpy())

    def answer(self, function: Callable[[], Transform]) -> None:
        """Send the first process what a function returns, or what went wrong in it."""
        try:
            answer, status = _packed(function()), _PRICED
        except BudgetSpentError:
            answer, status = torch.empty(0, 0, dtype=torch.float64), _SPENT
        except Exception as error:
            text = f"{type(error).__name__}: {error}".encode()
            answer, status = torch.tensor(list(text), dtype=torch.float64)[:, None], _FAILED
        shape = torch.tensor([status, *answer.shape], dtype=torch.float64)
        dist.send(shape, group_dst=0, group=self._group)
        if answer.numel():
            dist.send(answer, group_dst=0, group=self._group)

    def collected(self, own: Callable[[], Transform]) -> Transform:
        """The rows of all processes, in their order; the first process computes its own meanwhile.

        Raises:
            BudgetSpentError: another process's time is over.
            ServerError: another process could not do its part.
        """
        error: BaseException | None = None
        parts: list[Tensor] = []
        try:
            parts.append(_packed(own()))
        except BaseException as raised:
            # The others' answers are heard nevertheless, so that they hear what comes next.
            error = raised
        answers = [self._answer_of(rank) for rank in range(1, self.size)]
        if error is not None:
            raise error
        for rank, answer in enumerate(answers, 1):
            if isinstance(answer, str):
                raise ServerError(f"rank {rank} could not price its arcs: {answer}")
            if answer is None:
                raise BudgetSpentError
            parts.append(answer)
        return _unpacked(torch.cat(parts))

    def _answer_of(self, rank: int) -> Tensor | str | None:
        """A process's rows, what went wrong there, or nothing where its time was spent."""
        shape = torch.empty(3, dtype=torch.float64)
        dist.recv(shape, group_src=rank, group=self._group)
        status, rows, columns = map(int, shape.tolist())
        answer = torch.empty(rows, columns, dtype=torch.float64)
        if answer.numel():
            dist.recv(answer, group_src=rank, group=self._group)
        if status == _SPENT:
            return None
        return answer if status == _PRICED else bytes(int(c) for c in answer[:, 0].tolist()).decode()


def _packed(priced: Transform) -> Tensor:
    return torch.from_numpy(np.column_stack((priced.potential, priced.attained, priced.arcs, priced.bounds)))


def _unpacked(rows: Tensor) -> Transform:
    table = rows.numpy()
    k = (table.shape[1] - 2) // 2
    return Transform(
        potential=np.ascontiguousarray(table[:, 0]),
        arcs=table[:, 2 : 2 + k].astype(np.int64),
        bounds=np.ascontiguousarray(table[:, 2 + k :]),
        attained=table[:, 1].astype(np.bool_),
    )
