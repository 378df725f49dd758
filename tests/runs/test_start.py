"""The run's name by its launcher, its folder, and the checkpoint from which it resumes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from wgan_lip.runs.launcher import in_slurm, is_rank_0, name_from_launcher, process_identity
from wgan_lip.runs.run_lock import locked
from wgan_lip.runs.start import Start, find_start

SLURM = {"SLURM_JOB_ID": "77", "SLURM_NTASKS": "2", "SLURM_PROCID": "1", "SLURM_JOB_NAME": "wgan"}
TORCHRUN = {"TORCHELASTIC_RUN_ID": "none", "GROUP_WORLD_SIZE": "1", "RANK": "1", "LOCAL_RANK": "1"}


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, None),
        ({"SLURM_JOB_ID": "77", "SLURM_NTASKS": "2"}, "slurm-77"),
        (SLURM, "slurm-77"),
        ({**SLURM, "SLURM_STEP_ID": "0"}, "slurm-77"),
        ({**SLURM, "SLURM_STEP_ID": "3"}, "slurm-77-3"),
        # A requeued job, or another process of the same step.
        ({**SLURM, "SLURM_STEP_ID": "0", "SLURM_RESTART_COUNT": "2", "SLURM_PROCID": "0"}, "slurm-77"),
        # Shells in which a person types commands, and jobs in which no tasks were asked for.
        ({**SLURM, "SLURM_JOB_NAME": "bash"}, None),
        ({**SLURM, "SLURM_JOB_NAME": "interactive"}, None),
        ({"SLURM_JOB_ID": "77"}, None),
        (TORCHRUN, "torchrun-41-1234"),
        ({**TORCHRUN, "TORCHELASTIC_RUN_ID": "3f-a.b"}, "torchrun-3f-a.b"),
        ({**TORCHRUN, "TORCHELASTIC_RUN_ID": "my run/1"}, "torchrun-my_run_1"),
        # A sweep's agent inside a Slurm job; torchrun inside one.
        ({**SLURM, "WANDB_SWEEP_ID": "s1", "WANDB_RUN_ID": "r2"}, "sweep-s1-r2"),
        # What a server calls a run does not lead out of the folder of all runs.
        ({"WANDB_SWEEP_ID": "s1", "WANDB_RUN_ID": "../../r2"}, "sweep-s1-.._.._r2"),
        ({**SLURM, "SLURM_JOB_ID": "/7/../7"}, "slurm-_7_.._7"),
        ({**SLURM, **TORCHRUN, "TORCHELASTIC_RUN_ID": "77", "GROUP_WORLD_SIZE": "2"}, "torchrun-77"),
    ],
)
def test_the_name_is_the_launcher_s(environ, expected):
    assert name_from_launcher(environ, "41-1234") == expected


def test_a_torchrun_of_several_nodes_needs_an_id():
    with pytest.raises(ValueError, match="pass one by --run NAME"):
        name_from_launcher({**TORCHRUN, "GROUP_WORLD_SIZE": "2"}, "41")


def test_an_id_that_torchrun_drew_is_not_found_again(tmp_path):
    drawn = {**TORCHRUN, "TORCHELASTIC_RUN_ID": "812b2f28-e3fb-442c-afe7-950dfcfc8207"}
    assert [find(tmp_path, {**drawn, **more}).repeatable for more in ({}, {"TORCHELASTIC_RUN_ID": "77"})] == [
        False,
        True,
    ]
    assert not find(tmp_path, TORCHRUN).repeatable
    assert find(tmp_path, SLURM).repeatable
    assert find(tmp_path, drawn, run="a").repeatable


def test_slurm_is_there_where_lightning_sees_it():
    assert in_slurm(SLURM)
    assert not in_slurm({**SLURM, "SLURM_JOB_NAME": "interactive"})
    assert not in_slurm({})


def test_the_first_process_is_that_of_the_first_node():
    assert is_rank_0({}, 0)
    assert not is_rank_0({}, 1)
    assert not is_rank_0({"NODE_RANK": "1"}, 0)


def test_an_agent_is_told_from_others():
    assert process_identity(os.getpid()).startswith(f"{os.getpid()}-")
    assert process_identity(os.getpid()) == process_identity(os.getpid())
    assert process_identity(os.getpid()) != process_identity(os.getppid())
    assert process_identity(2**30) == str(2**30)


CHILD = """
import json, os, sys
from wgan_lip.runs.start import find_start
start = find_start(os.environ, run=None, ckpt_path=sys.argv[2], runs_dir=sys.argv[1], name="x", rank_0=False)
print(json.dumps([str(start.folder), str(start.checkpoint), start.repeatable]))
"""


def test_children_of_lightning_s_launcher_find_the_run_that_their_parent_locks(tmp_path):
    checkpoint = make(tmp_path / "x" / "20261128-100000")
    folder = tmp_path / "x" / "new"
    folder.mkdir()
    # Of another process, and begun later: it would be the last.
    make(tmp_path / "x" / "20261128-100001")
    with locked(folder, {}, checkpoint):
        command = [sys.executable, "-c", CHILD, str(tmp_path), "last"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        # The process that holds the lock may itself train again.
        assert find(tmp_path, {}) == Start(None, None, repeatable=False)
    assert json.loads(done.stdout) == [str(folder), str(checkpoint), False]


def find(tmp_path: Path, environ: dict[str, str], **arguments) -> Start:
    return find_start(environ, **{"run": None, "ckpt_path": None, "runs_dir": str(tmp_path), "name": "x", **arguments})


def make(folder: Path) -> Path:
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "config.yaml").touch()
    (folder / "checkpoints" / "last.ckpt").touch()
    return folder / "checkpoints" / "last.ckpt"


def test_a_named_run_begins_or_goes_on(tmp_path):
    folder = tmp_path / "x" / "a"
    assert find(tmp_path, {}, run="a") == Start(folder, None, repeatable=True)
    folder.mkdir(parents=True)
    assert find(tmp_path, SLURM, run="a", rank_0=False) == Start(folder, None, repeatable=True)
    checkpoint = make(folder)
    assert find(tmp_path, {}, run="a") == Start(folder, checkpoint, repeatable=True)
    with pytest.raises(ValueError, match="--run a resumes from the run's own checkpoint, so --ckpt_path last cannot"):
        find(tmp_path, {}, run="a", ckpt_path="last")
    with pytest.raises(ValueError, match="run must consist of letters"):
        find(tmp_path, {}, run="../a")


def test_a_launched_run_begins_or_goes_on(tmp_path):
    folder = tmp_path / "x" / "slurm-77"
    assert find(tmp_path, SLURM, rank_0=False) == Start(folder, None, repeatable=True)
    checkpoint = make(folder)
    assert find(tmp_path, SLURM) == Start(folder, checkpoint, repeatable=True)


def test_a_launched_run_from_a_checkpoint_goes_on_from_its_own_when_it_is_requeued(tmp_path):
    elsewhere = tmp_path / "kept.ckpt"
    elsewhere.touch()
    folder = tmp_path / "x" / "slurm-77"
    assert find(tmp_path, SLURM, ckpt_path=str(elsewhere)) == Start(folder, elsewhere, repeatable=True)
    own = make(folder)
    assert find(tmp_path, SLURM, ckpt_path=str(elsewhere)) == Start(folder, own, repeatable=True)
    # One in a run folder is of that run.
    other = make(tmp_path / "x" / "other")
    assert find(tmp_path, SLURM, ckpt_path=str(other)) == Start(other.parent.parent, other, repeatable=True)


def test_without_a_name_a_run_is_new(tmp_path):
    assert find(tmp_path, {}) == Start(None, None, repeatable=False)


@pytest.mark.parametrize("unknown", [{"nodes": 2}, {"rank_0": False}])
def test_processes_without_a_name_in_common_are_told_to_take_one(unknown, tmp_path):
    with pytest.raises(ValueError, match="pass one by --run NAME"):
        find(tmp_path, {}, **unknown)
    assert find(tmp_path, {}, run="a", **unknown).folder == tmp_path / "x" / "a"
