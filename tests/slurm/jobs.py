"""Small runs of the digits config as jobs of a test's Slurm, and how they end."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from tests.slurm.cluster import Cluster
from tests.support.commands import DIGITS, SMALL
from tests.support.metrics import rows

ROOT = Path(__file__).parent.parent.parent
STEPS = 100
# Long enough to be interrupted; evaluations, pictures and checkpoints fall on different steps.
LONG = [
    "-c",
    str(DIGITS),
    *SMALL,
    f"--model.init_args.generator_steps={STEPS}",
    "--model.init_args.log_every=1",
    "--exact_w1.every=20",
    "--sample_grid.every=50",
    "--checkpoint.every=45",
    # In float64, two processes and one differ by less than 1e-5 for as long as this.
    "--trainer.precision=64-true",
    "--wandb.mode=offline",
]
# Seconds in which a training starts, or ends, on a machine that is busy with others.
PATIENCE = 120.0


def environment(cluster: Cluster) -> dict[str, str]:
    """Of clients of the cluster: this wgan-lip and this Python, one thread for each process."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM", "WANDB_SERVICE"))}
    return kept | cluster.environment | {"PATH": path, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


class Job:
    """A job of the cluster.

    Args:
        cluster: where it is.
        number: its id.
        log: what it prints.
    """

    def __init__(self, cluster: Cluster, number: str, log: Path) -> None:
        self.cluster = cluster
        self.number = number
        self.log = log

    @property
    def printed(self) -> str:
        """All that it has printed, with white space reduced to single spaces."""
        return " ".join(self.log.read_text().split()) if self.log.exists() else ""

    def field(self, name: str) -> str:
        """Return a field of what scontrol prints of the job: JobState, Restarts, Requeue."""
        said = client(self.cluster, "scontrol", "show", "job", "--oneliner", self.number)
        match = re.search(rf"\b{name}=(\S+)", said)
        assert match, said
        return match[1]

    def wait_until(self, what: str, ready: Callable[[], bool], patience: float = PATIENCE) -> None:
        """Wait until a condition holds; fail with what the job has printed if it does not."""
        deadline = time.monotonic() + patience
        while not ready():
            if time.monotonic() > deadline:
                log = self.log.read_text() if self.log.exists() else "nothing"
                state = self.field("JobState")
                raise AssertionError(f"{patience:.0f} s of job {self.number}, {state}: no {what}; it printed:\n{log}")
            time.sleep(0.05)

    def wait_for(self, *states: str, patience: float = PATIENCE) -> None:
        """Wait for one of these states of Slurm's."""
        self.wait_until(" or ".join(states), lambda: self.field("JobState") in states, patience)

    def wait_for_step(self, folder: Path, step: int) -> None:
        """Wait until its training has logged a generator step, and assert that it still runs."""
        self.wait_until(f"generator step {step}", lambda: _last_step(folder) >= step)
        assert self.field("JobState") == "RUNNING"

    def wait_for_requeue(self, restarts: int) -> None:
        """Wait until it was requeued so many times in all, and skip the two minutes for which Slurm holds it."""
        self.wait_until("requeue", lambda: self.field("Restarts") == str(restarts))
        self.wait_for("PENDING")
        # It must have ended before it starts: else the nodes take the end of the old one for its own.
        client(self.cluster, "scontrol", "update", f"jobid={self.number}", "StartTime=now+2")

    def send(self, name: str) -> None:
        """Send a signal as Slurm does before the time is up: to all tasks, but not to the script."""
        client(self.cluster, "scancel", f"--signal={name}", self.number)

    def task(self, rank: int) -> int | None:
        """Return the id of a rank's process, which Slurm started."""
        # The script itself is rank 0 of no step.
        expected = {f"SLURM_JOB_ID={self.number}".encode(), f"SLURM_PROCID={rank}".encode(), b"SLURM_STEP_ID=0"}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                found = set((folder / "environ").read_bytes().split(b"\0"))
                parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
                # Not one that the rank has started.
                if expected <= found and Path(f"/proc/{parent}/comm").read_text().strip() == "slurmstepd":
                    return int(folder.name)
            except OSError:
                # It ended meanwhile.
                continue
        return None

    def catches(self, signum: signal.Signals, ranks: int = 2) -> bool:
        """Return whether all ranks have a handler of the signal."""
        for rank in range(ranks):
            process = self.task(rank)
            try:
                status = Path(f"/proc/{process}/status").read_text()
            except OSError:
                return False
            caught = int(re.search(r"SigCgt:\s*(\w+)", status)[1], 16)
            if not caught >> (signum - 1) & 1:
                return False
        return True


def client(cluster: Cluster, *command: str, cwd: Path | None = None) -> str:
    """Run a client of Slurm; return what it prints."""
    done = subprocess.run(command, env=environment(cluster), capture_output=True, text=True, cwd=cwd)
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


def submit_script(
    cluster: Cluster, folder: Path, *arguments: str, nodes: int = 2, script: str = "fit_many_nodes"
) -> Job:
    """Submit a script of ours, with a process of one core on each node; ``--runs_dir`` is ``FOLDER/runs``."""
    options = [f"--nodes={nodes}", "--ntasks-per-node=1", "--cpus-per-task=1", f"--output={folder}/%j.log"]
    if script == "fit_many_nodes":
        options.append("--gpus-per-node=0")
    command = ["sbatch", "--parsable", *options, str(ROOT / "scripts" / f"{script}.sbatch")]
    number = client(cluster, *command, *LONG, f"--runs_dir={folder}/runs", *arguments, cwd=folder).strip()
    return Job(cluster, number, folder / f"{number}.log")


def same_end(folder: Path, expected: Path) -> None:
    """Assert that two runs have the same metrics.csv and the same weights, to the last digit."""
    assert rows(folder) == rows(expected)
    ours, theirs = (torch.load(f / "checkpoints" / "last.ckpt", weights_only=True) for f in (folder, expected))
    assert ours["state_dict"].keys() == theirs["state_dict"].keys()
    assert all(torch.equal(value, theirs["state_dict"][name]) for name, value in ours["state_dict"].items())


def wandb_ids(folder: Path) -> list[str]:
    """Return the id of each part of the run in Weights & Biases."""
    return [path.stem.removeprefix("run-") for path in sorted(folder.glob("wandb/offline-run-*/run-*.wandb"))]


def _last_step(folder: Path) -> int:
    if not (folder / "metrics.csv").exists():
        return -1
    lines = (folder / "metrics.csv").read_text().splitlines()[1:]
    return int(lines[-1].split(",")[0] or 0) if lines else -1
