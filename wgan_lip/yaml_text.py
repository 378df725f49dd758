"""YAML out of files: plain values, within bounds."""

from typing import Any

import yaml

# A resolved config has some 4,000 characters and 200 values.
_MOST_CHARACTERS = 1 << 16
_MOST_VALUES = 10_000
_DEEPEST = 50


class OversizedYAMLError(ValueError):
    """Text that would take more time or memory than a config can."""


def read_yaml(text: str, of: str) -> Any:
    """The value of YAML text, which is seen to be small before it is made.

    An alias counts as much as what it stands for, each time: nested, a few lines of them would make billions of values.

    Args:
        text: one document.
        of: what it is, for errors.

    Raises:
        OversizedYAMLError: more than 65,536 characters, 10,000 values or 50 levels, or a value that holds itself.
        ValueError: no YAML, or another value than text, numbers, dates, lists and mappings.
    """
    if len(text) > _MOST_CHARACTERS:
        raise OversizedYAMLError(
            f"{of} has {len(text)} characters of YAML, of which at most {_MOST_CHARACTERS} are read"
        )
    try:
        _check_size(text, of)
        return yaml.safe_load(text)
    except OversizedYAMLError:
        raise
    except Exception as error:
        # Beside its own errors it raises those of the numbers and dates that it makes.
        raise ValueError(f"{of} is not YAML: {' '.join(str(error).split()) or type(error).__name__}") from None


def _check_size(text: str, of: str) -> None:
    """Count values as they would be made, from the events of a parser that makes none."""
    sizes: dict[str, int] = {}
    # Of each collection that is open, its anchor and its size so far.
    open_: list[tuple[str | None, int]] = [(None, 0)]
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            open_.append((event.anchor, 1))
            sizes.pop(event.anchor or "", None)
            size = 0
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, size = open_.pop()
            sizes[anchor or ""] = size
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor in (anchor for anchor, _ in open_):
                raise OversizedYAMLError(f"{of} has a value in its YAML that holds itself")
            size = sizes.get(event.anchor or "", 1)
        elif isinstance(event, yaml.ScalarEvent):
            size = 1
            sizes[event.anchor or ""] = size
        else:
            continue
        anchor, before = open_.pop()
        open_.append((anchor, before + size))
        if before + size > _MOST_VALUES or len(open_) > _DEEPEST:
            raise OversizedYAMLError(f"{of} has more than {_MOST_VALUES} values or {_DEEPEST} levels in its YAML")
