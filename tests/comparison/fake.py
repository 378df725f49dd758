"""A scheduler without a cluster: at each look at the queue, every job does the next thing that is planned for it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from wgan_lip.comparison.cell import Cell
from wgan_lip.comparison.launcher import Task
from wgan_lip.comparison.squeue import Seen
from wgan_lip.comparison.task import Failure

# What becomes of a job, look by look: a state, "work" which runs the task, or "away" where Slurm does not answer. Its
# last word holds for ever.
Plan = Sequence[str]
DONE: Plan = ("PENDING", "RUNNING", "work", "COMPLETED")


class FakeSlurm:
    """Jobs that do what is planned.

    Args:
        folder: of logs and of the list of jobs.
        plan: of a cell and of how often it was submitted before.
    """

    name = "fake"

    def __init__(self, folder: Path, plan: Callable[[Cell, int], Plan] = lambda cell, before: DONE) -> None:
        self.folder = folder
        self.plan = plan
        self.arrays: list[list[str]] = []
        self.dies_while_submitting = False
        self._jobs: dict[str, tuple[Task, Cell, str, Iterator[str]]] = {}
        self._seen: dict[str, Seen] = {}
        self._failures: dict[str, Failure] = {}

    @property
    def submitted(self) -> list[str]:
        """Labels of the cells of all jobs so far."""
        return [label for array in self.arrays for label in array]

    def submit(self, task: Task, cells: Sequence[Cell], comment: str) -> list[str]:
        ids = [f"{len(self.arrays)}_{i}" for i in range(len(cells))]
        for job, cell in zip(ids, cells, strict=True):
            self._jobs[job] = (task, cell, comment, iter(self.plan(cell, self.submitted.count(cell.label))))
            self._seen[job] = Seen("PENDING", "Resources", comment)
        self.arrays.append([cell.label for cell in cells])
        if self.dies_while_submitting:
            raise KeyboardInterrupt
        return ids

    def queue(self) -> Mapping[str, Seen]:
        for job, (task, cell, comment, plan) in self._jobs.items():
            word = next(plan, None)
            if word == "away":
                raise OSError("squeue failed: Unable to contact slurm controller")
            if word == "work":
                result = task(cell)
                if isinstance(result, Failure):
                    self._failures[job] = result
            elif word is not None:
                self._seen[job] = Seen(word, "None", comment)
        return {job: seen for job, seen in self._seen.items() if seen.state != "forgotten"}

    def failure(self, job: str, cell: Cell) -> Failure | None:
        return self._failures.get(job)

    def log(self, job: str) -> Path:
        return self.folder / f"{job}.out"
