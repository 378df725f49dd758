"""Tasks in several processes: each is done once, whichever process dies."""

import multiprocessing
import os

from wgan_lip.comparison.workers import DeadWorkerError, run_in_processes


def square(x: int) -> int:
    if x < 0:
        os._exit(3)
    return x * x


def test_every_task_is_done_and_a_dead_process_costs_its_own_only() -> None:
    results = dict(run_in_processes(square, [1, -1, 2, 3], jobs=2))
    dead = {task: result for task, result in results.items() if isinstance(result, DeadWorkerError)}
    assert set(dead) == {-1}
    assert "exit code 3" in str(dead[-1])
    assert {task: result for task, result in results.items() if task > 0} == {1: 1, 2: 4, 3: 9}
    assert not multiprocessing.active_children()


def test_closing_ends_the_processes() -> None:
    running = run_in_processes(square, [1, 2, 3], jobs=1)
    next(running)
    assert multiprocessing.active_children()
    running.close()
    assert not multiprocessing.active_children()


def test_no_tasks_no_processes() -> None:
    assert list(run_in_processes(square, [], jobs=2)) == []
