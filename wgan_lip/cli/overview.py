"""What ``wgan-lip --help`` prints."""

import shutil
from itertools import groupby
from textwrap import fill

from wgan_lip.cli.commands import COMMANDS, DESCRIPTION

_EXAMPLES = """\
examples:
  wgan-lip configs                                    list the configs
  wgan-lip fit -c wgan_lip:gan/digits.yaml            train on real digits
  wgan-lip fit -c wgan_lip:gan/digits.yaml --run a    ... or go on with run a
  wgan-lip sample runs/digits/a -n 1000 -o fake.npz   generated digits
  wgan-lip diagnose runs/digits/a                     gradients, layer by layer
  wgan-lip w1 real.npy fake.npz                       exact W1 and noise floor
"""
_MORE = (
    "wgan-lip COMMAND --help says what a command takes. Options of fit, validate, test and compare are keys of a "
    "config: --exact_w1.time_budget 60; those of the other commands are written with hyphens, --time-budget 60, and "
    "understood with underscores too. WGAN_LIP_TRACEBACK=1 shows the traceback of an error. Read on in README.md and "
    "docs/."
)


def overview() -> str:
    """Usage, the commands by their use, examples, and where to read on."""
    # As argparse has it, to the least width.
    columns = max(shutil.get_terminal_size().columns - 2, 11)
    width = max(map(len, COMMANDS)) + 2
    parts = ["usage: wgan-lip COMMAND ...", "       wgan-lip --help | --version", "", fill(DESCRIPTION, columns), ""]
    for group, commands in groupby(COMMANDS.items(), lambda item: item[1].group):
        parts += [f"{group}:", *(f"  {name:{width}}{command.line}" for name, command in commands), ""]
    return "\n".join([*parts, _EXAMPLES, fill(_MORE, columns), ""])
