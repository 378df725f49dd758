"""``wgan-lip compare --launcher slurm`` on a real Slurm: the same numbers, whatever happens to jobs and command."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.comparison.test_comparison import CRITICS, MLP, PAIRS
from tests.slurm.cluster import Cluster
from tests.slurm.jobs import PATIENCE, Job, client, environment

# Each job loads PyTorch, and the two nodes are one machine.
pytestmark = [pytest.mark.slurm, pytest.mark.timeout(900)]

# Long enough for something to happen to it meanwhile.
LONG = {"long": {"critic": MLP, "steps": 4000}}
ENDLESS = {"endless": {"critic": MLP, "steps": 100_000_000}}
BROKEN = {
    "broken": {
        "critic": {
            "class_path": "wgan_lip.networks.MLPCritic",
            "init_args": {
                "width": 8,
                "activation": {"class_path": "wgan_lip.lipschitz.GroupSort", "init_args": {"group_size": 3}},
            },
        }
    }
}


class CellJob(Job):
    """A job of an array with one task; the script, which Slurm starts as well, is another process of rank 0."""

    def wait_for_training(self) -> None:
        """Wait until its process handles signals, and has then built its estimator: for three seconds of its time."""
        self.wait_until("handler", lambda: self.catches(signal.SIGUSR2, ranks=1))
        begun = self._seconds()
        self.wait_until("training", lambda: self._seconds() > begun + 3)

    def _seconds(self) -> float:
        fields = Path(f"/proc/{self.task()}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) / os.sysconf("SC_CLK_TCK")

    def task(self, rank: int = 0) -> int | None:
        array, index = self.number.split("_")
        of_job = f"SLURM_ARRAY_JOB_ID={array} SLURM_ARRAY_TASK_ID={index} SLURM_STEP_ID=0"
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if set(of_job.encode().split()) <= set((folder / "environ").read_bytes().split(b"\0")):
                    return int(folder.name)
        return None


class Command:
    """``wgan-lip compare`` in a folder; what it prints goes to a file.

    Args:
        cluster: whose client it is.
        folder: of the comparison.
        critics: of the config.
        options: further ones.
    """

    def __init__(self, cluster: Cluster, folder: Path, critics: dict[str, object], *options: str) -> None:
        self.cluster = cluster
        self.folder = folder
        folder.mkdir(exist_ok=True)
        config = {"name": "real", "critics": critics, "pairs": PAIRS, "n": 64, "exact_n": 16}
        config["estimator"] = {"steps": 2, "batch_size": 16}
        (folder / "config.yaml").write_text(json.dumps(config))
        self.words = [sys.executable, "-m", "wgan_lip", "compare", "-c", str(folder / "config.yaml")]
        self.words += ["--folder", str(folder / "out"), "--wandb.mode=disabled", *options]
        self.out = folder / "printed"

    @property
    def printed(self) -> str:
        """All that it has printed so far, in all its runs."""
        return self.out.read_text() if self.out.exists() else ""

    @property
    def array(self) -> str:
        """The first array that it has submitted."""
        return self.printed.split("submitted: Slurm job ")[1].split()[0]

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        """It runs, and is killed at the end if it still does; its jobs are not."""
        with (
            self.out.open("ab") as out,
            subprocess.Popen(
                self.words,
                env=environment(self.cluster),
                stdout=out,
                stderr=out,
                start_new_session=True,
                # A shell's background job is started with it ignored.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
            ) as process,
        ):
            try:
                yield process
            finally:
                process.kill()

    def status(self) -> int:
        """Run it to its end."""
        with self.running() as process:
            return self.end_of(process)

    def end_of(self, process: subprocess.Popen[bytes]) -> int:
        try:
            return process.wait(2 * PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the command does not end; it printed:\n{self.printed}") from None

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while text not in self.printed:
            assert time.monotonic() < deadline, f"no {text!r} in:\n{self.printed}"
            time.sleep(0.1)

    def job(self, index: int) -> CellJob:
        """Of the first array that was submitted, once its process handles signals: the cell is being trained."""
        self.wait_for("submitted: Slurm job ")
        number = f"{self.array}_{index}"
        job = CellJob(self.cluster, number, self.folder / "out" / "slurm" / f"{number}_0_log.out")
        job.wait_for("RUNNING")
        job.wait_until("handler", lambda: job.catches(signal.SIGUSR2, ranks=1))
        return job

    def jobs(self) -> list[str]:
        """Return all jobs of this comparison that Slurm has seen, those that have ended too."""
        (name,) = {line.split("=")[1] for line in self._scripts() if line.startswith("#SBATCH --job-name=")}
        listed = client(
            self.cluster, "squeue", "--noheader", "--array", "--states=all", f"--name={name}", "--format=%i"
        )
        return listed.split()

    def _scripts(self) -> list[str]:
        return [
            line
            for path in (self.folder / "out" / "slurm").glob("*_submission.sh")
            for line in path.read_text().splitlines()
        ]

    def results(self) -> list[dict[str, str]]:
        """results.csv without what depends on the clock."""
        with (self.folder / "out" / "results.csv").open(newline="") as file:
            return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def by_slurm(*options: str) -> list[str]:
    # The nodes' files are this machine's. In jobs of ten minutes submitit takes each signal for the end of the time.
    return ["--launcher=slurm", "--slurm.grace=1", "--slurm.time=10", *options]


def test_cells_whose_jobs_are_lost_are_run_again_and_the_numbers_are_those_of_processes(
    cluster: Cluster, tmp_path: Path
) -> None:
    critics = {**LONG, **CRITICS}
    command = Command(cluster, tmp_path / "slurm", critics, "--seeds=[0,1]", *by_slurm())
    with command.running() as process:
        # At once, before it ends.
        client(cluster, "scancel", command.job(0).number)
        task = command.job(1).task()
        assert task is not None
        os.kill(task, signal.SIGKILL)
        status = command.end_of(process)
    assert status == 0, command.printed
    assert f"long on absolute value, seed 0: Slurm job {command.array}_0 is lost (CANCELLED" in command.printed
    assert f"long on absolute value, seed 1: Slurm job {command.array}_1 is lost (FAILED" in command.printed
    assert command.printed.count("is lost") == 2
    assert len(command.jobs()) == 6 + 2
    processes = Command(cluster, tmp_path / "processes", critics, "--seeds=[0,1]", "--jobs=2")
    assert processes.status() == 0, processes.printed
    assert command.results() == processes.results()
    assert len(command.results()) == 6


def test_a_command_that_was_interrupted_and_killed_gathers_what_goes_on(cluster: Cluster, tmp_path: Path) -> None:
    command = Command(cluster, tmp_path / "slurm", CRITICS, "--seeds=[0,1]", *by_slurm())
    with command.running() as process:
        command.wait_for("submitted: Slurm job ")
        # There are two nodes: the fourth cell waits, until it may start.
        client(cluster, "scontrol", "hold", last := f"{command.array}_3")
        command.wait_for("[1/4]")
        os.killpg(process.pid, signal.SIGINT)
        assert command.end_of(process) == 130
    assert "their jobs go on, and the same command gathers them; this ends them: scancel --name=" in command.printed
    assert "Traceback" not in command.printed
    with command.running() as process:
        command.wait_for("cells were submitted before")
        os.killpg(process.pid, signal.SIGKILL)
    client(cluster, "scontrol", "release", last)
    assert command.status() == 0, command.printed
    assert command.printed.count("submitted: Slurm job") == 1
    assert len(command.jobs()) == 4
    assert len(command.results()) == 4
    assert command.status() == 0, command.printed
    assert len(command.jobs()) == 4


def test_cells_that_raise_and_cells_that_are_requeued(cluster: Cluster, tmp_path: Path) -> None:
    command = Command(cluster, tmp_path / "slurm", {**LONG, **ENDLESS, **BROKEN}, *by_slurm("--slurm.retries=1"))
    with command.running() as process:
        long, endless = command.job(0), command.job(1)
        long.send("USR2")
        long.wait_for_requeue(1)
        endless.send("USR2")
        endless.wait_for_requeue(1)
        endless.wait_for_training()
        endless.send("USR2")
        status = command.end_of(process)
    assert status == 1, command.printed
    assert [row["critic"] for row in command.results()] == ["long"]
    assert "broken on absolute value, seed 0: failed: ValueError" in command.printed
    said = "UncompletedJobError: Job not requeued because: timed-out too many times."
    assert f"endless on absolute value, seed 0: failed: {said}" in command.printed
    failures = (tmp_path / "slurm" / "out" / "failures.txt").read_text()
    assert "group_size=3" in failures
    assert "Traceback" in failures
    assert long.field("Restarts") == "1"
    assert len(command.jobs()) == 3
