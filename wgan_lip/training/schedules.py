"""Schedules of the learning rate and of the batch size over a run."""

import math
from collections.abc import Sequence
from typing import Literal, TypeAlias

Decay: TypeAlias = Literal["none", "linear", "cosine"]


def rate_factor(decay: Decay, done: float) -> float:
    """Return the factor of the learning rate: ``1``, ``1 - done`` or ``(1 + cos(pi done)) / 2``.

    Args:
        decay: "none", "linear" or "cosine".
        done: finished fraction of the run, 0 to 1.
    """
    if decay == "none":
        return 1.0
    done = min(max(done, 0.0), 1.0)
    return 1 - done if decay == "linear" else (1 + math.cos(math.pi * done)) / 2


def batch_factor(growth: Sequence[tuple[float, int]], done: float) -> int:
    """Return the factor of the batch size: that of the last growth that has begun, or 1.

    Args:
        growth: pairs (fraction of the run from which the factor holds, factor), in ascending order.
        done: finished fraction of the run, 0 to 1.
    """
    return next((factor for start, factor in reversed(growth) if done >= start), 1)


def check_growth(growth: Sequence[tuple[float, int]]) -> None:
    """Check a growth of the batch size.

    Raises:
        ValueError: fractions outside [0, 1) or not ascending, or factors below 1.
    """
    starts = [start for start, _ in growth]
    ordered = starts == sorted(set(starts)) and all(0 <= start < 1 for start in starts)
    if not ordered or any(factor < 1 for _, factor in growth):
        raise ValueError(
            "batch_growth must be pairs (fraction of the run, factor), fractions ascending in [0, 1) and factors at "
            f"least 1, such as [[0.75, 4]]; got batch_growth={[list(pair) for pair in growth]}"
        )
