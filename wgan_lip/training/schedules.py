"""How learning rate and batch size change over a run."""

import math
from collections.abc import Sequence
from typing import Literal, TypeAlias

Decay: TypeAlias = Literal["none", "linear", "cosine"]


def rate_factor(decay: Decay, done: float) -> float:
    """By what the learning rate is multiplied.

    ``1``, ``1 - done`` or ``(1 + cos(pi done)) / 2``

    Args:
        decay: which of them.
        done: the part of the run that is done, 0 to 1.
    """
    if decay == "none":
        return 1.0
    done = min(max(done, 0.0), 1.0)
    return 1 - done if decay == "linear" else (1 + math.cos(math.pi * done)) / 2


def batch_factor(growth: Sequence[tuple[float, int]], done: float) -> int:
    """By what the batch size is multiplied: the factor of the last growth whose time has come, or 1.

    Args:
        growth: pairs (part of the run from which it holds, factor), in ascending order.
        done: the part of the run that is done, 0 to 1.
    """
    return next((factor for start, factor in reversed(growth) if done >= start), 1)


def check_growth(growth: Sequence[tuple[float, int]]) -> None:
    """See that batches only grow.

    Raises:
        ValueError: parts outside [0, 1), or not ascending; factors below 1.
    """
    starts = [start for start, _ in growth]
    ordered = starts == sorted(set(starts)) and all(0 <= start < 1 for start in starts)
    if not ordered or any(factor < 1 for _, factor in growth):
        raise ValueError(
            "batch_growth must be pairs (part of the run, factor), parts ascending from 0 to below 1 and factors at "
            f"least 1, such as [[0.75, 4]]; got batch_growth={[list(pair) for pair in growth]}"
        )
