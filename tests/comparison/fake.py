"""A Slurm without a cluster: at each look at the queue, every job does the next thing that is planned for it."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from submitit import SlurmJob
from submitit.core.utils import DelayedSubmission, cloudpickle_dump

from wgan_lip.comparison import Cell, Failure, JobState

# What becomes of a job, look by look: a state, "work" which runs the task, or "away" where Slurm does not answer. Its
# last word holds for ever.
Plan = Sequence[str]
DONE: Plan = ("PENDING", "RUNNING", "work", "COMPLETED")


class FakeSlurm:
    """submitit's executor, and squeue, of jobs that do what is planned.

    Args:
        folder: of the jobs' files.
        plan: of a cell and of how often it was submitted before.
    """

    def __init__(self, folder: Path, plan: Callable[[Cell, int], Plan] = lambda cell, before: DONE) -> None:
        self.folder = folder
        self.parameters = {"job_name": "fake"}
        self.plan = plan
        self.arrays: list[list[str]] = []
        self.dies_while_submitting = False
        self.plans: dict[str, Iterator[str]] = {}
        self._jobs: dict[str, tuple[Callable[[Cell], Any], Cell]] = {}
        self._states: dict[str, JobState] = {}

    @property
    def submitted(self) -> list[str]:
        """Labels of the cells of all jobs so far."""
        return [label for array in self.arrays for label in array]

    def map_array(self, task: Callable[[Cell], Any], cells: Sequence[Cell]) -> list[SlurmJob[Any]]:
        self.folder.mkdir(exist_ok=True)
        jobs: list[SlurmJob[Any]] = [SlurmJob(self.folder, f"{len(self.arrays)}_{i}") for i in range(len(cells))]
        for job, cell in zip(jobs, cells, strict=True):
            # As submitit does, and so without what a test has put in its place.
            DelayedSubmission(abs, cell).dump(job.paths.submitted_pickle)
            self._jobs[job.job_id] = (task, cell)
            self.plans[job.job_id] = iter(self.plan(cell, self.submitted.count(cell.label)))
            self._states[job.job_id] = JobState("PENDING", "Resources")
        self.arrays.append([cell.label for cell in cells])
        if self.dies_while_submitting:
            raise KeyboardInterrupt
        return jobs

    def job_states(self, selection: str, patience: float = 0.0, every: float = 5.0) -> dict[str, JobState]:
        """Take the place of squeue's."""
        assert selection == "--name=fake"
        for job, plan in self.plans.items():
            word = next(plan, None)
            if word == "away":
                if patience < 0:
                    raise OSError("squeue failed: Unable to contact slurm controller")
            elif word == "work":
                task, cell = self._jobs[job]
                if isinstance(result := task(cell), Failure):
                    cloudpickle_dump(("success", result), SlurmJob(self.folder, job).paths.result_pickle)
            elif word is not None:
                self._states[job] = JobState(word)
        return {job: state for job, state in self._states.items() if state.name != "forgotten"}
