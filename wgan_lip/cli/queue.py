"""Waiting for jobs of Slurm."""

import time
from collections.abc import Callable, Mapping, Sequence

from wgan_lip.comparison.squeue import FORGOTTEN, Seen, read_jobs

# A busy controller is not a reason to give up.
_TRIES = 10


def wait_for_jobs(jobs: Sequence[str], say: Callable[[str, Seen], None], every: float = 5.0) -> dict[str, Seen]:
    """Wait until all jobs have ended; a requeued one has not.

    Args:
        jobs: their ids, ``JOB`` or ``JOB_INDEX``.
        say: is told each job and what Slurm says of it, whenever its state changes.
        every: seconds between questions.

    Returns:
        Each job as it ended; its state is ``UNKNOWN`` if Slurm forgot the job before it said.

    Raises:
        OSError: Slurm does not answer.
    """
    known: dict[str, Seen] = {}
    while True:
        waited_for = [job for job in jobs if job not in known or known[job].is_alive]
        if not waited_for:
            return known
        now = _look(waited_for, every)
        for job in waited_for:
            before, seen = known.get(job), now.get(job, FORGOTTEN)
            known[job] = seen
            if before is None or before.state != seen.state:
                say(job, seen)
        time.sleep(every)


def _look(jobs: Sequence[str], every: float) -> Mapping[str, Seen]:
    for _ in range(_TRIES - 1):
        try:
            return read_jobs(jobs)
        except OSError:
            time.sleep(every)
    return read_jobs(jobs)
