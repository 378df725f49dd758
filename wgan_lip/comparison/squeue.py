"""States of Slurm's jobs as squeue prints them: submitit asks Slurm's accounting, which not every cluster has."""

import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_ENDED = {
    "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED", "REVOKED",
    "TIMEOUT", "UNKNOWN",
}  # fmt: skip
# Job or array, index in the array, state, reason.
_FORMAT = "%F|%K|%T|%r"
# Seconds after which a controller that does not answer is given up.
PATIENCE = 900.0


@dataclass(frozen=True)
class JobState:
    """The state of a job that is in Slurm's queue, or ended some minutes ago.

    Attributes:
        name: as Slurm calls it, such as RUNNING.
        reason: why it is in this state; "None" if there is none.
    """

    name: str
    reason: str = "None"

    @property
    def has_ended(self) -> bool:
        """True if the job neither waits nor runs, and is gone from its nodes."""
        return self.name in _ENDED

    def __str__(self) -> str:
        return self.name if self.reason in ("", "None") else f"{self.name}, {self.reason}"


UNKNOWN = JobState("UNKNOWN", "squeue no longer lists it")


def job_states(selection: str, patience: float = 0.0, every: float = 5.0) -> dict[str, JobState]:
    """Return the states of this user's jobs that Slurm still knows, by id, ``JOB`` or ``ARRAY_INDEX``.

    Args:
        selection: squeue's option that selects them, such as ``--name=NAME`` or ``--jobs=IDS``.
        patience: seconds for which squeue is asked again if it fails.
        every: seconds between two tries.

    Raises:
        OSError: squeue fails, or does not answer.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            return _parse(_squeue(selection))
        except OSError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(every)


def wait_for_jobs(jobs: Sequence[str], report: Callable[[str, JobState], None], every: float = 5.0) -> bool:
    """Wait until all jobs have ended; a requeued one has not. Returns whether all of them were completed.

    Args:
        jobs: their ids, ``JOB`` or ``ARRAY_INDEX``.
        report: called with a job and its state whenever that changes.
        every: seconds between two looks at the queue.

    Raises:
        OSError: squeue has failed for a quarter of an hour.
    """
    known: dict[str, JobState] = {}
    while waiting := [job for job in jobs if job not in known or not known[job].has_ended]:
        if known:
            time.sleep(every)
        ids = ",".join(sorted({job.partition("_")[0] for job in waiting}))
        states = job_states(f"--jobs={ids}", PATIENCE, every)
        for job in waiting:
            before, known[job] = known.get(job), states.get(job, UNKNOWN)
            if before is None or before.name != known[job].name:
                report(job, known[job])
    return all(state.name == "COMPLETED" for state in known.values())


def _squeue(selection: str) -> str:
    command = ["squeue", "--me", "--array", "--noheader", "--states=all", selection, f"--format={_FORMAT}"]
    try:
        done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", timeout=60)  # noqa: S603
    except subprocess.TimeoutExpired:
        raise OSError("squeue has not answered for 60 seconds") from None
    if done.returncode != 0 and "Invalid job id" not in done.stderr:
        raise OSError(f"squeue failed: {' '.join(done.stderr.split())}")
    # It fails for a single job that Slurm has forgotten, and prints nothing.
    return done.stdout


def _parse(text: str) -> dict[str, JobState]:
    states = {}
    for line in text.splitlines():
        fields = line.split("|", 3)
        if len(fields) != 4:
            raise OSError(f"squeue must print lines of the format {_FORMAT}; got {line!r}")
        job, index, name, reason = fields
        states[f"{job}_{index}" if index.isdecimal() else job] = JobState(name, reason)
    return states
