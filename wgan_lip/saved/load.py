"""The one place where a file of torch.save is read."""

import warnings
from pathlib import Path
from typing import Any

import torch

from wgan_lip.saved.archive import ArchiveError, check_archive
from wgan_lip.saved.pickled import check_pickle

_STORAGE = "data/"


def load_saved(path: Path, what: str) -> Any:
    """What torch.save wrote: dense tensors, on the CPU, and plain values.

    The archive is seen to be whole to the last bit, and the pickle in it to make nothing else, before it is unpickled,
    with ``weights_only=True``.

    Args:
        path: the file.
        what: it should be, for the error: "a checkpoint of wgan-lip".

    Raises:
        ValueError: truncated, damaged, not such a file, or one that holds anything else.
        OSError: it cannot be opened.
        MemoryError: it takes more memory than there is.
    """
    if path.exists() and not path.is_file():
        # Not a named pipe either, which would be waited for.
        raise ValueError(f"{path} is no regular file")
    # What only damage makes is warned of.
    with path.open("rb") as file, warnings.catch_warnings(action="ignore"):
        try:
            members = check_archive(file)
            if "data.pkl" not in members:
                raise ArchiveError("it holds no data.pkl")
            pickled = members["data.pkl"]
            file.seek(pickled.start)
            sizes = {
                name.removeprefix(_STORAGE): one.size for name, one in members.items() if name.startswith(_STORAGE)
            }
            check_pickle(file.read(pickled.size), sizes)
            file.seek(0)
            return torch.load(file, map_location="cpu", weights_only=True)
        except MemoryError:
            raise
        except Exception as error:
            # PyTorch's reader and unpickler raise whatever they meet.
            reason = str(error).partition("\n")[0] or type(error).__name__
            raise ValueError(f"{path} is truncated, damaged, or not {what}: {reason}") from None
