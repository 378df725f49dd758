"""The parser of the commands that are not Lightning's, and the options that several of them have."""

import argparse
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from wgan_lip.cli.errors import TRACEBACK, fail

_Number = TypeVar("_Number", int, float)


class CommandParser(argparse.ArgumentParser):
    """A parser whose errors are one line, without the usage, and that knows no abbreviations.

    Underscores within the name of an option are understood as hyphens, for the options of ``fit`` have them.

    Args:
        command: ``wgan-lip NAME``.
        description: what it does.
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
        """Add what names a checkpoint of ``fit``, and whether its config is trusted.

        Args:
            several: whether there may be more than one.
        """
        if several:
            self.add_argument("checkpoints", nargs="+", metavar="CKPT", help="checkpoints, or folders of runs")
        else:
            self.add_argument("checkpoint", metavar="CKPT", help="a checkpoint, or the folder of a run")
        self.add_trust()

    def add_trust(self) -> None:
        """Add ``--trust``."""
        self.add_argument(
            "--trust", action="store_true", help="build what a checkpoint's config names in other packages, too"
        )

    def add_seed(self, what: str) -> None:
        """Add ``--seed``.

        Args:
            what: it is the seed of.
        """
        self.add_argument("--seed", type=whole(0), default=0, metavar="N", help=f"of {what} (default: 0)")

    def add_json(self, instead: str) -> None:
        """Add ``--json``.

        Args:
            instead: of what it is printed.
        """
        self.add_argument("--json", action="store_true", help=f"print one JSON object instead of {instead}")


def number(kind: type[_Number], wanted: str, is_good: Callable[[_Number], bool]) -> Callable[[str], _Number]:
    """The type of an option that is a number.

    Args:
        kind: int or float.
        wanted: the good ones, in words.
        is_good: whether one is.
    """

    def convert(text: str) -> _Number:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not is_good(value):
            raise argparse.ArgumentTypeError(f"must be {wanted}; got {text!r}")
        return value

    return convert


def whole(least: int) -> Callable[[str], int]:
    """The type of an option that is a whole number.

    Args:
        least: the smallest.
    """
    return number(int, f"a whole number from {least}", lambda n: n >= least)


def seconds(text: str) -> float:
    """A time in seconds.

    Args:
        text: of the option.
    """
    return number(float, "seconds, at least 0", lambda x: 0 <= x < math.inf)(text)


def share(text: str) -> float:
    """A probability that is neither 0 nor 1.

    Args:
        text: of the option.
    """
    return number(float, "strictly between 0 and 1", lambda x: 0 < x < 1)(text)


def output(*suffixes: str) -> Callable[[str], Path]:
    """The type of an option that is a file to write.

    Args:
        suffixes: that it may have.
    """

    def convert(text: str) -> Path:
        path = Path(text)
        if path.suffix not in suffixes:
            raise argparse.ArgumentTypeError(f"must end in {' or '.join(suffixes)}; got {text}")
        if not path.absolute().parent.is_dir():
            raise argparse.ArgumentTypeError(f"there is no folder {path.absolute().parent}")
        return path

    return convert
