"""What squeue prints, and what is asked of sbatch: programs of these names stand in for Slurm's."""

import os
from pathlib import Path

import pytest

from tests.comparison.test_comparison import cells
from wgan_lip.cli.queue import wait_for_jobs
from wgan_lip.comparison import Failure, Slurm
from wgan_lip.comparison.slurm import _CellJob
from wgan_lip.comparison.squeue import Seen, parse_queue, read_jobs, read_queue


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder at the head of the PATH, with an sbatch that keeps what it is given as job 7."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in {
        "sbatch": f'cp "$1" {tmp_path}/script\necho Submitted batch job 7',
        "srun": "",
        "squeue": f'echo "$@" > {tmp_path}/asked\necho "7|1|RUNNING|None|abc"',
    }.items():
        program(folder, name, text)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


def program(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


def test_lines_are_jobs() -> None:
    text = (
        "12|0|PENDING|Resources|ab\n12|1|TIMEOUT|TimeLimit|ab\n13|N/A|RUNNING|None|c|d\n14|2|COMPLETING|None|(null)\n"
    )
    queue = parse_queue(text)
    assert queue == {
        "12_0": Seen("PENDING", "Resources", "ab"),
        "12_1": Seen("TIMEOUT", "TimeLimit", "ab"),
        "13": Seen("RUNNING", "None", "c|d"),
        "14_2": Seen("COMPLETING", "None", "(null)"),
    }
    assert [seen.is_alive for seen in queue.values()] == [True, False, True, True]
    assert [str(seen) for seen in queue.values()][1:3] == ["TIMEOUT, TimeLimit", "RUNNING"]


def test_other_lines_are_named() -> None:
    with pytest.raises(OSError, match=r"got 'slurm_load_jobs'"):
        parse_queue("slurm_load_jobs\n")


def test_one_question_for_all_jobs_of_a_name(programs: Path, tmp_path: Path) -> None:
    assert read_queue("some-name") == {"7_1": Seen("RUNNING", "None", "abc")}
    asked = (tmp_path / "asked").read_text()
    assert "--name=some-name" in asked
    assert "--me" in asked
    program(programs, "squeue", "echo 'slurm_load_jobs error: Socket timed out' >&2; exit 1")
    with pytest.raises(OSError, match="squeue failed: slurm_load_jobs error: Socket timed out"):
        read_queue("some-name")


def test_jobs_are_waited_for_until_all_have_ended(programs: Path, tmp_path: Path) -> None:
    states = [
        "7|1|PENDING|Priority|a\n7|2|RUNNING|None|a",
        "busy",
        "7|1|COMPLETED|None|a\n7|2|RUNNING|None|a",
        "7|9|RUNNING|None|",
    ]
    for i, said in enumerate(states):
        (tmp_path / f"{i}").write_text(said + "\n")
    program(
        programs,
        "squeue",
        f"""cd {tmp_path}
            n=$(cat n 2>/dev/null || echo 0); echo $((n + 1)) > n; echo "$@" >> asked
            if [ $n = 1 ]; then cat 1 >&2; exit 1; fi
            cat $n""",
    )
    told: list[tuple[str, str]] = []
    ended = wait_for_jobs(["7_1", "7_2"], lambda job, seen: told.append((job, str(seen))), every=0.01)
    assert {job: seen.state for job, seen in ended.items()} == {"7_1": "COMPLETED", "7_2": "UNKNOWN"}
    assert told == [("7_1", "PENDING, Priority"), ("7_2", "RUNNING"), ("7_1", "COMPLETED"), ("7_2", "UNKNOWN")]
    assert all("--jobs=7" in asked for asked in (tmp_path / "asked").read_text().splitlines())


def test_a_job_that_is_forgotten_is_no_error_but_a_scheduler_that_is_away_is(programs: Path) -> None:
    program(programs, "squeue", "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1")
    assert read_jobs(["7"]) == {}
    program(programs, "squeue", "echo 'slurm_load_jobs error: Socket timed out' >&2; exit 1")
    with pytest.raises(OSError, match="squeue failed: slurm_load_jobs error: Socket timed out"):
        wait_for_jobs(["7"], lambda job, seen: None, every=0.01)


def test_cells_are_an_array_of_jobs(programs: Path, tmp_path: Path) -> None:
    parameters = {"job_name": "some-name", "time": 5, "array_parallelism": 2, "mem": "2G"}
    slurm = Slurm(tmp_path / "a b" / "slurm", parameters, requeues=1)
    assert slurm.submit(abs, cells(), "token") == ["7_0", "7_1", "7_2", "7_3"]  # type: ignore[arg-type]
    script = (tmp_path / "script").read_text()
    for line in ("--job-name=some-name", "--comment=token", "--array=0-3%2", "--time=5", "--mem=2G"):
        assert f"#SBATCH {line}\n" in script
    assert slurm.submit(abs, cells()[:1], "token") == ["7"]  # type: ignore[arg-type]
    assert "--array" not in (tmp_path / "script").read_text()


def test_what_sbatch_refuses_is_said(programs: Path, tmp_path: Path) -> None:
    program(programs, "sbatch", "echo 'sbatch: error: invalid partition specified: gpuu' >&2; exit 1")
    slurm = Slurm(tmp_path / "slurm", {"job_name": "some-name", "time": 5}, requeues=1)
    with pytest.raises(OSError, match="Slurm took no jobs: sbatch: error: invalid partition specified: gpuu"):
        slurm.submit(abs, cells(), "token")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        (("success", Failure(cells()[0], "ValueError: no", "trace")), "ValueError: no"),
        (("success", {"seconds": 1.0}), None),
        (("error", "Traceback: ModuleNotFoundError"), "Slurm job 7_1 raised an error outside of the training"),
        (None, None),
    ],
)
def test_errors_that_a_job_left_are_failures(
    programs: Path, tmp_path: Path, outcome: tuple[str, object] | None, error: str | None
) -> None:
    from submitit.core.utils import cloudpickle_dump

    slurm = Slurm(tmp_path, {"job_name": "some-name", "time": 5}, requeues=2)
    if outcome is not None:
        cloudpickle_dump(outcome, tmp_path / "7_1_0_result.pkl")
    failure = slurm.failure("7_1", cells()[1])
    assert (failure and failure.error.split(":")[0]) == (error and error.split(":")[0])
    if outcome is not None and outcome[0] == "error":
        assert failure is not None
        assert "ModuleNotFoundError" in failure.trace


def test_a_requeued_job_begins_anew_so_many_times() -> None:
    (cell, *_) = cells()
    job = _CellJob(_label, begins=2, minutes=5)  # type: ignore[arg-type]
    second = job.checkpoint(cell)
    assert second.result() == cell.label
    third = second._checkpoint_function()
    assert third is not None
    failure = third.result()
    assert isinstance(failure, Failure)
    assert "did not end within the 5 minutes" in failure.error


def _label(cell: object) -> object:
    return cell.label  # type: ignore[attr-defined]
