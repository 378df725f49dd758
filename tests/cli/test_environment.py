"""What stands in the environment either does what it means, or is refused in one line."""

import os
import subprocess
import sys

import pytest
from matplotlib import get_backend

from wgan_lip.cli.commands import overview
from wgan_lip.cli.process import prepare_environment

RANKS = ("RANK", "LOCAL_RANK", "GROUP_RANK", "NODE_RANK", "SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID")
SIZES = ("WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_WORLD_SIZE", "SLURM_NTASKS", "SLURM_NNODES", "MASTER_PORT")


@pytest.mark.parametrize("name", [*RANKS, *SIZES, "SLURM_JOB_ID", "SLURM_STEP_ID", "TORCHELASTIC_RUN_ID"])
def test_what_is_empty_is_not_set(name):
    for value in ("", " "):
        environ = {name: value}
        prepare_environment(environ)
        assert name not in environ


@pytest.mark.parametrize("name", [*RANKS, *SIZES])
def test_what_must_be_a_number_is_one(name):
    for value in ("x", "1.5", "-1", "1e3"):
        with pytest.raises(ValueError, match=f"environment's {name} must be a whole number from [01]; got '{value}'"):
            prepare_environment({name: value})
    environ = {name: "2"}
    prepare_environment(environ)
    assert environ[name] == "2"


def test_there_is_at_least_one_process():
    for name in SIZES:
        with pytest.raises(ValueError, match=f"{name} must be a whole number from 1; got '0'"):
            prepare_environment({name: "0"})


@pytest.mark.parametrize("columns", ["", "0", "00", "x", "1", "10000"])
def test_the_overview_is_shown_in_any_width(columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    prepare_environment(os.environ)
    assert os.environ.get("COLUMNS") == (None if columns in ("", "0", "00") else columns)
    assert "wgan-lip w1 real.npy fake.npz" in overview()
    assert get_backend().lower() == "agg"


COMMAND = [sys.executable, "-m", "wgan_lip", "fit", "-c", "wgan_lip:gan/digits.yaml", "--print_config"]


def test_imports_do_not_end_by_what_others_set():
    odd = {"RANK": "", "SLURM_NTASKS": "", "MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    done = subprocess.run(COMMAND, capture_output=True, text=True, env={**os.environ, **odd})
    assert (done.returncode, done.stderr) == (0, "")
    assert "\nname: digits\n" in done.stdout


def test_a_rank_that_is_no_number_is_one_line():
    done = subprocess.run(COMMAND, capture_output=True, text=True, env={**os.environ, "LOCAL_RANK": "x"})
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(
        "wgan-lip: error: the environment's LOCAL_RANK must be a whole number from 0; got 'x'"
    )
    assert done.stderr.count("\n") == 1
