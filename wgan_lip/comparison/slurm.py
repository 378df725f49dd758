"""Jobs of Slurm, each a cell, through submitit."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wgan_lip.comparison.cell import Cell
from wgan_lip.comparison.launcher import Task
from wgan_lip.comparison.squeue import Seen, read_queue
from wgan_lip.comparison.task import Failure, Result
from wgan_lip.replaced import own_folder

if TYPE_CHECKING:
    from submitit.helpers import DelayedSubmission

# Slurm's own limit on the indices of an array, unless the cluster sets another one.
LARGEST_ARRAY = 1000

# Those that submitit counts, which ends with an error in whatever runs when the signal comes: it may be lost there.
_ANY_NUMBER = 1_000_000


class Slurm:
    """The jobs of one comparison, which share a name.

    Args:
        folder: of the jobs' files and logs, which all nodes must see; it is made.
        parameters: of submitit's executor; ``job_name`` and ``time`` among them.
        requeues: how often a job that runs out of time begins anew before its cell is a failure.

    Raises:
        ValueError: submitit or Slurm is not installed.
    """

    def __init__(self, folder: Path, parameters: Mapping[str, Any], requeues: int) -> None:
        if find_spec("submitit") is None:
            raise ValueError(
                "the launcher slurm wants submitit, which is not installed: pip install 'wgan-lip[cluster]'"
            )
        for program in ("sbatch", "squeue", "srun"):
            if shutil.which(program) is None:
                raise ValueError(f"the launcher slurm wants Slurm, whose program {program} is not found")
        self.folder = folder.absolute()
        self.name: str = parameters["job_name"]
        self._parameters = dict(parameters)
        self._requeues = requeues

    def submit(self, task: Task, cells: Sequence[Cell], comment: str) -> list[str]:
        """Submit an array of jobs; returns their ids in the order of the cells.

        Args:
            task: of a cell.
            cells: at least one, at most ``LARGEST_ARRAY``.
            comment: by which Slurm knows the array.

        Raises:
            OSError: Slurm refuses it.
        """
        from submitit import SlurmExecutor
        from submitit.core.utils import FailedSubmissionError, UncompletedJobError

        own_folder(self.folder)
        job_of_cell = _CellJob(task, self._requeues + 1, self._parameters["time"])
        executor = SlurmExecutor(self.folder, max_num_timeout=_ANY_NUMBER)
        executor.update_parameters(**self._parameters, comment=comment)
        try:
            return [job.job_id for job in executor.map_array(job_of_cell, cells)]
        except (FailedSubmissionError, UncompletedJobError) as error:
            raise OSError(f"Slurm took no jobs: {error}") from error

    def queue(self) -> dict[str, Seen]:
        """The jobs that Slurm knows, by id, some of which have ended.

        Raises:
            OSError: Slurm does not answer.
        """
        return read_queue(self.name)

    def failure(self, job: str, cell: Cell) -> Failure | None:
        """What the job's process has left of an error, which would be the same again; None if it has left none.

        Args:
            job: its id.
            cell: of the job.
        """
        from submitit import SlurmJob

        ended: SlurmJob[Result | Failure] = SlurmJob(self.folder, job)
        if not ended.paths.result_pickle.exists():
            return None
        try:
            result = ended.result()
        except Exception as raised:
            # Whatever the process raised before or after the training, or while submitit reads it.
            return Failure(cell, f"Slurm job {job} raised an error outside of the training: see its trace", str(raised))
        return result if isinstance(result, Failure) else None

    def log(self, job: str) -> Path:
        """The file with what a job printed.

        Args:
            job: its id.
        """
        return self.folder / f"{job}_0_log.out"


@dataclass(frozen=True)
class _CellJob:
    """What a job runs each time that Slurm starts it."""

    task: Task
    # How often it may begin, this time included.
    begins: int
    minutes: int

    def __call__(self, cell: Cell) -> Result | Failure:
        if self.begins < 1:
            said = f"it did not end within the {self.minutes} minutes of its job, however often it was begun"
            return Failure(cell, said, said)
        return self.task(cell)

    def checkpoint(self, cell: Cell) -> "DelayedSubmission":
        """At submitit's signal: cells are short, and one that is requeued begins anew."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(replace(self, begins=self.begins - 1), cell)
