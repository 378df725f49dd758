"""Errors that say that another process of a training is gone."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch.distributed as dist

# What gloo says where a peer is gone, or says nothing any more.
_LOST = ("connection closed by peer", "connection reset by peer", "broken pipe", "gloo/transport")


class LostRankError(RuntimeError):
    """Another process ended, or cannot be reached any more."""


@contextmanager
def lost_ranks_named() -> Iterator[None]:
    """Turn errors of messages to processes that are gone, Lightning's messages included, into one that says so.

    Raises:
        LostRankError: another process ended, or cannot be reached any more.
    """
    try:
        yield
    except RuntimeError as error:
        if not is_lost_rank(error) or isinstance(error, LostRankError):
            raise
        raise LostRankError(
            "another process of this training ended, or cannot be reached any more; its own log says why; "
            "the run can go on from its last checkpoint"
        ) from error


def is_lost_rank(error: BaseException) -> bool:
    """Whether an error says that another process is gone."""
    if isinstance(error, LostRankError | dist.DistError):
        return True
    said = str(error).lower()
    return type(error) is RuntimeError and any(words in said for words in _LOST)
