"""Standard output and error that are closed, or that nobody reads, or whose disk is full, do not end a command."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from wgan_lip.cli.errors import fail
from wgan_lip.encodings import print_in_ascii


@contextmanager
def steady_streams() -> Iterator[None]:
    """Print what the console can show, and go on where it takes nothing.

    A closed stream is as one to nowhere, and so is one whose reader has left, as ``head`` does. Where standard output
    takes nothing for another reason, a full disk, the command still does all its work, and then fails with one line.

    Raises:
        SystemExit: 2, if the command itself ended well and its output was lost.
    """
    _open_closed()
    print_in_ascii()
    before = sys.stdout, sys.stderr
    output, errors = _Steady(sys.stdout), _Steady(sys.stderr)
    sys.stdout, sys.stderr = output, errors
    try:
        try:
            yield
        except SystemExit as ended:
            if not ended.code:
                output.check()
            raise
        output.check()
    finally:
        output.flush()
        errors.flush()
        sys.stdout, sys.stderr = before


class _Steady:
    """A stream that notes the first error instead of raising it, and writes to nowhere from then on."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._error: OSError | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError as error:
            self._give_up(error)
            return len(text)

    def writelines(self, lines: Iterator[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            self._give_up(error)

    def check(self) -> None:
        self.flush()
        if self._error is not None and not isinstance(self._error, BrokenPipeError):
            fail(f"standard output takes no more: {self._error.strerror}; all else is done")

    def _give_up(self, error: OSError) -> None:
        self._error = self._error or error
        # What it still holds goes there, too, rather than fail again when Python ends.
        with suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:  # noqa: PTH123
            os.dup2(nowhere.fileno(), self._stream.fileno())


def _open_closed() -> None:
    """Open to nowhere what was closed, lest a file of ours be given its number and all that is printed."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
