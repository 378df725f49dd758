"""Tasks in several processes, one at a time in each."""

import multiprocessing
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, TypeVar, cast

T = TypeVar("T")
R = TypeVar("R")


class DeadWorkerError(RuntimeError):
    """A process ended before its task did, such as one that the system killed for its memory."""


def run_in_processes(
    function: Callable[[T], R], tasks: Sequence[T], jobs: int
) -> Iterator[tuple[T, R | DeadWorkerError]]:
    """Yield each task with its result, as they end.

    A process that dies costs only its own task. Closing the iterator, as Ctrl-C does, ends all processes at once.

    Args:
        function: of a task; it and its results are pickled. It is to catch its own errors: they end its process.
        tasks: any number.
        jobs: processes, at least 1.
    """
    waiting = deque(tasks)
    busy: dict[Connection, _Worker[T, R]] = {}
    try:
        while waiting or busy:
            while waiting and len(busy) < jobs:
                worker = _Worker(function, waiting.popleft())
                busy[worker.connection] = worker
            for connection in cast(list[Connection], wait(list(busy))):
                worker = busy[connection]
                task, result = worker.task, worker.take()
                if waiting and not isinstance(result, DeadWorkerError):
                    worker.give(waiting.popleft())
                else:
                    busy.pop(connection).end()
                yield task, result
    finally:
        for worker in busy.values():
            worker.end()


class _Worker(Generic[T, R]):
    """One process and the task that it is at."""

    def __init__(self, function: Callable[[T], R], task: T) -> None:
        # Forked, it would inherit PyTorch's threads in an unknown state.
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, function), daemon=True)
        is_main = threading.current_thread() is threading.main_thread()
        # A terminal sends Ctrl-C to all; this process alone is to heed it. What is ignored here is ignored there.
        heeded = signal.signal(signal.SIGINT, signal.SIG_IGN) if is_main else None
        try:
            self._process.start()
        finally:
            if is_main:
                signal.signal(signal.SIGINT, heeded)
        # Its death closes the pipe only if nobody else holds that end.
        theirs.close()
        self.give(task)

    def give(self, task: T) -> None:
        self.task = task
        # Whether it is dead is seen when its result is taken.
        with suppress(BrokenPipeError):
            self.connection.send(task)

    def take(self) -> R | DeadWorkerError:
        try:
            return cast(R, self.connection.recv())
        except (EOFError, ConnectionResetError):
            self._process.join()
            return DeadWorkerError(f"the process died, exit code {self._process.exitcode}")

    def end(self) -> None:
        # Nothing of it is worth keeping: what is finished has been sent.
        self._process.kill()
        self._process.join()
        self.connection.close()


def _serve(connection: Connection, function: Callable[[Any], Any]) -> None:
    # The other end is closed, or its process is dead: nobody wants results any more.
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            connection.send(function(connection.recv()))
