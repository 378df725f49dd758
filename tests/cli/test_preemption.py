"""Real signals to a real training: it stops at the step that it is at; the run that goes on ends with its numbers."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tests.support.commands import DIGITS, SMALL, fit, run
from tests.support.metrics import rows

# Evaluations fall on other steps than checkpoints and grids, and the end on none of them.
LONG = [
    *SMALL,
    "--model.init_args.generator_steps=307",
    "--model.init_args.log_every=1",
    "--exact_w1.every=20",
    "--sample_grid.every=150",
    "--checkpoint.every=125",
]


def signalled(
    runs: Path,
    signum: int,
    step: int,
    *arguments: str,
    module: tuple[str, ...] = ("wgan_lip",),
    children: bool = False,
    **environ: str,
) -> tuple[int, str]:
    """The exit status and the output of a run that is sent a signal once it is at ``step``."""
    command = [sys.executable, "-m", *module, "fit", "-c", str(DIGITS), *LONG, f"--runs_dir={runs}", *arguments]
    environment = {name: value for name, value in os.environ.items() if name != "WANDB_SERVICE"}
    log = runs.with_suffix(".log")
    with (
        log.open("w") as output,
        subprocess.Popen(command, stdout=output, stderr=output, env={**environment, **environ}) as process,
    ):
        # However busy the machine is.
        for _ in range(10_000):
            written = [path.read_text().splitlines()[1:] for path in runs.glob("digits/*/metrics.csv")]
            if written and written[0] and int(written[0][-1].split(",")[0] or 0) >= step:
                break
            assert process.poll() is None, log.read_text()
            time.sleep(0.02)
        else:
            process.kill()
            pytest.fail(f"the run did not reach step {step}")
        started = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split() if children else []
        assert bool(started) == children
        for pid in (*map(int, started), process.pid):
            os.kill(pid, signum)
        status = process.wait(120)
    return status, " ".join(log.read_text().split())


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    with pytest.MonkeyPatch.context() as monkeypatch:
        return fit(monkeypatch, tmp_path_factory.mktemp("undisturbed"), *LONG, "--wandb.mode=disabled")


@pytest.fixture
def scontrol(monkeypatch, tmp_path):
    """A command of this name that notes its arguments."""
    (tmp_path / "bin").mkdir()
    noted = tmp_path / "scontrol.txt"
    noted.touch()
    command = tmp_path / "bin" / "scontrol"
    # What Slurm says of a job that is to give way to others, if it is number 78, and of others.
    command.write_text(
        f"""#!/bin/sh
if [ "$1" = show ]; then
  case "$4" in 78) time=2026-11-26T20:37:26;; *) time=None;; esac
  echo "JobId=$4 JobState=RUNNING PreemptTime=$time"
else
  echo "$@" >> {noted}
fi
"""
    )
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    return noted


def same_end(folder: Path, expected: Path) -> None:
    assert rows(folder) == rows(expected)
    ours, theirs = (torch.load(f / "checkpoints" / "last.ckpt", weights_only=True) for f in (folder, expected))
    assert all(torch.equal(value, theirs["state_dict"][name]) for name, value in ours["state_dict"].items())
    assert ours["wgan_lip"]["critic_step"] == theirs["wgan_lip"]["critic_step"] == 3 * 307


def logged_steps(part: Path) -> set[int]:
    """The steps of a run's offline file."""
    command = [Path(sys.executable).with_name("wandb"), "leet", "inspect", "--json", part]
    printed = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout
    records = [json.loads(line) for line in printed.splitlines()]
    return {record["history"]["item"]["generator_step"] for record in records if record["type"] == "history"}


