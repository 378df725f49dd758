"""Tasks in processes of their own, and their memory."""

import multiprocessing
import re
import resource
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from scripts.transport_bench.cases import Points


def peak_memory() -> int:
    """Return the largest number of bytes that this process had in memory; Linux counts to a few hundred pages."""
    # ru_maxrss starts at the value of the parent process, so VmHWM is used where there is one.
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s*(\d+) kB", status.read_text(encoding="utf-8")) if status.is_file() else None
    if found:
        return 1024 * int(found[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def reset_peak() -> int:
    """Reset the peak, where Linux allows it, and return it."""
    clear = Path("/proc/self/clear_refs")
    if clear.exists():
        clear.write_text("5", encoding="utf-8")
    return peak_memory()


def save(folder: Path, points: Points) -> None:
    """Write samples for another process."""
    for name, array in zip("xy", points, strict=True):
        np.save(folder / f"{name}.npy", array)


def load(folder: Path) -> Points:
    """Read samples that another process has written."""
    return np.load(folder / "x.npy", allow_pickle=False), np.load(folder / "y.npy", allow_pickle=False)


def in_process(task: Callable[..., dict[str, Any]], *arguments: Any) -> tuple[dict[str, Any] | None, int]:
    """Run a task in a new process; return its result, None if it ended without one, and the exit code."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(sender, task, *arguments), daemon=True)
    process.start()
    sender.close()
    try:
        result = receiver.recv()
    except EOFError:
        result = None
    process.join()
    return result, process.exitcode


def _send(sender: Connection, task: Callable[..., dict[str, Any]], *arguments: Any) -> None:
    sender.send(task(*arguments))
