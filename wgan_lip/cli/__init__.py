"""The command line: ``wgan-lip COMMAND``, with the commands of ``commands.COMMANDS``."""

import argparse
import sys

from wgan_lip.cli.commands import COMMANDS, DESCRIPTION
from wgan_lip.cli.errors import fail

__all__ = ["main"]


def main(args: list[str] | None = None) -> None:
    """Run the command line; what the user can mend is one line on standard error and exit status 2.

    Args:
        args: the arguments; those of the process if None.
    """
    words = sys.argv[1:] if args is None else args
    first = words[0] if words else ""
    if first in ("-h", "--help"):
        _print_help()
    elif not first.startswith("-") and first not in COMMANDS:
        wrong = f"there is no command {first!r}" if first else "a command is missing"
        fail(f"{wrong}; choose from {', '.join(COMMANDS)}")
    elif first == "w1":
        # Each command imports what it needs: comparing samples is no reason to wait for Lightning.
        from wgan_lip.cli.w1 import run

        run(words[1:])
    elif first == "compare":
        from wgan_lip.cli.compare import run_comparison

        run_comparison(words[1:])
    elif first == "diagnose":
        from wgan_lip.cli.diagnose import run_diagnosis

        run_diagnosis(words[1:])
    elif first == "export":
        from wgan_lip.cli.export import run_export

        run_export(words[1:])
    elif first == "sample":
        from wgan_lip.cli.sample import run_sampling

        run_sampling(words[1:])
    elif first == "certify":
        from wgan_lip.cli.certify import run_certification

        run_certification(words[1:])
    elif first == "report":
        from wgan_lip.cli.report import run_report

        run_report(words[1:])
    elif first == "submit":
        from wgan_lip.cli.submit import run_submission

        run_submission(words[1:])
    else:
        from wgan_lip.cli.train import run_training

        run_training(args)


def _print_help() -> None:
    parser = argparse.ArgumentParser("wgan-lip", description=DESCRIPTION, epilog="wgan-lip COMMAND --help says more.")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for name, line in COMMANDS.items():
        commands.add_parser(name, help=line)
    parser.print_help()
