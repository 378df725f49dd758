"""The one place where files of torch.save are read, and helpers for the values that they hold."""

import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from wgan_lip.saved.archive import ArchiveError, check_archive
from wgan_lip.saved.pickled import check_pickle

_STORAGE = "data/"
# Above this, float64 does not hold all whole numbers.
_MOST_COUNT = 1 << 53
_LONGEST_TEXT = 60


def load_saved(path: Path, what: str) -> Any:
    """Load a file of torch.save that holds dense tensors, which are loaded to the CPU, and plain values.

    Every bit of the archive and every operation of its pickle are checked before it is unpickled, with
    ``weights_only=True``.

    Args:
        path: the file.
        what: the expected content in the error, such as "a checkpoint of wgan-lip".

    Raises:
        ValueError: a file that is truncated or damaged, of another format, or with other content.
        OSError: the file cannot be opened.
        MemoryError: there is too little memory.
    """
    if path.exists() and not path.is_file():
        # A named pipe, say, whose opening waits for a writer.
        raise ValueError(f"{path} must be a regular file")
    # PyTorch warns on damaged files, which are errors here.
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
            # PyTorch's reader and unpickler raise many kinds of errors.
            reason = str(error).partition("\n")[0] or type(error).__name__
            raise ValueError(f"{path} is truncated, damaged, or not {what}: {reason}") from None


def is_count(value: Any, least: int = 0) -> bool:
    """Return whether a loaded value is a whole number, as of steps, rows or batches.

    Args:
        value: any value.
        least: the smallest accepted number.
    """
    return type(value) is int and least <= value <= _MOST_COUNT


def named_value(value: Any) -> str:
    """Describe a loaded value in an error, in few characters.

    Args:
        value: any value.
    """
    if isinstance(value, Tensor):
        return f"a tensor of {value.dtype}, shape {tuple(value.shape)}"
    if value is None or isinstance(value, bool | int | float | str):
        text = repr(value)
        return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}..."
    return f"a {type(value).__name__}"
