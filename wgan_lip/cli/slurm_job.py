"""What Slurm runs and with which resources, for submitit; it imports little, so that submitit soon handles signals."""

import argparse
import math
import re
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from submitit import SlurmExecutor
    from submitit.helpers import DelayedSubmission

# In srun's environment, for srun no longer takes it from sbatch's.
_SETUP = ('export OMP_NUM_THREADS="${SLURM_CPUS_PER_TASK:-1}"', 'export SRUN_CPUS_PER_TASK="${SLURM_CPUS_PER_TASK:-1}"')


@dataclass(frozen=True, kw_only=True)
class Resources:
    """The nodes of a job, and what is requested of each.

    Args:
        time: Minutes after which Slurm ends the job.
        nodes: Number of nodes.
        gpus: GPUs of each node.
        tasks_per_node: Processes on each node; one for each GPU, or one, by default.
        cpus: Cores for each process.
        mem: Memory of each node, such as 4G; the cluster's default if not given.
        partition: Where the job runs; the cluster's default if not given.
        account: Account that is charged; the user's default if not given.
        constraint: Features that the nodes must have.
        signal_delay: Seconds before the end at which Slurm has the job save what it needs and go on in another one.
        setup: Lines of shell before the processes are started, such as ['module load python'].

    Raises:
        ValueError: a number that is too small, tasks that are not one for each GPU, or a time shorter than the delay.
    """

    time: int = 60
    nodes: int = 1
    gpus: int = 0
    tasks_per_node: int | None = None
    cpus: int = 1
    mem: str | None = None
    partition: str | None = None
    account: str | None = None
    constraint: str | None = None
    signal_delay: int = 120
    setup: Sequence[str] = ()

    def __post_init__(self) -> None:
        for name, least in {"nodes": 1, "gpus": 0, "tasks_per_node": 1, "cpus": 1, "signal_delay": 1}.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"{name} must be at least {least}; got {name}={value}")
        if self.gpus and self.tasks_per_node not in (None, self.gpus):
            raise ValueError(
                f"tasks_per_node must be left out if there are GPUs, each of which has one process; got "
                f"gpus={self.gpus}, tasks_per_node={self.tasks_per_node}"
            )
        if self.time * 60 <= self.signal_delay:
            raise ValueError(
                f"time must be longer than signal_delay, which is {self.signal_delay} seconds; got {self.time} minutes"
            )

    @property
    def devices(self) -> int:
        """Processes on each node."""
        return self.tasks_per_node or max(1, self.gpus)

    def parameters(self, name: str, array_parallelism: int) -> dict[str, Any]:
        """Return the parameters of submitit's executor.

        Args:
            name: of the job.
            array_parallelism: how many jobs of an array run at once.
        """
        parameters = {
            "job_name": name,
            "time": self.time,
            "nodes": self.nodes,
            "ntasks_per_node": self.devices,
            "cpus_per_task": self.cpus,
            "gpus_per_node": self.gpus or None,
            "mem": self.mem,
            "partition": self.partition,
            "account": self.account,
            "constraint": self.constraint,
            "signal_delay_s": self.signal_delay,
            "array_parallelism": array_parallelism,
            "stderr_to_stdout": True,
            "setup": [*_SETUP, *self.setup],
            # The others would wait for one that was killed until the time is up.
            "srun_args": ["--kill-on-bad-exit=1"],
            "additional_parameters": {"requeue": True},
        }
        return {key: value for key, value in parameters.items() if value is not None}


def minutes(time: str) -> int:
    """Return a time as Slurm writes it in minutes, rounded up.

    Args:
        time: ``MINUTES``, ``MINUTES:SECONDS``, ``HOURS:MINUTES:SECONDS``, ``DAYS-HOURS``, ``DAYS-HOURS:MINUTES`` or
            ``DAYS-HOURS:MINUTES:SECONDS``.

    Raises:
        ArgumentTypeError: anything else.
    """
    match = re.fullmatch(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?", time)
    if match is None:
        raise argparse.ArgumentTypeError(
            f"must be minutes, HOURS:MINUTES:SECONDS or DAYS-HOURS:MINUTES:SECONDS; got {time!r}"
        )
    days, *given = match.groups()
    numbers = [int(part) for part in given if part is not None]
    # Without days, one or two numbers begin with the minutes.
    if days is None and len(numbers) < 3:
        numbers.insert(0, 0)
    hours, mins, seconds = numbers + [0] * (3 - len(numbers))
    return (int(days or 0) * 24 + hours) * 60 + mins + math.ceil(seconds / 60)


@dataclass(frozen=True)
class FitJob:
    """``wgan-lip fit``, run each time that Slurm starts the job.

    Args:
        arguments: of ``fit``.
    """

    arguments: tuple[str, ...]

    @property
    def command(self) -> str:
        """The same as a line of shell."""
        return shlex.join(["wgan-lip", "fit", *self.arguments])

    def __call__(self) -> None:
        from wgan_lip.cli import main

        # As if it were from a shell: Lightning and W&B look there for what was run.
        sys.argv = ["wgan-lip", "fit", *self.arguments]
        main()

    def checkpoint(self) -> "DelayedSubmission":
        """Return what submitit runs after its signal: the same, for outside of the training nothing is to be saved."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


def check_submitit(user: str) -> None:
    """Raise ValueError if submitit is not installed.

    Args:
        user: what requires it.
    """
    if find_spec("submitit") is None:
        raise ValueError(f"{user} requires submitit, which is not installed: pip install 'wgan-lip[cluster]'")


def make_executor(user: str, parameters: Mapping[str, Any], folder: Path, max_timeouts: int) -> "SlurmExecutor":
    """Return submitit's executor for jobs of Slurm.

    Args:
        user: what requires it.
        parameters: of the jobs.
        folder: of their files.
        max_timeouts: how often a job that runs out of time is requeued.

    Raises:
        ValueError: submitit or Slurm is not installed.
    """
    check_submitit(user)
    for program in ("sbatch", "squeue", "srun"):
        if shutil.which(program) is None:
            raise ValueError(f"{user} requires Slurm, whose program {program} is not found")
    from submitit import SlurmExecutor

    executor = SlurmExecutor(folder, max_num_timeout=max_timeouts)
    executor.update_parameters(**parameters)
    return executor


def sbatch_script(parameters: Mapping[str, Any], folder: Path, jobs: int) -> str:
    """Return the script that submitit would submit, also where there is no Slurm.

    Args:
        parameters: of submitit's executor.
        folder: of the jobs' files.
        jobs: how many there are; several are an array.
    """
    # submitit has no public function for it, and its executor requires srun; tests/cli/test_submit.py compares the two.
    from submitit.slurm.slurm import _make_sbatch_string

    command = f"{shlex.quote(sys.executable)} -u -m submitit.core._submit {shlex.quote(str(folder))}"
    return _make_sbatch_string(command, folder, map_count=jobs if jobs > 1 else None, **parameters)
