"""The parser of the commands without a config, and the options that several of them have."""

import argparse
import json
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from wgan_lip.cli.errors import TRACEBACK, fail

_Number = TypeVar("_Number", int, float)


class CommandParser(argparse.ArgumentParser):
    """A parser whose errors are one line, without the usage, and that accepts no abbreviations.

    Underscores in the name of an option are read as hyphens, because the options of ``fit`` have them.

    Args:
        command: ``wgan-lip NAME``.
        description: what the command does.
        epilog: examples.
    """

    def __init__(self, command: str, description: str, epilog: str) -> None:
        super().__init__(
            command,
            description=description,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        words = None if args is None else [self._hyphened(word) for word in args]
        return super().parse_known_args(words, namespace)

    def _hyphened(self, word: str) -> str:
        name, equals, value = word.partition("=")
        hyphened = name.replace("_", "-")
        return hyphened + equals + value if hyphened in self._option_string_actions else word

    def error(self, message: str) -> NoReturn:
        if os.environ.get(TRACEBACK):
            raise ValueError(message)
        fail(message)

    def add_checkpoint(self, several: bool = False) -> None:
        """Add the argument for a checkpoint of ``fit``, and ``--trust``.

        Args:
            several: whether the command takes more than one.
        """
        if several:
            self.add_argument("checkpoints", nargs="+", metavar="CKPT", help="checkpoints, or folders of runs")
        else:
            self.add_argument("checkpoint", metavar="CKPT", help="a checkpoint, or the folder of a run")
        self.add_trust()

    def add_trust(self) -> None:
        """Add ``--trust``."""
        self.add_argument(
            "--trust", action="store_true", help="also build what a checkpoint's config names in other packages"
        )

    def add_seed(self, what: str) -> None:
        """Add ``--seed``.

        Args:
            what: the things that it is the seed of.
        """
        self.add_argument("--seed", type=whole(0), default=0, metavar="N", help=f"of {what} (default: 0)")

    def add_json(self, instead: str) -> None:
        """Add ``--json``.

        Args:
            instead: what the command prints without it.
        """
        self.add_argument("--json", action="store_true", help=f"print one JSON object instead of {instead}")


def number(kind: type[_Number], required: str, is_good: Callable[[_Number], bool]) -> Callable[[str], _Number]:
    """Make the type of an option that is a number.

    Args:
        kind: int or float.
        required: the accepted numbers, in words.
        is_good: whether one is accepted.
    """

    def convert(text: str) -> _Number:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not is_good(value):
            raise argparse.ArgumentTypeError(f"must be {required}; got {text!r}")
        return value

    return convert


def whole(least: int) -> Callable[[str], int]:
    """Make the type of an option that is a whole number.

    Args:
        least: the smallest.
    """
    return number(int, f"a whole number from {least}", lambda n: n >= least)


def seconds(text: str) -> float:
    """Read a time in seconds; the type of an option.

    Args:
        text: of the option.
    """
    return number(float, "seconds, at least 0", lambda x: 0 <= x < math.inf)(text)


def share(text: str) -> float:
    """Read a number strictly between 0 and 1; the type of an option.

    Args:
        text: of the option.
    """
    return number(float, "strictly between 0 and 1", lambda x: 0 < x < 1)(text)


def output(*suffixes: str) -> Callable[[str], Path]:
    """Make the type of an option that is a file to write.

    Args:
        suffixes: the accepted ends of its name.
    """

    def convert(text: str) -> Path:
        path = Path(text)
        if path.suffix not in suffixes:
            raise argparse.ArgumentTypeError(f"must end in {' or '.join(suffixes)}; got {text}")
        if not path.absolute().parent.is_dir():
            raise argparse.ArgumentTypeError(f"there is no folder {path.absolute().parent}")
        return path

    return convert


def json_text(content: Any) -> str:
    """Return what ``--json`` prints: one object in full precision, with null for NaN and infinity, which JSON lacks.

    Args:
        content: plain values.
    """
    return json.dumps(_finite(content), indent=2, allow_nan=False) + "\n"


def _finite(content: Any) -> Any:
    if isinstance(content, dict):
        return {name: _finite(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content
