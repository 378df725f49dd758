"""Arrays and tensors out of files, without the code that pickles can carry."""

import pickle
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wgan_lip.saved import load_saved
from wgan_lip.unpacking import check_unpacked

_NUMPY, _TORCH = (".npy", ".npz"), (".pt", ".pth")
ARRAY_SUFFIXES = (*_NUMPY, *_TORCH)

# What numpy.load was seen to raise on files with bytes missing or changed.
_DAMAGED = (
    *(ArithmeticError, AssertionError, AttributeError, EOFError, ImportError, LookupError, MemoryError, OSError),
    *(RuntimeError, SyntaxError, TypeError, ValueError),
    *(pickle.UnpicklingError, struct.error, tokenize.TokenError, zipfile.BadZipFile, zlib.error),
)


def read_array(path: Path, key: str | None) -> NDArray[Any]:
    """The array of a .npy, .npz, .pt or .pth file.

    Args:
        path: an existing file with one of these suffixes.
        key: which array, where there are several; may be None if there is one.

    Raises:
        ValueError: damaged, holding Python objects, a key that does not exist or is missing, or compressed so far
            that it is not unpacked (:func:`wgan_lip.unpacking.check_unpacked`).
    """
    return _read_numpy(path, key) if path.suffix.lower() in _NUMPY else _read_torch(path, key)


def _read_numpy(path: Path, key: str | None) -> NDArray[Any]:
    try:
        with path.open("rb") as file:
            content = np.load(file, allow_pickle=False)
            if isinstance(content, np.ndarray):
                _refuse_key(path, key)
                return content
            with content:
                chosen = _choose(path, content.files, key)
                member = content.zip.getinfo(chosen if chosen in content.zip.namelist() else f"{chosen}.npy")
                _check(path, min(member.compress_size, path.stat().st_size), member.file_size)
                return content[chosen]
    except _RefusedError as error:
        raise ValueError(str(error)) from None
    except PermissionError:
        raise
    except _DAMAGED as error:
        reason = "holds Python objects, which are not loaded" if "allow_pickle" in str(error) else "is damaged"
        raise ValueError(f"{path} {reason}, or is not a {path.suffix} file") from None


def _read_torch(path: Path, key: str | None) -> NDArray[Any]:
    content = load_saved(path, "a file of tensors: save a tensor or a dictionary of tensors")
    if isinstance(content, Mapping):
        tensors = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
        return _as_array(tensors[_choose(path, list(tensors), key)])
    _refuse_key(path, key)
    if not isinstance(content, Tensor):
        raise ValueError(f"{path} must hold a tensor or a dictionary of tensors; got {type(content).__name__}")
    return _as_array(content)


def _as_array(tensor: Tensor) -> NDArray[Any]:
    # NumPy has neither bfloat16 nor eight bits; in float64 both are exact.
    known = tensor.dtype in (torch.float16, torch.float32) or not tensor.is_floating_point()
    return (tensor if known else tensor.double()).numpy(force=True)


class _RefusedError(ValueError):
    """No array, too many, or one that would unpack too far: no damage."""


def _check(path: Path, stored: int, unpacked: int) -> None:
    try:
        check_unpacked(path, stored, unpacked)
    except ValueError as error:
        raise _RefusedError(str(error)) from None


def _choose(path: Path, keys: list[str], key: str | None) -> str:
    if not keys:
        raise _RefusedError(f"{path} holds no array")
    if key is None and len(keys) == 1:
        return keys[0]
    named = ", ".join(keys[:8]) + (f" and {len(keys) - 8} more" if len(keys) > 8 else "")
    if key is None:
        raise _RefusedError(f"{path} holds several arrays: {named}; write {path}:{keys[0]} for that one")
    if key not in keys:
        raise _RefusedError(f"{path} has no array {key!r}; it has {named}")
    return key


def _refuse_key(path: Path, key: str | None) -> None:
    if key is not None:
        raise _RefusedError(f"{path} holds one array without a name; got the key {key!r}")
