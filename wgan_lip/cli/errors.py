"""What the user can mend is one line on standard error and exit status 2."""

import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from wgan_lip.printable import printable

TRACEBACK = "WGAN_LIP_TRACEBACK"
# Of a message: it may have the text of a file in it.
_LONGEST = 4000


# So long another rank than the first waits before it tells its error: if the first has it too, which is the rule, their
# launcher ends them all in the meantime, and the line is there once.
_PATIENCE = 3.0


def fail(message: str) -> NoReturn:
    """End with a message in one line, which says the rank if it is another than the first."""
    rank = _rank()
    if rank > 0:
        time.sleep(_PATIENCE)
        message = f"rank {rank}: {message}"
    sys.stderr.write(f"wgan-lip: error: {_in_one_line(message)}\n")
    raise SystemExit(2)


def _in_one_line(message: str) -> str:
    """A message that may have a file's text in it."""
    line = printable(" ".join(message[:_LONGEST].split()))
    return line if len(message) <= _LONGEST else f"{line}... ({len(message) - _LONGEST} more characters)"


def _rank() -> int:
    # In Lightning's order; without Lightning, for which not every command waits.
    names = ("RANK", "LOCAL_RANK", "SLURM_PROCID")
    return next((int(rank) for name in names if (rank := os.environ.get(name, "")).isdecimal()), 0)


def interrupted(message: str = "") -> NoReturn:
    """End with the exit status of Ctrl-C, and one line.

    Args:
        message: what there is all the same.
    """
    sys.stderr.write("wgan-lip: interrupted" + (f": {_in_one_line(message)}" if message else "") + "\n")
    raise SystemExit(128 + signal.SIGINT)


@contextmanager
def in_one_line(*errors: type[Exception]) -> Iterator[None]:
    """Turn errors of these kinds into one line.

    Args:
        errors: beside ValueError, OSError and MemoryError.
    """
    mended: tuple[type[Exception], ...] = (ValueError, OSError, MemoryError, *errors)
    try:
        yield
    except mended as error:
        if os.environ.get(TRACEBACK):
            raise
        fail(f"{essence(str(error)) or type(error).__name__} (set {TRACEBACK}=1 for the traceback)")


def essence(message: str) -> str:
    """What went wrong, out of jsonargparse's list of all the types that a value might have had."""
    if re.fullmatch(r"the following arguments are required: \w+\.model", message.strip()):
        return "there is no model: name a config by -c; wgan-lip configs lists those that come along"
    reasons = re.findall(r"^\s*- ((?:.+:\n\s+)*.+)$", message, re.MULTILINE)
    reasons = [reason for reason in reasons if not reason.startswith("Expected a <class 'NoneType'>")]
    if "Union subtypes" not in message or not reasons:
        return message
    # With what was said before it, such as the cell of a comparison.
    key = re.match(r'.*?Parser key "[^"]+":', message)
    return (f"{key.group()} " if key else "") + "; ".join(reasons)
