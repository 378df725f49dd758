"""Waiting for jobs of Slurm."""

import subprocess
import time
from collections.abc import Callable, Sequence

_ENDED = {
    "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED", "REVOKED",
    "TIMEOUT",
}  # fmt: skip
# Of squeue, one after the other: a busy controller is not a reason to give up.
_TRIES = 10


def wait_for_jobs(jobs: Sequence[str], say: Callable[[str, str], None], every: float = 5.0) -> dict[str, str]:
    """Wait until all jobs have ended; a requeued one has not.

    Args:
        jobs: their ids, ``JOB`` or ``JOB_INDEX``.
        say: is told each job and its state, whenever that changes.
        every: seconds between questions.

    Returns:
        The state in which each job ended; ``UNKNOWN`` if Slurm forgot the job before it said.

    Raises:
        OSError: Slurm does not answer.
    """
    states = dict.fromkeys(jobs, "")
    while True:
        open_jobs = [job for job in jobs if states[job] not in _ENDED | {"UNKNOWN"}]
        if not open_jobs:
            return states
        now = _states(open_jobs)
        for job in open_jobs:
            state = now.get(job, "UNKNOWN")
            if state != states[job]:
                states[job] = state
                say(job, state)
        time.sleep(every)


def _states(jobs: Sequence[str]) -> dict[str, str]:
    """Those that Slurm still knows, which it does for some minutes after their end."""
    ids = ",".join(sorted({job.partition("_")[0] for job in jobs}))
    command = ["squeue", "--noheader", "--array", "--states=all", f"--jobs={ids}", "--format=%i %T"]
    said = ""
    for _ in range(_TRIES):
        done = subprocess.run(command, capture_output=True, text=True)  # noqa: S603
        if done.returncode == 0:
            return dict(line.split()[:2] for line in done.stdout.splitlines() if line.strip())
        said = " ".join(done.stderr.split())
        if "Invalid job id" in said:
            return {}
        time.sleep(5)
    raise OSError(f"squeue: {said}")
