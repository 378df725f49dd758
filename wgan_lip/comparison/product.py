"""Critics as the product of what they differ in."""

import itertools
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

Arguments = Mapping[str, Any]


def product_of(critics: Mapping[str, Arguments] | Sequence[Mapping[str, Arguments]]) -> dict[str, Arguments]:
    """Arguments by label; of several mappings all combinations, ``label, label``, the arguments merged.

    Args:
        critics: one mapping, or a sequence of them, such as activations and constraints.

    Raises:
        ValueError: anything else, or two combinations of one label.
    """
    axes = [critics] if isinstance(critics, Mapping) else list(critics)
    for axis in axes:
        if not isinstance(axis, Mapping):
            raise ValueError(f"critics must be a mapping from labels to arguments, or a list of them; got {axis!r}")
        for label, own in axis.items():
            if not isinstance(own, Mapping):
                raise ValueError(f"critics.{label} must be a mapping such as {{critic: ...}}; got {own!r}")
    found: dict[str, Arguments] = {}
    for chosen in itertools.product(*(axis.items() for axis in axes)) if axes else ():
        label = ", ".join(str(name) for name, _ in chosen)
        if label in found:
            raise ValueError(f"critics must have different labels; got {label!r} twice")
        found[label] = reduce(merged, (own for _, own in chosen), {})
    return found


def merged(base: Arguments, over: Arguments) -> dict[str, Any]:
    """Both, with the second's values where they differ; mappings are merged in their turn.

    A mapping that names another class replaces the first one's: arguments of one class are none of another's.

    Args:
        base: arguments.
        over: further ones, which prevail.
    """
    result = dict(base)
    for name, value in over.items():
        old = base.get(name)
        if isinstance(old, Mapping) and isinstance(value, Mapping) and _is_same_class(old, value):
            result[name] = merged(old, value)
        else:
            result[name] = value
    return result


def _is_same_class(old: Arguments, new: Arguments) -> bool:
    return "class_path" not in new or new["class_path"] == old.get("class_path")
