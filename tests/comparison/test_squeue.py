"""What squeue prints, and what is asked of sbatch: programs of these names stand in for Slurm's."""

import os
from pathlib import Path
from typing import Any

import pytest
import submitit
from submitit.core.utils import cloudpickle_dump

from tests.comparison.test_comparison import cells
from wgan_lip.comparison import Failure, JobArray, JobState, Outcome, Store, run_cells, slurm, wait_for_jobs
from wgan_lip.comparison.run import TrainAndKeep
from wgan_lip.comparison.slurm import job_states


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder at the head of the PATH, with an sbatch that keeps what it is given as job 7."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in {
        "sbatch": f'cp "$1" {tmp_path}/script\necho Submitted batch job 7',
        "srun": "",
        "squeue": f'echo "$@" > {tmp_path}/asked\necho "7|1|RUNNING|None"',
    }.items():
        program(folder, name, text)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


def program(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


def test_lines_are_jobs(programs: Path) -> None:
    text = "12|0|PENDING|Resources\n12|1|TIMEOUT|TimeLimit\n13|N/A|RUNNING|None\n14|2|COMPLETING|a|b"
    program(programs, "squeue", f"echo '{text}'")
    states = job_states("--name=a")
    assert states == {
        "12_0": JobState("PENDING", "Resources"),
        "12_1": JobState("TIMEOUT", "TimeLimit"),
        "13": JobState("RUNNING"),
        "14_2": JobState("COMPLETING", "a|b"),
    }
    assert [state.has_ended for state in states.values()] == [False, True, False, False]
    assert [str(state) for state in states.values()][1:3] == ["TIMEOUT, TimeLimit", "RUNNING"]
    program(programs, "squeue", "echo slurm_load_jobs")
    with pytest.raises(OSError, match=r"got 'slurm_load_jobs'"):
        job_states("--name=a")


def test_one_question_for_all_jobs_of_a_name(programs: Path, tmp_path: Path) -> None:
    assert job_states("--name=some-name") == {"7_1": JobState("RUNNING")}
    asked = (tmp_path / "asked").read_text()
    assert "--name=some-name" in asked
    assert "--me" in asked
    program(programs, "squeue", "echo 'slurm_load_jobs error: Socket timed out' >&2; exit 1")
    with pytest.raises(OSError, match="squeue failed: slurm_load_jobs error: Socket timed out"):
        job_states("--name=some-name")


def test_jobs_are_waited_for_until_all_have_ended(programs: Path, tmp_path: Path) -> None:
    states = [
        "7|1|PENDING|Priority\n7|2|RUNNING|None",
        "busy",
        "7|1|COMPLETED|None\n7|2|RUNNING|None",
        "7|9|RUNNING|None",
    ]
    for i, printed in enumerate(states):
        (tmp_path / f"{i}").write_text(printed + "\n")
    program(
        programs,
        "squeue",
        f"""cd {tmp_path}
            n=$(cat n 2>/dev/null || echo 0); echo $((n + 1)) > n; echo "$@" >> asked
            if [ $n = 1 ]; then cat 1 >&2; exit 1; fi
            cat $n""",
    )
    reported: list[tuple[str, str]] = []
    assert not wait_for_jobs(["7_1", "7_2"], lambda job, state: reported.append((job, str(state))), every=0.01)
    assert reported == [
        ("7_1", "PENDING, Priority"),
        ("7_2", "RUNNING"),
        ("7_1", "COMPLETED"),
        ("7_2", "UNKNOWN, squeue no longer lists it"),
    ]
    assert all("--jobs=7" in asked for asked in (tmp_path / "asked").read_text().splitlines())
    program(programs, "squeue", "echo '7|1|COMPLETED|None'")
    assert wait_for_jobs(["7_1"], lambda job, state: None, every=0.01)


def test_a_job_that_is_forgotten_is_no_error_but_a_scheduler_that_is_away_is(
    programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(programs, "squeue", "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1")
    assert job_states("--jobs=7") == {}
    program(programs, "squeue", "echo 'slurm_load_jobs error: Socket timed out' >&2; exit 1")
    monkeypatch.setattr(slurm, "PATIENCE", 0.1)
    with pytest.raises(OSError, match="squeue failed: slurm_load_jobs error: Socket timed out"):
        wait_for_jobs(["7"], lambda job, state: None, every=0.01)


def array(folder: Path, **parameters: Any) -> JobArray:
    executor = submitit.SlurmExecutor(folder)
    executor.update_parameters(job_name="some-name", time=5, **parameters)
    return JobArray(Store(folder / "cells"), executor, lambda line: None, retries=0, grace=0.0, every=0.0)


def test_cells_are_an_array_of_jobs(programs: Path, tmp_path: Path) -> None:
    folder = tmp_path / "a b" / "slurm"
    program(programs, "squeue", "")
    results = list(run_cells(cells(), Store(tmp_path), array(folder, array_parallelism=2, mem="2G")))
    assert [result.error.partition(";")[0] for result in results if isinstance(result, Failure)] == 4 * ["lost once"]
    script = (tmp_path / "script").read_text()
    for line in ("--job-name=some-name", "--array=0-3%2", "--time=5", "--mem=2G"):
        assert f"#SBATCH {line}\n" in script
    assert [result.error.split(" ")[7] for result in results if isinstance(result, Failure)] == [
        f"7_{i}:" for i in range(4)
    ]
    (result,) = run_cells(cells()[:1], Store(tmp_path), array(folder))
    assert "last job, 7: UNKNOWN" in result.error  # type: ignore[union-attr]
    assert "--array" not in (tmp_path / "script").read_text()


def test_what_sbatch_refuses_is_said(programs: Path, tmp_path: Path) -> None:
    program(programs, "sbatch", "echo 'sbatch: error: invalid partition specified: gpuu' >&2; exit 1")
    with pytest.raises(OSError, match="Slurm took no jobs: sbatch: error: invalid partition specified: gpuu"):
        list(run_cells(cells(), Store(tmp_path), array(tmp_path / "slurm")))


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        (("success", Failure(cells()[0], "ValueError: no", "trace")), "ValueError: no"),
        (("success", {"seconds": 1.0}), "lost once; state of its last job, 7"),
        (("error", "Traceback: ModuleNotFoundError"), "Slurm job 7 raised an error outside of the training"),
        (None, "lost once; state of its last job, 7"),
    ],
)
def test_errors_that_a_job_left_are_failures(
    programs: Path, tmp_path: Path, outcome: tuple[str, object] | None, error: str
) -> None:
    program(programs, "squeue", "")
    if outcome is not None:
        cloudpickle_dump(outcome, tmp_path / "7_0_result.pkl")
    (failure,) = run_cells(cells()[:1], Store(tmp_path / "cells"), array(tmp_path))
    assert isinstance(failure, Failure)
    assert failure.error.split(":")[0] == error.split(":")[0]
    if outcome is not None and outcome[0] == "error":
        assert "ModuleNotFoundError" in failure.trace


def test_a_requeued_job_begins_anew(tmp_path: Path) -> None:
    (cell, *_) = cells()
    outcome = TrainAndKeep(Store(tmp_path)).checkpoint(cell).result()
    assert isinstance(outcome, Outcome)
    assert outcome.cell == cell
