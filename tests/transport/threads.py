"""The processes of a group as threads of one process, so that a test of what they say takes no time to start them."""

import queue
import threading
from collections.abc import Callable, Sequence

import pytest
import torch.distributed as dist
from torch import Tensor

# Seconds after which a thread that hears nothing gives up.
_PATIENCE = 5


class Group:
    """Stands in for ``torch.distributed`` while ``run`` lasts.

    Args:
        monkeypatch: of the test.
        size: number of processes.
        name: what stands for the group in all calls; None is the default group.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, size: int, name: str | None = None) -> None:
        self.size, self._name = size, name
        self._here = threading.local()
        self._boxes = {(a, b): queue.Queue() for a in range(size) for b in range(size)}
        monkeypatch.setattr(dist, "get_backend", lambda group: "gloo" if group == name else "nccl")
        monkeypatch.setattr(dist, "get_rank", lambda group: self._here.rank if group == name else -1)
        monkeypatch.setattr(dist, "get_world_size", lambda group: size if group == name else -1)
        monkeypatch.setattr(dist, "broadcast", self._broadcast)
        monkeypatch.setattr(dist, "send", lambda tensor, *, group_dst, group: self._put(tensor, group_dst, group))
        monkeypatch.setattr(dist, "recv", lambda tensor, *, group_src, group: self._take(tensor, group_src, group))

    def run(self, *functions: Callable[[], object]) -> list[object]:
        """What each process returns, or the error that it ends with; no message may be left over."""
        found: list[object] = [None] * self.size

        def process(rank: int) -> None:
            self._here.rank = rank
            try:
                found[rank] = functions[rank]()
            except BaseException as error:
                found[rank] = error

        threads = [threading.Thread(target=process, args=(rank,)) for rank in range(self.size)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(box.empty() for box in self._boxes.values())
        return found

    def _broadcast(self, tensor: Tensor, *, group_src: int, group: object) -> None:
        if self._here.rank == group_src:
            for rank in set(range(self.size)) - {group_src}:
                self._put(tensor, rank, group)
        else:
            self._take(tensor, group_src, group)

    def _put(self, tensor: Tensor, rank: int, group: object) -> None:
        assert group == self._name
        self._boxes[self._here.rank, rank].put(tensor.clone())

    def _take(self, tensor: Tensor, rank: int, group: object) -> None:
        assert group == self._name
        sent = self._boxes[rank, self._here.rank].get(timeout=_PATIENCE)
        assert (sent.shape, sent.dtype) == (tensor.shape, tensor.dtype)
        tensor.copy_(sent)


def raised(found: Sequence[object]) -> list[str]:
    """The errors among what processes return, as they print."""
    return [f"{type(one).__name__}: {one}" for one in found if isinstance(one, BaseException)]
