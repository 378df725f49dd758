"""Slurm's jobs, by their states as squeue prints them; and cells as jobs, submitted again if they are lost."""

import subprocess
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wgan_lip.comparison.cell import Cell
from wgan_lip.comparison.results import Failure, Outcome, Store
from wgan_lip.comparison.run import Task
from wgan_lip.replaced import own_folder

if TYPE_CHECKING:
    from submitit import Job, SlurmExecutor

# States are asked of squeue: submitit asks Slurm's accounting, which not every cluster has.
# The states of a job that neither waits nor runs.
_ENDED = {
    "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED", "REVOKED",
    "TIMEOUT", "UNKNOWN",
}  # fmt: skip
# Job or array, index in the array, state, reason.
_FORMAT = "%F|%K|%T|%r"
# Seconds after which a controller that does not answer is given up.
PATIENCE = 900.0


@dataclass(frozen=True)
class JobState:
    """The state of a job that is in Slurm's queue, or ended some minutes ago.

    Attributes:
        name: as Slurm calls it, such as RUNNING.
        reason: why it is in this state; "None" if there is none.
    """

    name: str
    reason: str = "None"

    @property
    def has_ended(self) -> bool:
        """True if the job neither waits nor runs, and is gone from its nodes."""
        return self.name in _ENDED

    def __str__(self) -> str:
        return self.name if self.reason in ("", "None") else f"{self.name}, {self.reason}"


UNKNOWN = JobState("UNKNOWN", "squeue no longer lists it")


