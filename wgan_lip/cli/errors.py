"""Errors of the user's input: one line on standard error and exit status 2."""

import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from wgan_lip.plain_text import printable

TRACEBACK = "WGAN_LIP_TRACEBACK"
# Characters of a message, which may contain text of a file.
_LONGEST = 4000
# The reason that jsonargparse gives for a value of another type.
_WRONG_TYPE = re.compile(
    r"Expected a (?:typing\.Literal\[(?P<choices>.+)\]|<class '(?P<type>.+?)'>)(?:\. Got value: (?P<given>.*))?",
    re.DOTALL,
)
# Seconds that ranks other than 0 wait before they print an error: if rank 0 has the same, as is usual, the launcher
# ends all processes in the meantime, and the line is printed once.
_PATIENCE = 3.0


def fail(message: str) -> NoReturn:
    """Exit with status 2 and a message in one line, with the rank if it is not 0.

    Args:
        message: what is wrong.
    """
    rank = _rank()
    if rank > 0:
        time.sleep(_PATIENCE)
        message = f"rank {rank}: {message}"
    sys.stderr.write(f"wgan-lip: error: {_in_one_line(message)}\n")
    raise SystemExit(2)


def _in_one_line(message: str) -> str:
    """Return a message, which may contain text of a file, as one printable line."""
    line = printable(" ".join(message[:_LONGEST].split()))
    return line if len(message) <= _LONGEST else f"{line}... ({len(message) - _LONGEST} more characters)"


def _rank() -> int:
    # In Lightning's order, but without its slow import.
    names = ("RANK", "LOCAL_RANK", "SLURM_PROCID")
    return next((int(rank) for name in names if (rank := os.environ.get(name, "")).isdecimal()), 0)


def interrupted(message: str = "") -> NoReturn:
    """Exit with the status of Ctrl-C, and one line.

    Args:
        message: what was completed before.
    """
    sys.stderr.write("wgan-lip: interrupted" + (f": {_in_one_line(message)}" if message else "") + "\n")
    raise SystemExit(128 + signal.SIGINT)


@contextmanager
def in_one_line(*errors: type[Exception]) -> Iterator[None]:
    """Turn errors into one line and exit status 2.

    Args:
        errors: their classes, in addition to ValueError, OSError and MemoryError.
    """
    caught: tuple[type[Exception], ...] = (ValueError, OSError, MemoryError, *errors)
    try:
        yield
    except caught as error:
        if os.environ.get(TRACEBACK):
            raise
        fail(f"{essence(str(error)) or type(error).__name__} (set {TRACEBACK}=1 for the traceback)")


def essence(message: str) -> str:
    """Return an error of jsonargparse in one sentence: the key, what is required, and what it got.

    Args:
        message: of jsonargparse, which lists all the types that a value could have had; others stay as they are.
    """
    if re.fullmatch(r"the following arguments are required: (\w+\.)?model", message.strip()):
        return "there is no model: name a config by -c; wgan-lip configs lists the bundled ones"
    # With what comes before the key, such as the cell of a comparison.
    found = re.match(r'([^\n]*?)Parser key "([^"]+)":\s*', message)
    key, rest = (found[1] + found[2], message[found.end() :]) if found else ("", message)
    if not key and "Union subtypes" not in message:
        return message
    reasons = re.findall(r"^\s*- ((?:.+:\n\s+)*.+)$", rest, re.MULTILINE) if "Union subtypes" in rest else [rest]
    # Where a class path is required, these say only that it is neither null nor the path of a config.
    noise = ("Expected a <class 'NoneType'>", "Expected a path but", "Does not validate against any of")
    reasons = [reason.strip() for reason in reasons if not reason.startswith(noise)]
    wrong = [one for reason in reasons if (one := _WRONG_TYPE.fullmatch(reason))]
    if reasons and len(wrong) == len(reasons):
        choices = dict.fromkeys(word.strip(" '") for one in wrong for word in (one["choices"] or "").split(",") if word)
        accepted = [
            *([f"one of {', '.join(choices)}"] if choices else []),
            *(one["type"] for one in wrong if one["type"]),
        ]
        given = wrong[0]["given"] or rest.rpartition("Given value: ")[2]
        return f"{key or 'a value'} must be {' or '.join(accepted)}; got {given}"
    said = f"{key}{': ' if key else ''}{'; '.join(reasons) or rest}"
    path = re.search(r"Expected a path but (\S+) either", rest)
    return f"{said}; got {path[1]}" if path and path[1] not in said else said
