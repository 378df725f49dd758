"""Errors of a training whose other processes ended."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch.distributed as dist

# Parts of gloo's messages about a peer that ended or does not answer.
_LOST = ("connection closed by peer", "connection reset by peer", "broken pipe", "gloo/transport")


class LostRankError(RuntimeError):
    """Another process of the training ended, or cannot be reached."""


@contextmanager
def lost_ranks_named() -> Iterator[None]:
    """Turn errors of communication with a process that ended, including Lightning's, into a ``LostRankError``.

    Raises:
        LostRankError: another process ended, or cannot be reached.
    """
    try:
        yield
    except RuntimeError as error:
        if not is_lost_rank(error) or isinstance(error, LostRankError):
            raise
        raise LostRankError(
            "another process of this training ended, or cannot be reached; its own log says why; "
            "the run can be resumed from its last checkpoint"
        ) from error


def is_lost_rank(error: BaseException) -> bool:
    """Return whether an error reports that another process ended."""
    if isinstance(error, LostRankError | dist.DistError):
        return True
    said = str(error).lower()
    return type(error) is RuntimeError and any(words in said for words in _LOST)
