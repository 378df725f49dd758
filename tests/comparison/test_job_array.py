"""Cells as jobs: submitted once, gathered as they end, submitted again if they are lost. No cluster is needed."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.comparison.fake import DONE, FakeSlurm, Plan
from tests.comparison.test_comparison import CRITICS, MLP, cells, numbers
from wgan_lip.comparison import Cell, Failure, JobArray, Outcome, Processes, Store, run_cells, slurm


class Comparison:
    """Four small cells in a folder, by jobs of a fake Slurm."""

    def __init__(self, folder: Path) -> None:
        self.cells: list[Cell] = cells()
        self.store = Store(folder / "cells")
        self.slurm = FakeSlurm(folder / "slurm")
        self.said: list[str] = []

    def plan(self, first: Plan, again: Plan = DONE, label: str = "MaxMin on absolute value, seed 1") -> None:
        """For one of the cells; the others are done."""

        def planned(cell: Cell, before: int) -> Plan:
            return DONE if cell.label != label else again if before else first

        self.slurm.plan = planned

    def launcher(self, retries: int = 2, grace: float = 0.0) -> JobArray:
        return JobArray(self.store, self.slurm, self.said.append, retries, grace=grace, every=0.0)  # type: ignore

    def run(self, **settings: Any) -> tuple[list[Outcome], list[Failure]]:
        found = list(run_cells(self.cells, self.store, self.launcher(**settings)))
        outcomes = [one for one in found if isinstance(one, Outcome)]
        return outcomes, [one for one in found if isinstance(one, Failure)]


@pytest.fixture
def comparison(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Comparison:
    comparison = Comparison(tmp_path)
    monkeypatch.setattr(slurm, "job_states", comparison.slurm.job_states)
    return comparison


LABELS = [cell.label for cell in cells()]


def test_jobs_give_what_processes_give_in_one_array(comparison: Comparison, tmp_path: Path) -> None:
    outcomes, failures = comparison.run()
    alone = [one for one in run_cells(cells(), Store(tmp_path / "alone")) if isinstance(one, Outcome)]
    assert numbers(outcomes) == numbers(alone)
    assert not failures
    assert comparison.slurm.arrays == [LABELS]
    again, _ = comparison.run()
    assert [one.is_new for one in again] == 4 * [False]
    assert comparison.slurm.arrays == [LABELS]
    assert [path.suffix for path in comparison.store.folder.iterdir()] == 4 * [".json"]


@pytest.mark.parametrize("state", ["NODE_FAIL", "OUT_OF_MEMORY", "CANCELLED", "forgotten", "COMPLETED"])
def test_a_lost_cell_is_submitted_again(comparison: Comparison, state: str) -> None:
    comparison.plan(first=("RUNNING", state))
    outcomes, failures = comparison.run(retries=1)
    assert (len(outcomes), failures) == (4, [])
    assert comparison.slurm.arrays == [LABELS, ["MaxMin on absolute value, seed 1"]]
    (line,) = [line for line in comparison.said if "lost" in line]
    assert ("UNKNOWN, squeue no longer lists it" if state == "forgotten" else state) in line


def test_a_cell_that_is_always_lost_is_a_failure_that_says_why(comparison: Comparison) -> None:
    comparison.plan(first=("RUNNING", "OUT_OF_MEMORY"), again=("OUT_OF_MEMORY",))
    comparison.slurm.folder.mkdir()
    (comparison.slurm.folder / "2_0_0_log.out").write_text("slurmstepd: Detected 1 oom-kill event")
    outcomes, failures = comparison.run(retries=2)
    assert len(outcomes) == 3
    (failure,) = failures
    assert "lost 3 times; state of its last job, 2_0: OUT_OF_MEMORY" in failure.error
    assert "oom-kill" in failure.trace
    # The same command runs it again.
    comparison.plan(first=DONE)
    assert len(comparison.run()[0]) == 4


def test_a_cell_that_raises_is_not_tried_again(comparison: Comparison) -> None:
    bad = {"class_path": "wgan_lip.lipschitz.GroupSort", "init_args": {"group_size": 3}}
    broken = {"critic": {**MLP, "init_args": {"width": 8, "activation": bad}}}
    comparison.cells = cells({"broken": broken, **CRITICS}, seeds=(0,))
    outcomes, failures = comparison.run()
    assert len(outcomes) == 2
    assert "group_size=3" in failures[0].error
    assert "Traceback" in failures[0].trace
    assert len(comparison.slurm.arrays) == 1


def test_a_requeued_job_is_not_lost(comparison: Comparison) -> None:
    comparison.plan(first=("RUNNING", "PREEMPTED", "PENDING", "RUNNING", "work", "COMPLETED"))
    outcomes, _ = comparison.run(grace=60.0)
    assert len(outcomes) == 4
    assert comparison.slurm.arrays == [LABELS]


def test_a_file_may_be_seen_after_the_end_of_its_job(comparison: Comparison) -> None:
    comparison.plan(first=("RUNNING", "forgotten", "forgotten", "work"))
    outcomes, _ = comparison.run(grace=60.0)
    assert len(outcomes) == 4
    assert comparison.slurm.arrays == [LABELS]


def test_nothing_is_lost_while_slurm_is_away(comparison: Comparison, monkeypatch: pytest.MonkeyPatch) -> None:
    comparison.plan(first=("RUNNING", "away", "away", "work", "COMPLETED"))
    outcomes, _ = comparison.run()
    assert len(outcomes) == 4
    assert comparison.slurm.arrays == [LABELS]
    monkeypatch.setattr(slurm, "PATIENCE", -1.0)
    comparison.plan(first=DONE, again=("RUNNING", "away"))
    comparison.cells = cells(steps=4)
    with pytest.raises(OSError, match=r"Unable to contact .* scancel --name=fake"):
        comparison.run()


def interrupted_while_jobs_run(comparison: Comparison) -> None:
    comparison.plan(first=("RUNNING",))
    running = run_cells(comparison.cells, comparison.store, comparison.launcher())
    for _ in range(3):
        next(running)
    running.close()


def interrupted_while_it_submits(comparison: Comparison) -> None:
    comparison.slurm.dies_while_submitting = True
    with pytest.raises(KeyboardInterrupt):
        comparison.run()
    comparison.slurm.dies_while_submitting = False


@pytest.mark.parametrize("interrupt", [interrupted_while_jobs_run, interrupted_while_it_submits])
def test_a_killed_comparison_goes_on_and_submits_nothing_twice(
    comparison: Comparison, interrupt: Callable[[Comparison], None]
) -> None:
    interrupt(comparison)
    # The job that was running goes on.
    comparison.slurm.plans = {job: iter(("RUNNING", "work", "COMPLETED")) for job in comparison.slurm.plans}
    comparison.cells = [*comparison.cells, *cells({"wide": {"critic": MLP, "steps": 5}}, seeds=(0,))]
    outcomes, failures = comparison.run()
    assert (len(outcomes), failures) == (5, [])
    assert comparison.slurm.arrays == [LABELS, ["wide on absolute value, seed 0"]]
    assert any("submitted before" in line for line in comparison.said)


def test_a_result_that_was_removed_is_made_again(comparison: Comparison) -> None:
    comparison.run()
    (comparison.store.folder / f"{comparison.cells[2].key}.json").unlink()
    outcomes, _ = comparison.run()
    assert [one.is_new for one in outcomes].count(True) == 1
    assert comparison.slurm.arrays == [LABELS, [LABELS[2]]]


def test_no_array_is_larger_than_slurm_allows(comparison: Comparison, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slurm, "LARGEST_ARRAY", 3)
    assert len(comparison.run()[0]) == 4
    assert comparison.slurm.arrays == [LABELS[:3], LABELS[3:]]


@pytest.mark.parametrize("by_jobs", [True, False])
def test_cells_that_differ_in_labels_only_are_trained_once(comparison: Comparison, by_jobs: bool) -> None:
    trained = []
    save = Store.save

    class Counting(Store):
        def save(self, outcome: Outcome) -> None:
            trained.append(outcome.cell.label)
            save(self, outcome)

    comparison.store = Counting(comparison.store.folder)
    twin = replace(comparison.cells[0], critic="twin")
    launcher = comparison.launcher() if by_jobs else Processes()
    found = list(run_cells([*comparison.cells, twin], comparison.store, launcher))
    assert sorted(one.cell.label for one in found) == sorted([*LABELS, twin.label])
    assert sorted(trained) == sorted(LABELS)


@pytest.mark.parametrize("content", [b"", b"no pickle", b"\x80\x05N.", b"\x80\x05cno.such\nmodule\n."])
def test_a_job_that_cannot_be_read_is_named_and_its_cell_submitted(comparison: Comparison, content: bytes) -> None:
    comparison.slurm.folder.mkdir()
    (comparison.slurm.folder / "9_0_submitted.pkl").write_bytes(content)
    assert len(comparison.run()[0]) == 4
    assert "9_0_submitted.pkl is not a job of this comparison and is ignored" in comparison.said[0]


@pytest.mark.parametrize("setting", ["retries", "grace"])
def test_negative_settings_are_named(comparison: Comparison, setting: str) -> None:
    with pytest.raises(ValueError, match=f"{setting} must not be negative; got {setting}=-1"):
        comparison.launcher(**{setting: -1})
