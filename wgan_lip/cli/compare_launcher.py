"""Where ``wgan-lip compare`` runs its cells: the options, and the launcher that they ask for."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from pytorch_lightning.cli import LightningArgumentParser

from wgan_lip.cli.resources import Resources
from wgan_lip.comparison import JobArray, Launcher, Processes, Slurm, Store
from wgan_lip.comparison.slurm import LARGEST_ARRAY

# Seconds before the end of a job's time. All that is done in them is to put it back into the queue.
_SIGNAL_DELAY = 30
_MINUTES = 60
_RETRIES = 2
_GRACE = 30.0


def add_launcher_arguments(parser: LightningArgumentParser) -> None:
    """Add ``--launcher``, ``--jobs`` and ``--slurm.*``.

    Args:
        parser: of the command.
    """

    def slurm(name: str, kind: Any, text: str) -> None:
        # None, so that what was given is told from what was not.
        parser.add_argument(f"--slurm.{name}", type=kind | None, default=None, help=text)

    parser.add_argument(
        "--launcher",
        type=Literal["processes", "slurm"],
        default="processes",
        help="Cells in processes of this machine, or each as a job of Slurm, which goes on without this process.",
    )
    parser.add_argument("--jobs", type=int | None, default=None, help="Processes; as many as there are cores.")
    slurm("partition", str, "Where jobs run; the cluster's default.")
    slurm("account", str, "Who pays; the user's default.")
    slurm("constraint", str, "Features that nodes must have.")
    slurm("time", int, f"Minutes of a job, {_MINUTES}; a cell that takes longer begins anew, retries times.")
    slurm("cpus", int, "Cores of a job: 1, for a cell is trained on one thread.")
    slurm("mem", str, "Memory of a job, such as 4G; the cluster's default.")
    slurm("max_parallel", int, "Jobs at once, of each 1,000 cells; as many as Slurm allows.")
    slurm(
        "retries", int, f"A lost cell (killed for its memory, node failed, cancelled) is run again, {_RETRIES} times."
    )
    slurm("grace", float, f"Seconds until files that other nodes write are seen here, {_GRACE:.0f}.")
    slurm("setup", list[str], "Lines of shell before a cell, such as ['module load python'].")


def launcher_of(options: Any, store: Store, folder: Path, say: Callable[[str], None]) -> Launcher:
    """The launcher that was asked for.

    Args:
        options: with what ``add_launcher_arguments`` has added.
        store: of the finished cells.
        folder: of the comparison.
        say: is told what happens to jobs.

    Raises:
        ValueError: an option of the other launcher, or one out of range.
    """
    given = {name: value for name, value in vars(options.slurm).items() if value is not None}
    if options.launcher == "processes":
        for name, value in given.items():
            raise ValueError(f"slurm.{name} goes with --launcher slurm only; got --slurm.{name}={value}")
        return Processes(_at_least_one("jobs", options.jobs) or os.cpu_count() or 1)
    if options.jobs is not None:
        raise ValueError(f"jobs goes with --launcher processes only; got jobs={options.jobs}: see --slurm.max_parallel")
    retries, grace = given.pop("retries", _RETRIES), given.pop("grace", _GRACE)
    parallel = _at_least_one("slurm.max_parallel", given.pop("max_parallel", None))
    try:
        resources = Resources(
            minutes=given.pop("time", _MINUTES),
            setup=tuple(given.pop("setup", ())),
            signal_delay=_SIGNAL_DELAY,
            **given,
        )
    except ValueError as error:
        # It names the options of wgan-lip submit.
        raise ValueError(str(error).replace("--", "--slurm.")) from None
    # Two comparisons of one name are told apart by their folders.
    place = hashlib.blake2b(str(folder.resolve()).encode(), digest_size=4).hexdigest()
    parameters = resources.parameters(f"wgan-lip-compare-{options.name}-{place}")
    parameters["array_parallelism"] = parallel or LARGEST_ARRAY
    slurm = Slurm(folder / "slurm", parameters, requeues=max(retries, 0))
    return JobArray(store, slurm, retries, say, grace)


def _at_least_one(name: str, value: int | None) -> int | None:
    if value is not None and value < 1:
        raise ValueError(f"{name} must be at least 1; got {name}={value}")
    return value
