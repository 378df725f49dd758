"""What the environment says of the launcher that started a process: its rank, and the run's name on all ranks."""

import re
from collections.abc import Mapping
from pathlib import Path


def name_from_launcher(environ: Mapping[str, str], parent: str) -> str | None:
    """Return the name that a run has on all processes which torchrun, Slurm or an agent of a sweep started for it.

    It is the same when Slurm requeues the job or torchrun restarts its workers.

    Args:
        environ: of the process.
        parent: ``process_identity`` of this process's parent, for a torchrun without an id.

    Returns:
        ``sweep-ID-RUN`` under an agent of a sweep, ``slurm-JOB`` in a job's first step and ``slurm-JOB-STEP`` in the
        others, ``torchrun-ID`` under torchrun; None under none of these.

    Raises:
        ValueError: a torchrun without an id on several nodes.
    """
    # W&B's agent starts many runs in one job, and starts a preempted one again under the same id.
    if "WANDB_SWEEP_ID" in environ and "WANDB_RUN_ID" in environ:
        return _folder_name(f"sweep-{environ['WANDB_SWEEP_ID']}-{environ['WANDB_RUN_ID']}")
    # torchrun comes before Slurm, as in Lightning, because Slurm may have started it.
    if (run_id := environ.get("TORCHELASTIC_RUN_ID")) is not None:
        if run_id != "none":
            return _folder_name(f"torchrun-{run_id}")
        if int(environ.get("GROUP_WORLD_SIZE", 1)) > 1:
            raise ValueError(
                "torchrun on several nodes without --rdzv-id gives its processes no common name: pass one by --run NAME"
            )
        return f"torchrun-{parent}"
    if in_slurm(environ):
        step = environ.get("SLURM_STEP_ID", "0")
        return _folder_name(f"slurm-{environ['SLURM_JOB_ID']}" + (f"-{step}" if step != "0" else ""))
    return None


def _folder_name(name: str) -> str:
    """A name without separators: an id from a server or a scheduler does not lead out of the folder of runs."""
    return re.sub("[^A-Za-z0-9._-]", "_", name)


def has_random_id(environ: Mapping[str, str]) -> bool:
    """Return whether torchrun has no id or drew one at random, so that its next start has another.

    Args:
        environ: of the process.
    """
    run_id = environ.get("TORCHELASTIC_RUN_ID")
    uuid = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    return run_id is not None and (run_id == "none" or re.fullmatch(uuid, run_id) is not None)


def in_slurm(environ: Mapping[str, str]) -> bool:
    """Return whether Lightning takes this process for one of a Slurm job's tasks; not so in an interactive shell.

    Args:
        environ: of the process.
    """
    interactive = environ.get("SLURM_JOB_NAME") in ("bash", "interactive")
    return not interactive and "SLURM_NTASKS" in environ and "SLURM_JOB_ID" in environ


def is_rank_0(environ: Mapping[str, str], rank: int) -> bool:
    """Return whether this process is rank 0 of its run, counted over all nodes.

    Args:
        environ: of the process.
        rank: as Lightning reads it from the environment, where, before there is a trainer, it ignores ``NODE_RANK``.
    """
    return rank == 0 and int(environ.get("NODE_RANK", 0)) == 0


def process_identity(pid: int) -> str:
    """Return an id that distinguishes a process from all earlier and later ones of its machine: pid and start time.

    Args:
        pid: of the process; by itself it would not do, because containers begin to count at 1.
    """
    try:
        # The name, in parentheses, may itself hold spaces; field 22 is the start, in ticks since the boot.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return f"{pid}-{fields[19]}"
    except (OSError, IndexError):
        return str(pid)
