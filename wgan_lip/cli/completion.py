"""``wgan-lip completion``: a script by which a shell completes commands, options and names of files."""

import argparse
import sys
from collections.abc import Sequence

import shtab
from jsonargparse import ActionConfigFile  # type: ignore[attr-defined]

from wgan_lip.cli.command_parser import CommandParser
from wgan_lip.cli.commands import COMMANDS
from wgan_lip.cli.errors import in_one_line
from wgan_lip.cli.parsed import training_parsers

_DESCRIPTION = """\
Print a script by which a shell completes commands, options and names of files. It is made once, and again after an
update; completing starts no Python.
"""
_EPILOG = """\
examples:
  wgan-lip completion bash > ~/.local/share/bash-completion/completions/wgan-lip
  wgan-lip completion zsh > ~/.zfunc/_wgan-lip     with fpath+=~/.zfunc before compinit in ~/.zshrc
"""
# As the commands' parsers call them.
_FILES = ("A", "B", "CKPT", "FILE", "FOLDER", "RUN")


def run_completion(words: Sequence[str]) -> None:
    """Run the command.

    Args:
        words: its arguments.
    """
    shell = make_parser().parse_args(words).shell
    with in_one_line():
        sys.stdout.write(shtab.complete(_all_parsers(), shell) + "\n")


def make_parser() -> CommandParser:
    """The command's parser."""
    parser = CommandParser("wgan-lip completion", _DESCRIPTION, _EPILOG)
    parser.add_argument("shell", choices=("bash", "zsh"), help="for which shell")
    return parser


def _all_parsers() -> argparse.ArgumentParser:
    """A parser whose subcommands are the commands' own parsers."""
    whole = argparse.ArgumentParser("wgan-lip")
    whole.add_argument("--version", action="version", help="print the version")
    commands = whole.add_subparsers()
    of_training = training_parsers()
    for name, command in COMMANDS.items():
        commands.add_parser(name, help=command.line)
        parser = of_training[name] if command.is_lightning else command.make_parser()
        # zsh would show the description's first line.
        parser.description = command.line
        commands.choices[name] = parser
        for action in parser._actions:
            if action.metavar in _FILES or isinstance(action, ActionConfigFile):
                # As shtab wants to be told.
                action.complete = shtab.FILE  # type: ignore[union-attr]
    return whole