def job_states(selection: str, patience: float = 0.0, every: float = 5.0) -> dict[str, JobState]:
    """Return the states of this user's jobs that Slurm still knows, by id, ``JOB`` or ``ARRAY_INDEX``.

    Args:
        selection: squeue's option that selects them, such as ``--name=NAME`` or ``--jobs=IDS``.
        patience: seconds for which squeue is asked again if it fails.
        every: seconds between two tries.

    Raises:
        OSError: squeue fails, or does not answer.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            return _parse(_squeue(selection))
        except OSError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(every)


def wait_for_jobs(jobs: Sequence[str], report: Callable[[str, JobState], None], every: float = 5.0) -> bool:
    """Wait until all jobs have ended; a requeued one has not. Returns whether all of them were completed.

    Args:
        jobs: their ids, ``JOB`` or ``ARRAY_INDEX``.
        report: called with a job and its state whenever that changes.
        every: seconds between two looks at the queue.

    Raises:
        OSError: squeue has failed for a quarter of an hour.
    """
    known: dict[str, JobState] = {}
    while waiting := [job for job in jobs if job not in known or not known[job].has_ended]:
        if known:
            time.sleep(every)
        ids = ",".join(sorted({job.partition("_")[0] for job in waiting}))
        states = job_states(f"--jobs={ids}", PATIENCE, every)
        for job in waiting:
            before, known[job] = known.get(job), states.get(job, UNKNOWN)
            if before is None or before.name != known[job].name:
                report(job, known[job])
    return all(state.name == "COMPLETED" for state in known.values())


def _squeue(selection: str) -> str:
    command = ["squeue", "--me", "--array", "--noheader", "--states=all", selection, f"--format={_FORMAT}"]
    try:
        done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", timeout=60)  # noqa: S603
    except subprocess.TimeoutExpired:
        raise OSError("squeue has not answered for 60 seconds") from None
    if done.returncode != 0 and "Invalid job id" not in done.stderr:
        raise OSError(f"squeue failed: {' '.join(done.stderr.split())}")
    # It fails for a single job that Slurm has forgotten, and prints nothing.
    return done.stdout


def _parse(text: str) -> dict[str, JobState]:
    states = {}
    for line in text.splitlines():
        fields = line.split("|", 3)
        if len(fields) != 4:
            raise OSError(f"squeue must print lines of the format {_FORMAT}; got {line!r}")
        job, index, name, reason = fields
        states[f"{job}_{index}" if index.isdecimal() else job] = JobState(name, reason)
    return states


# Slurm's own limit on the indices of an array, unless the cluster sets another one.
LARGEST_ARRAY = 1000


class JobArray:
    """A launcher whose cells are jobs of arrays, which outlive this process.

    A job writes its result into the store, and submitit's folder holds a file for each job that was submitted. So a
    comparison whose process was killed loses nothing: the next one finds what is finished and which jobs there are,
    and submits the rest. A job's file is removed once its result is known.

    Args:
        store: to which the jobs' task writes; all nodes see it.
        executor: submitit's; its ``job_name`` is that of no other comparison.
        report: called with a line about jobs.
        retries: how often a lost cell is submitted again. A cell is lost if its job has ended without result and error.
        grace: seconds until a file that a job wrote at its end is seen here.
        every: seconds between two looks at the store and the queue.

    Raises:
        ValueError: a negative number.
    """

    def __init__(
        self,
        store: Store,
        executor: "SlurmExecutor",
        report: Callable[[str], None],
        retries: int = 2,
        grace: float = 30.0,
        every: float = 5.0,
    ) -> None:
        for name, value in (("retries", retries), ("grace", grace)):
            if value < 0:
                raise ValueError(f"{name} must not be negative; got {name}={value}")
        self._store = store
        self._executor = executor
        self._name: str = executor.parameters["job_name"]
        self._report = report
        self._retries = retries
        self._grace = grace
        self._every = every

    @property
    def if_interrupted(self) -> str:
        return f"their jobs go on, and the same command gathers them; this ends them: scancel --name={self._name}"

    def __call__(self, task: Task, cells: Sequence[Cell]) -> Iterator[Outcome | Failure]:
        if not cells:
            return
        waiting = self._submitted_before(cells)
        found = {one.cell for one in waiting}
        waiting += self._submit(task, {cell: 0 for cell in cells if cell not in found})
        while waiting:
            time.sleep(self._every)
            # The queue first: what a job has written lies in the store before the job is seen to have ended.
            states, finished = self._states(), self._store.keys()
            lost: dict[Cell, int] = {}
            for one in waiting.copy():
                state = states.get(one.job.job_id, UNKNOWN)
                result = self._result(one, state, finished)
                if result is None and self._is_lost(one, state):
                    if one.losses == self._retries:
                        result = _given_up(one, state)
                    else:
                        said = f"Slurm job {one.job.job_id} is lost ({state}) and submitted again"
                        self._report(f"{one.cell.label}: {said}")
                        lost[one.cell] = one.losses + 1
                if result is not None or one.cell in lost:
                    waiting.remove(one)
                    one.job.paths.submitted_pickle.unlink(missing_ok=True)
                if result is not None:
                    yield result
            waiting += self._submit(task, lost)

    def _submitted_before(self, cells: Sequence[Cell]) -> list["_Waiting"]:
        """Return the jobs of an earlier process, whether they have ended or not."""
        from submitit import SlurmJob

        # Slurm must answer before anything is submitted.
        states, finished, by_key = job_states(f"--name={self._name}"), self._store.keys(), {c.key: c for c in cells}
        found = []
        for path in self._executor.folder.glob("*_submitted.pkl"):
            job: Job[Outcome | Failure] = SlurmJob(self._executor.folder, path.name.removesuffix("_submitted.pkl"))
            try:
                key = job.submission().args[0].key
            except Exception as error:
                # Damaged, or of another version of this package, and the job cannot read it either.
                self._report(f"{path} is not a job of this comparison and is ignored: {type(error).__name__}: {error}")
                continue
            if key in finished:
                path.unlink(missing_ok=True)
            elif key in by_key:
                found.append(_Waiting(by_key.pop(key), job))
        if found:
            alive = sum(not states.get(one.job.job_id, UNKNOWN).has_ended for one in found)
            self._report(f"{len(found)} of {len(cells)} cells were submitted before; {alive} of their jobs wait or run")
        return found

    def _submit(self, task: Task, losses: Mapping[Cell, int]) -> list["_Waiting"]:
        """Submit cells; the values say how many jobs of each were lost before."""
        own_folder(self._executor.folder)
        submitted, cells = [], list(losses)
        for start in range(0, len(cells), LARGEST_ARRAY):
            part = cells[start : start + LARGEST_ARRAY]
            try:
                jobs = self._executor.map_array(task, part)
            except RuntimeError as error:
                # submitit's, with what sbatch printed.
                raise OSError(f"Slurm took no jobs: {error}") from error
            submitted += [_Waiting(cell, job, losses[cell]) for cell, job in zip(part, jobs, strict=True)]
            self._report(f"{len(part)} of the cells submitted: Slurm job {jobs[0].job_id.partition('_')[0]}")
        return submitted

    def _states(self) -> Mapping[str, JobState]:
        try:
            return job_states(f"--name={self._name}", PATIENCE, self._every)
        except OSError as error:
            raise OSError(f"{error}, for {PATIENCE:.0f} seconds; {self.if_interrupted}") from error

    def _result(self, one: "_Waiting", state: JobState, finished: Collection[str]) -> Outcome | Failure | None:
        """Return the cell's outcome, or the error that its job left, which would be the same again; None if neither."""
        if one.cell.key in finished:
            return self._store.load(one.cell)
        if not state.has_ended or not one.job.paths.result_pickle.exists():
            return None
        try:
            result = one.job.result()
        except Exception as error:
            # Whatever the process raised before or after the training, or while submitit reads it.
            said = f"Slurm job {one.job.job_id} raised an error outside of the training: see its trace"
            return Failure(one.cell, said, str(error))
        return result if isinstance(result, Failure) else None

    def _is_lost(self, one: "_Waiting", state: JobState) -> bool:
        if not state.has_ended:
            # It was requeued.
            one.ended = None
            return False
        one.ended = one.ended or time.monotonic()
        return time.monotonic() - one.ended >= self._grace


@dataclass(eq=False)
class _Waiting:
    """A cell that is waited for: its job, how many were lost before, and when this one was first seen to have ended."""

    cell: Cell
    job: "Job[Outcome | Failure]"
    losses: int = 0
    ended: float | None = None


def _given_up(one: _Waiting, state: JobState) -> Failure:
    log = one.job.paths.stdout
    times = "once" if one.losses == 0 else f"{one.losses + 1} times"
    printed = log.read_text(encoding="utf-8", errors="replace")[-4000:] if log.is_file() else "(no log)"
    error = f"lost {times}; state of its last job, {one.job.job_id}: {state}; its log: {log}"
    return Failure(one.cell, error, f"{error}\n{printed}")
