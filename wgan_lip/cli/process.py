"""A command's process: environment variables that imports read, and standard streams that can always be written."""

import os
import re
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from wgan_lip.cli.errors import fail
from wgan_lip.plain_text import HANDLER

# Whole numbers that Lightning, torchmetrics and PyTorch read, with the least allowed value of each.
_NUMBERS = {
    **dict.fromkeys(("RANK", "LOCAL_RANK", "GROUP_RANK", "NODE_RANK", "JSM_NAMESPACE_RANK", "STANDALONE_PORT"), 0),
    **dict.fromkeys(("SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID"), 0),
    **dict.fromkeys(("WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_WORLD_SIZE", "SLURM_NTASKS"), 1),
    **dict.fromkeys(("SLURM_NTASKS_PER_NODE", "SLURM_NNODES", "MASTER_PORT"), 1),
}
_OTHERS = ("SLURM_", "TORCHELASTIC_", "WANDB_")


def prepare_environment(environ: MutableMapping[str, str]) -> None:
    """Check variables that would end an import in a traceback, and delete empty ones.

    Args:
        environ: of the process; changed in place.

    Raises:
        ValueError: a rank or a number of processes is not a whole number.
    """
    # Figures are drawn into files, even under a notebook's backend.
    environ["MPLBACKEND"] = "agg"
    for name in list(environ):
        if (name in _NUMBERS or name.startswith(_OTHERS)) and not environ[name].strip():
            del environ[name]
    for name, least in _NUMBERS.items():
        value = environ.get(name)
        if value is not None and (re.fullmatch(r"\s*\d+\s*", value) is None or int(value) < least):
            raise ValueError(f"the environment's {name} must be a whole number from {least}; got {value!r}")
    if "WANDB_MODE" in environ:
        # W&B itself accepts only lower case.
        environ["WANDB_MODE"] = environ["WANDB_MODE"].strip().lower()
    # In 0 columns nothing would be shown.
    for name in ("COLUMNS", "LINES"):
        if name in environ and not environ[name].strip("0 "):
            del environ[name]


@contextmanager
def steady_streams() -> Iterator[None]:
    """Print in ASCII what an encoding lacks, and let no stream end the command before its work is done.

    Output to a closed stream is discarded, and so is output whose reader has left, as ``head`` does. If standard output
    fails for another reason, such as a full disk, the command completes its work, and then fails with one line.

    Raises:
        SystemExit: 2, if the command itself succeeded and its output was lost.
    """
    _open_closed()
    for stream in (sys.stdout, sys.stderr):
        # Streams of notebooks and tests may be of other classes, which have all characters.
        if (reconfigure := getattr(stream, "reconfigure", None)) is not None:
            reconfigure(errors=HANDLER)
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
    """A stream that records its first error instead of raising it, and discards all output from then on."""

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
            fail(f"standard output failed: {self._error.strerror}; all other work is done")

    def _give_up(self, error: OSError) -> None:
        self._error = self._error or error
        # Its buffer is discarded, too, because it would fail again when Python exits.
        with suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:  # noqa: PTH123
            os.dup2(nowhere.fileno(), self._stream.fileno())


def _open_closed() -> None:
    """Open /dev/null for closed streams, so that no file gets their number, and with it all that is printed."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
