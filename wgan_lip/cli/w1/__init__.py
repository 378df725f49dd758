"""``wgan-lip w1 A B``: exact W1 between two sample sets, with its proof and its sampling error."""

import sys
from collections.abc import Sequence

from wgan_lip.cli.command_parser import json_text
from wgan_lip.cli.errors import in_one_line, interrupted
from wgan_lip.cli.w1.arguments import make_parser, parse
from wgan_lip.cli.w1.comparison import compare
from wgan_lip.cli.w1.output import as_record, as_text
from wgan_lip.cli.w1.progress import Display
from wgan_lip.console import Console
from wgan_lip.files import load_samples, split_key
from wgan_lip.transport import UnprovenError

__all__ = ["make_parser", "run"]


def run(args: Sequence[str]) -> None:
    """Run the command.

    Args:
        args: the arguments after ``wgan-lip w1``.
    """
    options = parse(args)
    with in_one_line(UnprovenError):
        display = Display(Console(file=sys.stderr), quiet=options.json)
        try:
            with display:
                display.stage("reading")
                a, b = (
                    load_samples(*split_key(path), options.image_size, options.channels)
                    for path in (options.a, options.b)
                )
                comparison = compare(a, b, options, display)
        except KeyboardInterrupt:
            interrupted(display.proven())
        if comparison.warning:
            sys.stderr.write(f"wgan-lip: warning: {comparison.warning}\n")
        if options.json:
            sys.stdout.write(json_text(as_record(comparison)))
        else:
            Console().print(as_text(comparison), markup=False, highlight=False, emoji=False, soft_wrap=True)
