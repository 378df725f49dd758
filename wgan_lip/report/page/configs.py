"""The configs of runs, flat, and what they differ in."""

from collections.abc import Iterator, Sequence
from typing import Any


def flat(config: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """The values of a config by their dotted keys, in its order.

    Args:
        config: nested mappings; a list is a value.
        prefix: of the keys.
    """
    for key, value in config.items():
        if isinstance(value, dict) and value:
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", "none" if value is None else str(value)


def differences(configs: Sequence[dict[str, Any]]) -> list[tuple[str, list[str]]]:
    """The keys in which configs differ, with the value of each config; "-" where it has no such key.

    Args:
        configs: at least one.
    """
    flats = [dict(flat(config)) for config in configs]
    keys = dict.fromkeys(key for one in flats for key in one)
    rows = [(key, [one.get(key, "-") for one in flats]) for key in keys]
    return [(key, values) for key, values in rows if len(set(values)) > 1]
