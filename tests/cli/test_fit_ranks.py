"""The command line on two ranks, as Lightning starts them: what is shown, written, and said when something fails."""

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.commands import DIGITS, SMALL
from tests.support.metrics import assert_close, rows

WGAN_LIP = Path(sys.executable).with_name("wgan-lip")
SMALL_ON_TWO = [*SMALL, "--trainer.precision=64-true", "--wandb.mode=disabled"]


def start(runs: Path, *arguments: str, ranks: int = 2, largest_file: int | None = None) -> subprocess.Popen[str]:
    """``wgan-lip fit`` on the small digits config, in a session of its own."""
    return subprocess.Popen(
        [WGAN_LIP, "fit", "-c", DIGITS, *SMALL_ON_TWO, f"--trainer.devices={ranks}", f"--runs_dir={runs}", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "GLOO_SOCKET_IFNAME": "lo"},
        preexec_fn=lambda: largest_file and resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file)),
    )


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def ranks_of(process: subprocess.Popen[str]) -> list[int]:
    """The processes of a training: those that run the command."""
    found = [process.pid, *children(process.pid)]
    return [pid for pid in found if b"wgan-lip" in Path(f"/proc/{pid}/cmdline").read_bytes()]


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The run on one rank."""
    runs = tmp_path_factory.mktemp("alone")
    out, err = (process := start(runs, "--run=alone", ranks=1)).communicate(timeout=200)
    assert process.returncode == 0, err
    return runs / "digits" / "alone", out


def test_two_ranks_write_and_say_what_one_does(alone, tmp_path):
    folder, printed = alone
    out, err = (process := start(tmp_path, "--run=two")).communicate(timeout=200)
    assert process.returncode == 0, err
    assert out.count("W1 of generated against held-out real samples") == 1
    assert len(out.splitlines()) == len(printed.splitlines())
    assert err.count("generator step 20/20: W1 exact") == 1
    two = tmp_path / "digits" / "two"
    assert sorted(path.name for path in two.rglob("*")) == sorted(path.name for path in folder.rglob("*"))
    assert_close(rows(two), rows(folder))


@pytest.mark.parametrize("victim", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_rank_that_is_killed_ends_the_training_in_a_minute_with_one_line(victim, alone, tmp_path):
    process = start(tmp_path, "--run=killed", "--model.init_args.generator_steps=100000", "--exact_w1.every=1000")
    folder = tmp_path / "digits" / "killed"
    while not (folder / "checkpoints" / "last.ckpt").exists() or len(ranks := ranks_of(process)) < 2:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    killed = time.monotonic()
    os.kill(ranks[victim], signal.SIGKILL)
    # Both hold the pipes: this returns when both are gone.
    _, err = process.communicate(timeout=60)
    assert time.monotonic() - killed < 60
    assert process.returncode in (2, -signal.SIGKILL)
    assert "Traceback" not in err
    lines = [line for line in err.splitlines() if line.startswith("wgan-lip: error: ")]
    assert len(lines) == 1
    assert ("rank 1: " in lines[0]) == (victim == 0)
    assert "another process of this training ended" in lines[0]


@pytest.mark.slow
def test_a_full_disk_ends_both_ranks_with_one_line(tmp_path):
    _, err = (process := start(tmp_path, "--run=full", largest_file=20_000)).communicate(timeout=200)
    assert process.returncode == 2
    assert "Traceback" not in err
    assert next(line for line in err.splitlines() if "error" in line).startswith("wgan-lip: error: cannot save")
    assert not (tmp_path / "digits" / "full" / "checkpoints" / "last.ckpt").exists()


@pytest.mark.slow
def test_torchrun_starts_the_ranks_as_well(alone, tmp_path):
    command = [
        Path(sys.executable).with_name("torchrun"),
        "--standalone",
        "--nproc-per-node=2",
        "--no-python",
        WGAN_LIP,
    ]
    options = [*SMALL_ON_TWO, "--trainer.devices=2", f"--runs_dir={tmp_path}"]
    environment = {**os.environ, "GLOO_SOCKET_IFNAME": "lo"}
    done = subprocess.run(
        [*command, "fit", "-c", DIGITS, *options], env=environment, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "digits").iterdir()
    assert folder.name.startswith("torchrun-")
    assert_close(rows(folder), rows(alone[0]))
