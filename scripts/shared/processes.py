"""What processes that a script starts need to know."""

import os
from pathlib import Path

ROOT = Path(__file__).parents[2]


def environment(threads: int) -> dict[str, str]:
    """Of a process that uses this working copy and speaks to others on this machine only.

    Args:
        threads: of each process.
    """
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": str(threads),
        "GLOO_SOCKET_IFNAME": "lo",
    }
