"""What a job asks of Slurm, in submitit's words."""

import re
from dataclasses import dataclass
from typing import Any

# In srun's environment, for srun no longer takes it from sbatch's.
_SETUP = ('export OMP_NUM_THREADS="${SLURM_CPUS_PER_TASK:-1}"', 'export SRUN_CPUS_PER_TASK="${SLURM_CPUS_PER_TASK:-1}"')


@dataclass(frozen=True, kw_only=True)
class Resources:
    """A job's nodes and what it wants of each.

    Args:
        minutes: until Slurm ends the job.
        nodes: how many.
        gpus: of each node.
        tasks_per_node: processes on each node; one for each GPU, or one, if None.
        cpus: for each process.
        mem: of each node, such as ``16G``; the partition's default if None.
        partition: the cluster's default if None.
        account: the user's default if None.
        constraint: features that the nodes must have.
        signal_delay: seconds before the end at which Slurm has the training save and go on in another job.
        setup: lines of shell before the processes are started.

    Raises:
        ValueError: a number that is too small, tasks that are not one for each GPU, or a time shorter than the delay.
    """

    minutes: int
    nodes: int = 1
    gpus: int = 0
    tasks_per_node: int | None = None
    cpus: int = 1
    mem: str | None = None
    partition: str | None = None
    account: str | None = None
    constraint: str | None = None
    signal_delay: int = 120
    setup: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        least = {"nodes": 1, "gpus": 0, "tasks_per_node": 1, "cpus": 1, "signal_delay": 1}
        for name, bound in least.items():
            value = getattr(self, name)
            if value is not None and value < bound:
                option = name.replace("_", "-")
                raise ValueError(f"--{option} must be at least {bound}; got --{option} {value}")
        if self.gpus and self.tasks_per_node not in (None, self.gpus):
            raise ValueError(
                f"each GPU has a process of its own; got --gpus {self.gpus} --tasks-per-node {self.tasks_per_node}: "
                "leave the latter out"
            )
        if self.minutes * 60 <= self.signal_delay:
            raise ValueError(
                f"--time must be longer than --signal-delay, {self.signal_delay} seconds; got {self.minutes} minutes"
            )

    @property
    def devices(self) -> int:
        """Processes on each node."""
        return self.tasks_per_node or max(1, self.gpus)

    def parameters(self, name: str) -> dict[str, Any]:
        """For submitit's executor.

        Args:
            name: of the job.
        """
        wanted = {
            "job_name": name,
            "time": self.minutes,
            "nodes": self.nodes,
            "ntasks_per_node": self.devices,
            "cpus_per_task": self.cpus,
            "gpus_per_node": self.gpus or None,
            "mem": self.mem,
            "partition": self.partition,
            "account": self.account,
            "constraint": self.constraint,
            "signal_delay_s": self.signal_delay,
            "stderr_to_stdout": True,
            "setup": [*_SETUP, *self.setup],
            # The others would wait for one that was killed until the time is up.
            "srun_args": ["--kill-on-bad-exit=1"],
            "additional_parameters": {"requeue": True},
        }
        return {key: value for key, value in wanted.items() if value is not None}


def minutes(time: str) -> int:
    """A time as Slurm writes it, rounded up to minutes.

    Args:
        time: ``MINUTES``, ``MINUTES:SECONDS``, ``HOURS:MINUTES:SECONDS``, ``DAYS-HOURS``, ``DAYS-HOURS:MINUTES`` or
            ``DAYS-HOURS:MINUTES:SECONDS``.

    Raises:
        ValueError: anything else.
    """
    match = re.fullmatch(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?", time)
    if match is None:
        raise ValueError(f"--time must be minutes, HOURS:MINUTES:SECONDS or DAYS-HOURS:MINUTES:SECONDS; got {time!r}")
    days = int(match[1] or 0)
    given = [int(part) for part in match.groups()[1:] if part is not None]
    if match[1] is not None:
        hours, mins, seconds = given + [0] * (3 - len(given))
    elif len(given) == 3:
        hours, mins, seconds = given
    else:
        hours, (mins, seconds) = 0, given + [0] * (2 - len(given))
    return (days * 24 + hours) * 60 + mins + (seconds > 0) * -(-seconds // 60)
