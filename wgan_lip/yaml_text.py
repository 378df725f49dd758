"""YAML of plain values and of bounded size."""

from typing import Any

import yaml

# A resolved config has some 4,000 characters and 200 values.
_MOST_CHARACTERS = 1 << 16
_MOST_VALUES = 10_000
_DEEPEST = 50


class OversizedYAMLError(ValueError):
    """YAML that is larger or nested more deeply than a config can be."""


def read_yaml(text: str, of: str) -> Any:
    """Parse YAML text whose size is checked before its values are built.

    Each alias counts as much as the value it stands for: a few lines of nested aliases would make billions of values.

    Args:
        text: one document.
        of: the name of the text in errors.

    Raises:
        OversizedYAMLError: more than 65,536 characters, 10,000 values or 50 levels, or a value that holds itself.
        ValueError: text that is not YAML, or values other than text, numbers, dates, lists and mappings.
    """
    if len(text) > _MOST_CHARACTERS:
        raise OversizedYAMLError(f"{of} has {len(text)} characters of YAML; at most {_MOST_CHARACTERS} are allowed")
    try:
        _check_size(text, of)
        return yaml.safe_load(text)
    except OversizedYAMLError:
        raise
    except Exception as error:
        # Besides its own errors, the parser raises those of the numbers and dates that it builds.
        raise ValueError(f"{of} is not YAML: {' '.join(str(error).split()) or type(error).__name__}") from None


def _check_size(text: str, of: str) -> None:
    """Count the values that would be built, from the events of a parser that builds none."""
    sizes: dict[str, int] = {}
    # The anchor of each open collection, and its size so far.
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
                raise OversizedYAMLError(f"{of} has a value in its YAML that contains itself")
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
