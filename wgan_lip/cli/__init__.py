"""The command line: ``wgan-lip COMMAND``, with the commands of ``commands.COMMANDS``."""

import os
import sys

from wgan_lip import __version__
from wgan_lip.cli.commands import COMMANDS, overview
from wgan_lip.cli.errors import fail, in_one_line, interrupted
from wgan_lip.cli.process import prepare_environment, steady_streams

__all__ = ["main"]


def main(args: list[str] | None = None) -> None:
    """Run the command line; an error of the user's input is one line on standard error and exit status 2.

    Args:
        args: the arguments; those of the process if None.
    """
    with steady_streams():
        _run(sys.argv[1:] if args is None else args)


def _run(words: list[str]) -> None:
    first = words[0] if words else ""
    if first in ("-h", "--help"):
        sys.stdout.write(overview())
    elif first == "--version":
        sys.stdout.write(f"wgan-lip {__version__}\n")
    elif first in COMMANDS:
        command = COMMANDS[first]
        with in_one_line():
            prepare_environment(os.environ)
        try:
            command.load()(words if command.is_training else words[1:])
        except KeyboardInterrupt:
            interrupted()
    else:
        wrong = f"there is no command {first!r}" if first else "a command is missing"
        fail(f"{wrong}; choose from {', '.join(COMMANDS)}: wgan-lip --help explains them")