@pytest.mark.slow
def test_preempted_three_times_ends_with_the_same_numbers(undisturbed, scontrol, monkeypatch, tmp_path):
    runs = tmp_path / "runs"
    saved = []
    for signum, step, status in (
        (signal.SIGUSR1, 50, os.EX_TEMPFAIL),
        (signal.SIGTERM, 120, 128 + signal.SIGTERM),
        (signal.SIGUSR2, 220, os.EX_TEMPFAIL),
    ):
        got, printed = signalled(runs, signum, step, "--run=a", "--wandb.mode=offline")
        assert got == status, printed
        assert f"{signal.Signals(signum).name}: saved at generator step" in printed
        assert "The same command goes on there." in printed
        # The table of what there is.
        assert "exact/floor" in printed
        checkpoint = torch.load(runs / "digits" / "a" / "checkpoints" / "last.ckpt", weights_only=True)["wgan_lip"]
        # At the very step: nothing that was logged comes after the checkpoint.
        assert checkpoint["metrics_rows"] == len(rows(runs / "digits" / "a"))
        assert checkpoint["generator_step"] >= step
        assert rows(runs / "digits" / "a") == rows(undisturbed)[: checkpoint["metrics_rows"]]
        saved.append(checkpoint["critic_step"])
    assert sorted(saved) == saved
    folder = fit(monkeypatch, runs, *LONG, "--run=a", "--wandb.mode=offline")
    same_end(folder, undisturbed)
    assert sorted(path.name for path in (folder / "samples").iterdir()) == sorted(
        path.name for path in (undisturbed / "samples").iterdir()
    )
    # No job, so none was requeued; and one run in Weights & Biases, in four parts.
    assert scontrol.read_text() == ""
    parts = [path.name.split("-", 3)[3] for path in (folder / "wandb").glob("offline-run-*")]
    assert parts == 4 * ["digits-a"]


@pytest.mark.slow
def test_the_process_of_wandb_is_sent_the_signal_too_and_ends_at_once(undisturbed, monkeypatch, tmp_path):
    runs = tmp_path / "runs"
    status, printed = signalled(runs, signal.SIGTERM, 50, "--run=a", "--wandb.mode=offline", children=True)
    assert status == 128 + signal.SIGTERM, printed
    assert "SIGTERM: saved at generator step" in printed
    assert "Weights & Biases: its process has ended" in printed
    assert "Traceback" not in printed
    folder = fit(monkeypatch, runs, *LONG, "--run=a", "--wandb.mode=offline")
    same_end(folder, undisturbed)
    # What it did not take then it has been told by the run that went on.
    kept = {step for part in folder.glob("wandb/offline-run-*/*.wandb") for step in logged_steps(part)}
    assert kept >= {int(row["generator_step"]) for row in rows(undisturbed)}


SLURM = {
    "SLURM_JOB_ID": "77",
    "SLURM_NTASKS": "1",
    "SLURM_PROCID": "0",
    "SLURM_LOCALID": "0",
    "SLURM_NODEID": "0",
    "SLURM_JOB_NAME": "wgan",
}
ARRAY = {**SLURM, "SLURM_ARRAY_JOB_ID": "70", "SLURM_ARRAY_TASK_ID": "6"}


def _slow(*values):
    return pytest.param(*values, marks=pytest.mark.slow)


