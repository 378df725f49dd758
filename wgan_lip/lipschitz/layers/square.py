"""Sizes of kernels and strides, which are the same on both axes."""

from numbers import Integral
from typing import Any, TypeAlias

# As torch.nn.Conv2d takes them.
Size: TypeAlias = int | tuple[int, int]


def square(layer: str, **sizes: Size) -> tuple[int, ...]:
    """Each size as one number; a pair of equal ones, as ``torch.nn.Conv2d`` takes it, is one.

    Args:
        layer: the class, for errors.
        sizes: by the names of the arguments.

    Raises:
        ValueError: a pair of different sizes, or what is neither a whole number nor a pair of them.
    """
    found = []
    for name, value in sizes.items():
        both: tuple[Any, ...] = tuple(value) if isinstance(value, tuple | list) else (value, value)
        if len(both) != 2 or not all(isinstance(side, Integral) and not isinstance(side, bool) for side in both):
            raise ValueError(
                f"{layer} needs {name} to be a whole number, or a pair of equal ones; got {name}={value!r}"
            )
        if both[0] != both[1]:
            raise ValueError(f"{layer} needs the same {name} on both axes; got {name}={value!r}")
        found.append(int(both[0]))
    return tuple(found)
