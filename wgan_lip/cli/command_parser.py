"""The parser of the commands that are not Lightning's."""

import argparse
import os
from typing import NoReturn

from wgan_lip.cli.errors import TRACEBACK, fail


class CommandParser(argparse.ArgumentParser):
    """A parser whose errors are one line, without the usage, and that knows no abbreviations.

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

    def error(self, message: str) -> NoReturn:
        if os.environ.get(TRACEBACK):
            raise ValueError(message)
        fail(message)