@pytest.mark.parametrize(
    ("environ", "signum", "requeued"),
    [
        (SLURM, signal.SIGUSR1, "requeue 77\n"),
        _slow(ARRAY, signal.SIGUSR2, "requeue 70_6\n"),
        # Who cancels does not want it.
        _slow(SLURM, signal.SIGTERM, ""),
        # Slurm requeues for others at the end of the grace time, but no job that has ended by itself.
        _slow({**SLURM, "SLURM_JOB_ID": "78"}, signal.SIGTERM, "requeue 78\n"),
        _slow({**SLURM, "SLURM_JOB_NAME": "interactive"}, signal.SIGUSR1, ""),
    ],
)
def test_a_job_is_requeued_once_by_its_id(environ, signum, requeued, scontrol, undisturbed, tmp_path):
    runs = tmp_path / "runs"
    status, printed = signalled(runs, signum, 20, "--wandb.mode=disabled", **environ)
    assert scontrol.read_text() == requeued
    assert status == (128 + signum if signum == signal.SIGTERM else os.EX_TEMPFAIL), printed
    (folder,) = (runs / "digits").iterdir()
    if requeued:
        assert folder.name == f"slurm-{environ['SLURM_JOB_ID']}"
        assert f"Job {requeued.split()[1]} is requeued, and goes on there." in printed
    assert rows(folder) == rows(undisturbed)[: len(rows(folder))]


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["lightning", "torchrun"])
def test_two_ranks_stop_at_the_same_step_and_one_goes_on(launcher, undisturbed, monkeypatch, tmp_path):
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    runs = tmp_path / "runs"
    arguments = ("--run=a", "--wandb.mode=offline", "--trainer.devices=2")
    # Lightning's first process alone is sent the signal; torchrun hands it on to all. (Without the two dashes it takes
    # --run for an option of its own.)
    with_torchrun = ("torch.distributed.run", "--nproc-per-node=2", "-m", "--", "wgan_lip")
    module = ("wgan_lip",) if launcher == "lightning" else with_torchrun
    status, printed = signalled(runs, signal.SIGTERM, 30, *arguments, module=module)
    assert "SIGTERM: saved at generator step" in printed
    assert printed.count("exact/floor") == 1
    assert "Error" not in printed.replace("ChildFailedError", "")
    if launcher == "lightning":
        assert status == 128 + signal.SIGTERM
    folder = runs / "digits" / "a"
    kept = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["wgan_lip"]
    assert kept["metrics_rows"] == len(rows(folder))
    assert kept["generator_step"] >= 30
    assert len(list(folder.glob("wandb/offline-run-*"))) == 1
    # The node comes back with another number of processes.
    fit(monkeypatch, runs, *LONG, "--run=a", "--wandb.mode=offline")
    steps = ("generator_step", "critic_step")
    assert [[row[name] for name in steps] for row in rows(folder)] == [
        [row[name] for name in steps] for row in rows(undisturbed)
    ]


def test_a_requeue_that_fails_is_one_line(scontrol, tmp_path):
    (tmp_path / "bin" / "scontrol").write_text("#!/bin/sh\necho 'slurm_requeue: not permitted' >&2\nexit 1\n")
    runs = tmp_path / "runs"
    status, printed = signalled(runs, signal.SIGUSR1, 20, "--wandb.mode=disabled", **SLURM)
    assert status == 2
    assert "wgan-lip: error: scontrol requeue 77: slurm_requeue: not permitted: submit the job again" in printed
    assert "saved at generator step" in printed


def test_without_a_name_it_is_said_how_it_goes_on(tmp_path):
    runs = tmp_path / "runs"
    status, printed = signalled(runs, signal.SIGUSR1, 20, "--wandb.mode=disabled")
    (folder,) = (runs / "digits").iterdir()
    assert status == os.EX_TEMPFAIL
    assert f"The same command with --ckpt_path {folder} goes on there." in printed


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_killed_forty_times_ends_with_the_same_numbers(monkeypatch, tmp_path):
    words = [
        "-c",
        DIGITS,
        *SMALL,
        "--model.init_args.generator_steps=150",
        "--exact_w1.every=10",
        "--checkpoint.every=3",
    ]
    words += ["--sample_grid.every=40", "--wandb.mode=disabled"]
    run(monkeypatch, "fit", *words, f"--runs_dir={tmp_path}", "--run=whole")
    command = [sys.executable, "-m", "tests.support.killed", "40", "0", tmp_path, *words]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=560)
    said = re.fullmatch(r"killed 40 times in (\d+) runs", done.stdout.strip().splitlines()[-1])
    assert said, done.stderr
    whole, *ours = (tmp_path / "digits" / name for name in ("whole", *map(str, range(int(said[1])))))
    weights = [torch.load(f / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"] for f in (whole, *ours)]
    for folder, state in zip(ours, weights[1:], strict=True):
        assert rows(folder) == rows(whole)
        assert state.keys() == weights[0].keys()
        assert all(torch.equal(value, weights[0][name]) for name, value in state.items())
        # Files that were never finished go when they are old; the lock ended with each process.
        left = {path.relative_to(folder) for path in folder.rglob("*") if not path.name.startswith(".wgan-lip-")}
        assert left == {path.relative_to(whole) for path in whole.rglob("*")}
