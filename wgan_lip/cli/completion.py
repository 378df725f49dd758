"""``wgan-lip completion``: a script for a shell's completion of commands, options and file names."""

import argparse
import sys
from collections.abc import Sequence

import shtab
from jsonargparse import ActionConfigFile  # type: ignore[attr-defined]

from wgan_lip.cli.command_parser import CommandParser
from wgan_lip.cli.commands import COMMANDS
from wgan_lip.cli.errors import in_one_line
from wgan_lip.cli.training.training_parser import training_parser

_DESCRIPTION = """\
Print a script by which a shell completes commands, options and names of files. Make it once, and again after an
update: completion itself starts no Python.
"""
_EPILOG = """\
examples:
  wgan-lip completion bash > ~/.local/share/bash-completion/completions/wgan-lip
  wgan-lip completion zsh > ~/.zfunc/_wgan-lip     with fpath+=~/.zfunc before compinit in ~/.zshrc
"""
# Metavars of the commands' parsers that stand for files.
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
    """Make the command's parser."""
    parser = CommandParser("wgan-lip completion", _DESCRIPTION, _EPILOG)
    parser.add_argument("shell", choices=("bash", "zsh"), help="for which shell")
    return parser


def _all_parsers() -> argparse.ArgumentParser:
    """Make a parser whose subcommands are the commands' own parsers."""
    whole = argparse.ArgumentParser("wgan-lip")
    whole.add_argument("--version", action="version", help="print the version")
    commands = whole.add_subparsers()
    for name, command in COMMANDS.items():
        commands.add_parser(name, help=command.line)
        parser = training_parser(name) if command.is_training else command.make_parser()
        # Otherwise zsh would show the first line of the description.
        parser.description = command.line
        commands.choices[name] = parser
        for action in parser._actions:
            if action.metavar in _FILES or isinstance(action, ActionConfigFile):
                # The attribute that shtab reads.
                action.complete = shtab.FILE  # type: ignore[union-attr]
    return whole
