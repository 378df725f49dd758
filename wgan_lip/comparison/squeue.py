"""What Slurm says of jobs, without its accounting, which not every cluster has."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

_ENDED = {
    "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED", "REVOKED",
    "TIMEOUT", "UNKNOWN",
}  # fmt: skip
# Array or job, index in the array, state, reason, comment.
_FORMAT = "%F|%K|%T|%r|%k"


@dataclass(frozen=True)
class Seen:
    """A job in Slurm's queue, or one that has ended some minutes ago.

    Attributes:
        state: in Slurm's words.
        reason: why it is in this state; "None" if there is none.
        comment: what was given at its submission.
    """

    state: str
    reason: str
    comment: str

    @property
    def is_alive(self) -> bool:
        """Whether it waits, runs, or is ended but not yet gone from its node."""
        return self.state not in _ENDED

    def __str__(self) -> str:
        return self.state if self.reason in ("", "None") else f"{self.state}, {self.reason}"


# A job of which Slurm knows nothing any more.
FORGOTTEN = Seen("UNKNOWN", "None", "")


def read_queue(name: str) -> dict[str, Seen]:
    """This user's jobs of a name, by ``JOB`` or ``ARRAY_INDEX``.

    Args:
        name: of the jobs.

    Raises:
        OSError: squeue fails, or does not answer.
    """
    return parse_queue(_ask(f"--name={name}"))


def read_jobs(jobs: Sequence[str]) -> dict[str, Seen]:
    """Those of some jobs, and of others of their arrays, that Slurm still knows, by ``JOB`` or ``ARRAY_INDEX``.

    Args:
        jobs: ids, ``JOB`` or ``ARRAY_INDEX``.

    Raises:
        OSError: squeue fails, or does not answer.
    """
    ids = ",".join(sorted({job.partition("_")[0] for job in jobs}))
    try:
        return parse_queue(_ask(f"--jobs={ids}"))
    except OSError as error:
        # It says so of a single job that it has forgotten.
        if "Invalid job id" in str(error):
            return {}
        raise


def _ask(which: str) -> str:
    command = ["squeue", "--me", "--array", "--noheader", "--states=all", which, f"--format={_FORMAT}"]
    try:
        done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", timeout=60)  # noqa: S603
    except subprocess.TimeoutExpired:
        raise OSError("squeue has not answered for 60 seconds") from None
    if done.returncode != 0:
        raise OSError(f"squeue failed: {' '.join(done.stderr.split())}")
    return done.stdout


def parse_queue(text: str) -> dict[str, Seen]:
    """squeue's lines as jobs.

    Args:
        text: a line for each job.

    Raises:
        OSError: a line that is none of squeue's.
    """
    queue = {}
    for line in text.splitlines():
        fields = line.split("|", 4)
        if len(fields) != 5:
            raise OSError(f"squeue must print lines {_FORMAT}; got {line!r}")
        job, index, state, reason, comment = fields
        queue[f"{job}_{index}" if index.isdecimal() else job] = Seen(state, reason, comment)
    return queue
