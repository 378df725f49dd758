"""Cells in several processes: each is run once, whichever process dies."""

import multiprocessing
import os
from typing import Any

from tests.comparison.test_comparison import cells
from wgan_lip.comparison import Cell, Failure, Processes


def name_of(cell: Cell) -> Any:
    """Stand in for a training; one of them is killed."""
    if cell.label == "free on absolute value, seed 0":
        os._exit(3)
    return cell.label


def test_every_cell_is_run_and_a_dead_process_costs_its_own_only() -> None:
    results: list[Any] = list(Processes(2)(name_of, cells()))
    (failure,) = (result for result in results if isinstance(result, Failure))
    assert failure.cell.label == "free on absolute value, seed 0"
    assert "ChildProcessError: the process died, exit code 3" in failure.error
    others = {cell.label for cell in cells()} - {failure.cell.label}
    assert {result for result in results if isinstance(result, str)} == others
    assert not multiprocessing.active_children()


def test_closing_ends_the_processes() -> None:
    running: Any = Processes(2)(name_of, cells())
    next(running)
    assert multiprocessing.active_children()
    running.close()
    assert not multiprocessing.active_children()


def test_no_cells_no_processes() -> None:
    assert list(Processes(2)(name_of, [])) == []
