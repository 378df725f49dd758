"""Arrays and tensors from files, without running the code that pickles can carry."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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


def read_array(path: Path, key: str | None) -> NDArray[Any]:
    """Read the array of a .npy, .npz, .pt or .pth file.

    Args:
        path: an existing file with one of these suffixes.
        key: the array's name, if there are several; may be None if there is one.

    Raises:
        ValueError: a damaged file, Python objects in it, a key that is missing or does not exist, or an array that is
            compressed too strongly (:func:`wgan_lip.unpacking.check_unpacked`).
    """
    return _read_numpy(path, key) if path.suffix.lower() in _NUMPY else _read_torch(path, key)


def _read_numpy(path: Path, key: str | None) -> NDArray[Any]:
    # Opened here, because numpy.load leaves the files of damaged archives open.
    with path.open("rb") as file:
        with _damage_named(path):
            content = np.load(file, allow_pickle=False)
        if isinstance(content, np.ndarray):
            _refuse_key(path, key)
            return content
        chosen = _choose(path, content.files, key)
        with _damage_named(path):
            member = content.zip.getinfo(chosen if chosen in content.zip.namelist() else f"{chosen}.npy")
        check_unpacked(path, min(member.compress_size, path.stat().st_size), member.file_size)
        with _damage_named(path):
            array: NDArray[Any] = content[chosen]
        return array


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    """Turn any error of NumPy's reader into one that names the file."""
    try:
        yield
    except PermissionError:
        raise
    except Exception as error:
        # On missing or changed bytes it raises some twenty kinds.
        # NumPy takes any file without a known header for a pickle.
        if "Object arrays" in str(error):
            reason = "holds Python objects, which are not loaded"
        elif "allow_pickle" in str(error):
            reason = f"is not a {path.suffix} file, and pickles are not loaded"
        else:
            reason = f"is damaged, or is not a {path.suffix} file"
        raise ValueError(f"{path} {reason}") from None


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
    # NumPy has neither bfloat16 nor 8-bit floats; float64 holds both exactly.
    known = tensor.dtype in (torch.float16, torch.float32) or not tensor.is_floating_point()
    return (tensor if known else tensor.double()).numpy(force=True)


def _choose(path: Path, keys: list[str], key: str | None) -> str:
    if not keys:
        raise ValueError(f"{path} holds no array")
    if key is None and len(keys) == 1:
        return keys[0]
    named = ", ".join(keys[:8]) + (f" and {len(keys) - 8} more" if len(keys) > 8 else "")
    if key is None:
        raise ValueError(f"{path} holds several arrays: {named}; choose one, as in {path}:{keys[0]}")
    if key not in keys:
        raise ValueError(f"{path} has no array {key!r}; it has {named}")
    return key


def _refuse_key(path: Path, key: str | None) -> None:
    if key is not None:
        raise ValueError(f"{path} holds one array without a name; got the key {key!r}")
