"""Another process that holds the lock of a folder, whatever its file says of it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_HOLD = """
import fcntl, os, sys
file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.lockf(file, fcntl.LOCK_EX)
os.ftruncate(file, 0)
os.write(file, sys.argv[2].encode())
print("held", flush=True)
sys.stdin.read()
"""
ELSEWHERE = {"host": "node7", "pid": 4711, "process": "4711-99", "since": "2026-11-28 10:00:00", "job": None}


def content(**changed: Any) -> str:
    """What such a file says."""
    return json.dumps({**ELSEWHERE, "restarts": 0, **changed})


@contextmanager
def holding(folder: Path, said: str) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lock of a folder."""
    command = [sys.executable, "-c", _HOLD, str(folder / "lock"), said]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()
