"""Measurements that run in a process of their own, on samples in a folder."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from scripts.shared.timing import timed
from scripts.transport_bench.cells import relative_difference
from scripts.transport_bench.processes import load, peak_memory, reset_peak

# Points of the problem that is solved first, so that imports and thread pools are not measured.
WARM_UP = 32


def measure(solve: Callable[[np.ndarray, np.ndarray], float], folder: Path, limit: float) -> dict[str, float]:
    """Measure value, seconds, and bytes above those in use; an alarm ends the process after ``limit`` seconds."""
    x, y = load(folder)
    solve(x[:WARM_UP], y[:WARM_UP])
    before = reset_peak()
    signal.setitimer(signal.ITIMER_REAL, limit)
    value, seconds, cpu_seconds = timed(solve, x, y)
    signal.setitimer(signal.ITIMER_REAL, 0)
    used = {"bytes": peak_memory() - before, "bytes_before": before}
    return {"value": value, "seconds": seconds, "cpu_seconds": cpu_seconds} | used


def solve_images(folder: Path) -> dict[str, Any]:
    """Solve one problem by this package and print its progress."""
    from wgan_lip.transport import Progress, wasserstein1

    def show(state: Progress) -> None:
        print(
            f"{state.seconds:8.1f} s  {state.points[0]} points, round {state.round}, {state.arcs} arcs, "
            f"W1 in [{state.lower:.9g}, {state.upper:.9g}]",
            flush=True,
        )

    x, y = load(folder)
    before = reset_peak()
    result = wasserstein1(x, y, progress=show)
    return {
        "n": len(x),
        "d": x.shape[1],
        "value": result.value,
        "relative_gap": (result.upper - result.lower) / result.upper,
        "method": result.method,
        "seconds": result.seconds,
        "bytes": peak_memory() - before,
        "bytes_before": before,
    }


def solve_again(folder: Path) -> dict[str, float]:
    """Measure the time after y has moved by a hundredth of its width, without and with the old potentials."""
    from wgan_lip.transport import wasserstein1

    x, y = load(folder)
    first, first_seconds, _ = timed(wasserstein1, x, y)
    moved = y + 0.01 * y.std() * np.random.default_rng(0).normal(size=y.shape)
    potentials = first.x_potential, first.y_potential
    cold, cold_seconds, cold_cpu = timed(wasserstein1, x, moved)
    warm, warm_seconds, warm_cpu = timed(wasserstein1, x, moved, initial_potentials=potentials)
    return {
        "first_seconds": first_seconds,
        "cold_seconds": cold_seconds,
        "warm_seconds": warm_seconds,
        "ratio": warm_seconds / cold_seconds,
        "cpu_ratio": warm_cpu / cold_cpu,
        "difference": relative_difference(warm.value, cold.value),
    }
