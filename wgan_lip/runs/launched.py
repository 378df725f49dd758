"""What the environment says of the launcher that started a process: its rank, and the name that all ranks know."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# Rank 0 of Lightning's own launcher tells its children here where their run is kept.
HANDED_START = "WGAN_LIP_START"


@dataclass(frozen=True)
class Start:
    """Where a run is kept, and what it goes on from.

    Attributes:
        folder: of the run; None if it is new and named by the time.
        checkpoint: None if it begins at step 0.
        again: the same command, run again, finds this folder again.
    """

    folder: Path | None
    checkpoint: Path | None
    again: bool


def launched_name(environ: Mapping[str, str], agent: str) -> str | None:
    """The name of the run, as all processes know it that torchrun, Slurm or a sweep's agent started together.

    It is the same when Slurm requeues the job or torchrun restarts its workers.

    Args:
        environ: of the process.
        agent: what tells this process's parent from all others of this machine, for torchruns without an id.

    Returns:
        ``sweep-ID-RUN`` of a sweep's agent, ``slurm-JOB``,
        ``slurm-JOB-STEP`` for steps but the first, ``torchrun-ID``; None where neither is at work.

    Raises:
        ValueError: a torchrun without an id on several nodes.
    """
    # An agent of W&B's starts many runs in one job, and one that was preempted again by the same id.
    if "WANDB_SWEEP_ID" in environ and "WANDB_RUN_ID" in environ:
        return _plain(f"sweep-{environ['WANDB_SWEEP_ID']}-{environ['WANDB_RUN_ID']}")
    # As Lightning: torchrun comes first, for it may itself be started by Slurm.
    if (run_id := environ.get("TORCHELASTIC_RUN_ID")) is not None:
        if run_id != "none":
            return _plain(f"torchrun-{run_id}")
        if int(environ.get("GROUP_WORLD_SIZE", 1)) > 1:
            raise ValueError(
                "torchrun on several nodes without --rdzv-id gives its processes no name in common: "
                "pass one by --run NAME"
            )
        return f"torchrun-{agent}"
    if in_slurm(environ):
        step = environ.get("SLURM_STEP_ID", "0")
        return _plain(f"slurm-{environ['SLURM_JOB_ID']}" + (f"-{step}" if step != "0" else ""))
    return None


def _plain(name: str) -> str:
    """A name that is one of a folder: what a server or a scheduler calls a run does not lead out of its parent."""
    return re.sub("[^A-Za-z0-9._-]", "_", name)


def is_drawn(environ: Mapping[str, str]) -> bool:
    """Whether the name is of this torchrun alone, which draws an id where it is given none or has none.

    Args:
        environ: of the process.
    """
    run_id = environ.get("TORCHELASTIC_RUN_ID")
    uuid = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    return run_id is not None and (run_id == "none" or re.fullmatch(uuid, run_id) is not None)


def in_slurm(environ: Mapping[str, str]) -> bool:
    """Whether this process is of a Slurm job, as Lightning sees it: not in a shell that was asked for there.

    Args:
        environ: of the process.
    """
    named = environ.get("SLURM_JOB_NAME") not in ("bash", "interactive")
    return named and "SLURM_NTASKS" in environ and "SLURM_JOB_ID" in environ


def is_first(environ: Mapping[str, str], rank: int) -> bool:
    """Whether this process is the first of its run, of all nodes.

    Args:
        environ: of the process.
        rank: as Lightning takes it from the environment, which before there is a trainer does not count the nodes
            that a user started one by one.
    """
    return rank == 0 and int(environ.get("NODE_RANK", 0)) == 0


def agent_of(pid: int) -> str:
    """What tells a process from all others that this machine has run: its id and when it began.

    Args:
        pid: its id, which alone would not do, for in containers they are all alike.
    """
    try:
        # The name, in parentheses, may itself hold spaces; the 22nd field is the start, in ticks since the boot.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return f"{pid}-{fields[19]}"
    except (OSError, IndexError):
        return str(pid)


def hand_start(start: Start, folder: Path) -> None:
    """Tell processes that this one will start where their run is kept, and what it goes on from.

    Args:
        start: as this process found it.
        folder: of the run.
    """
    checkpoint = str(start.checkpoint) if start.checkpoint else None
    os.environ[HANDED_START] = json.dumps({"folder": str(folder), "checkpoint": checkpoint, "again": start.again})


def handed_start(environ: Mapping[str, str]) -> Start | None:
    """What the process that started this one told it, if Lightning's launcher did.

    Args:
        environ: of the process.
    """
    if HANDED_START not in environ or int(environ.get("LOCAL_RANK", 0)) == 0:
        return None
    told = json.loads(environ[HANDED_START])
    checkpoint = Path(told["checkpoint"]) if told["checkpoint"] else None
    return Start(Path(told["folder"]), checkpoint, told["again"])
