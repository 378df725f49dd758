"""Where ``wgan-lip compare`` runs its cells: the options, and the launcher that they select."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from pytorch_lightning.cli import LightningArgumentParser

from wgan_lip.cli.slurm_job import Resources, make_executor
from wgan_lip.comparison import LARGEST_ARRAY, JobArray, Launcher, Processes, Store

# A cell is one process that saves nothing: all that is done in these seconds is to requeue its job.
_FIXED: dict[str, Any] = {"nodes": 1, "gpus": 0, "tasks_per_node": None, "signal_delay": 30}


def add_launcher_arguments(parser: LightningArgumentParser) -> None:
    """Add ``--launcher``, ``--jobs`` and ``--slurm.*``.

    Args:
        parser: of the command.
    """
    add = parser.add_argument
    add(
        "--launcher",
        type=Literal["processes", "slurm"],
        default="processes",
        help="Cells in processes of this machine, or each as a job of Slurm, which goes on without this process.",
    )
    add("--jobs", type=int | None, default=None, help="Processes; as many as there are cores.")
    parser.add_class_arguments(Resources, "slurm", skip=set(_FIXED))
    add("--slurm.max_parallel", type=int, default=LARGEST_ARRAY, help="Jobs at once, of each 1,000 cells.")
    retries = "How often a cell is run again whose job is lost (killed for its memory, cancelled) or runs out of time."
    add("--slurm.retries", type=int, default=2, help=retries)
    add("--slurm.grace", type=float, default=30.0, help="Seconds until files that other nodes write are seen here.")


def make_launcher(options: Any, defaults: Any, store: Store, folder: Path, report: Callable[[str], None]) -> Launcher:
    """Return the launcher that the options select.

    Args:
        options: with what ``add_launcher_arguments`` has added.
        defaults: of these options.
        store: of the finished cells.
        folder: of the comparison.
        report: called with a line about jobs.

    Raises:
        ValueError: an option of the other launcher, one out of range, or submitit or Slurm is not installed.
    """
    slurm = dict(vars(options.slurm))
    if options.launcher == "processes":
        for name, value in slurm.items():
            if value != defaults.slurm[name]:
                raise ValueError(f"slurm.{name} requires --launcher slurm; got slurm.{name}={value}")
        return Processes((os.cpu_count() or 1) if options.jobs is None else options.jobs)
    if options.jobs is not None:
        raise ValueError(f"jobs requires --launcher processes; got jobs={options.jobs}: see --slurm.max_parallel")
    retries, grace, parallel = slurm.pop("retries"), slurm.pop("grace"), slurm.pop("max_parallel")
    if parallel < 1:
        raise ValueError(f"slurm.max_parallel must be at least 1; got slurm.max_parallel={parallel}")
    # The folder distinguishes comparisons of one name.
    place = hashlib.blake2b(str(folder.resolve()).encode(), digest_size=4).hexdigest()
    name = f"wgan-lip-compare-{options.name}-{place}"
    parameters = Resources(**slurm, **_FIXED).parameters(name, parallel)
    executor = make_executor("launcher slurm", parameters, folder / "slurm", retries)
    return JobArray(store, executor, report, retries, grace)
