"""Cells in processes of this machine, one at a time in each."""

import multiprocessing
import signal
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import cast

from wgan_lip.comparison.cell import Cell
from wgan_lip.comparison.run import Failure, Task
from wgan_lip.comparison.store import Outcome


class Processes:
    """A launcher that runs cells in processes of this machine, one at a time in each.

    A process that dies costs its own cell only. Closing the iterator, as Ctrl-C does, ends all processes at once.

    Args:
        jobs: the number of processes; 1 is this process itself.

    Raises:
        ValueError: ``jobs < 1``.
    """

    if_interrupted = "the same command goes on with them"

    def __init__(self, jobs: int = 1) -> None:
        if jobs < 1:
            raise ValueError(f"jobs must be at least 1; got jobs={jobs}")
        self._jobs = jobs

    def __call__(self, task: Task, cells: Sequence[Cell]) -> Iterator[Outcome | Failure]:
        if self._jobs == 1 or len(cells) < 2:
            yield from map(task, cells)
            return
        waiting = deque(cells)
        busy: dict[Connection, _Worker] = {}
        try:
            while waiting or busy:
                while waiting and len(busy) < self._jobs:
                    worker = _Worker(task, waiting.popleft())
                    busy[worker.connection] = worker
                for connection in cast(list[Connection], wait(list(busy))):
                    worker = busy[connection]
                    result = worker.receive()
                    if waiting and worker.is_alive:
                        worker.send(waiting.popleft())
                    else:
                        busy.pop(connection).end()
                    yield result
        finally:
            for worker in busy.values():
                worker.end()


class _Worker:
    """A process and the cell that it runs."""

    def __init__(self, task: Task, cell: Cell) -> None:
        # Forked, it would inherit PyTorch's threads in an unknown state.
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, task), daemon=True)
        is_main = threading.current_thread() is threading.main_thread()
        # A terminal sends Ctrl-C to all; only this process may act on it. A child inherits that a signal is ignored.
        handler = signal.signal(signal.SIGINT, signal.SIG_IGN) if is_main else None
        try:
            self._process.start()
        finally:
            if is_main:
                signal.signal(signal.SIGINT, handler)
        # Its death closes the pipe only if no other process holds that end.
        theirs.close()
        self.is_alive = True
        self.send(cell)

    def send(self, cell: Cell) -> None:
        self._cell = cell
        # If it is dead, that is noticed when its result is received.
        with suppress(BrokenPipeError):
            self.connection.send(cell)

    def receive(self) -> Outcome | Failure:
        try:
            return cast(Outcome | Failure, self.connection.recv())
        except (EOFError, ConnectionResetError):
            self.is_alive = False
            self._process.join()
            # Such as one that the system killed for its memory.
            return Failure.of(self._cell, ChildProcessError(f"the process died, exit code {self._process.exitcode}"))

    def end(self) -> None:
        # Nothing in it is worth keeping: what is finished has been sent.
        self._process.kill()
        self._process.join()
        self.connection.close()


def _serve(connection: Connection, task: Task) -> None:
    # The other end is closed, or its process is dead: no more results are needed.
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            connection.send(task(connection.recv()))
