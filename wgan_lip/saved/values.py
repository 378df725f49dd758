"""Values that were loaded: whether they are what they should be, and how an error names them."""

from typing import Any

from torch import Tensor

# Whole numbers that float64 holds; no training counts further.
_MOST = 1 << 53
_LONGEST = 60


def is_count(value: Any, least: int = 0) -> bool:
    """Whether a value is a whole number of steps, rows or batches.

    Args:
        value: any that was loaded.
        least: the smallest that it may be.
    """
    return type(value) is int and least <= value <= _MOST


def named_value(value: Any) -> str:
    """A value for an error, in few characters whatever it is.

    Args:
        value: any that was loaded.
    """
    if isinstance(value, Tensor):
        return f"a tensor of {value.dtype}, shape {tuple(value.shape)}"
    if value is None or isinstance(value, bool | int | float | str):
        said = repr(value)
        return said if len(said) <= _LONGEST else f"{said[:_LONGEST]}..."
    return f"a {type(value).__name__}"
