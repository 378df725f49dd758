"""Time by the clock and of all cores."""

import time
from collections.abc import Callable
from statistics import median
from typing import Any


def timed(function: Callable[..., Any], *arguments: Any, **options: Any) -> tuple[Any, float, float]:
    """What it returns, and its seconds by the clock and of all cores."""
    start, cpu_start = time.perf_counter(), time.process_time()
    result = function(*arguments, **options)
    return result, time.perf_counter() - start, time.process_time() - cpu_start


def in_turn(steps: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median seconds of a step of each, all in turn; the first round, which warms up, is not counted.

    Args:
        steps: what is timed, by name.
        rounds: that count.
    """
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(1 + rounds):
        for name, step in steps.items():
            # The second step finds the caches as training does; the first, as the one before has left them.
            step()
            seconds[name].append(timed(step)[1])
    return {name: median(times[1:]) for name, times in seconds.items()}
