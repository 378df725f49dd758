"""Files of funnels: .npz, and the state dicts of the published benchmark."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from wgan_lip.saved import load_saved
from wgan_lip.unpacking import check_zip

# By a file's ending, the keys of centres and biases.
_KEYS = {".npz": ("centers", "bias"), ".pt": ("net.centers", "net.bias")}


def read_funnels(path: Path) -> tuple[Tensor, Tensor]:
    """Read centres and biases from a file.

    Args:
        path: ends in ``.npz`` or ``.pt``.

    Raises:
        ValueError: another ending, a file that cannot be read, missing keys, or values that are not numbers.
    """
    keys = _KEYS.get(path.suffix)
    if keys is None:
        raise ValueError(f"path must end in {' or '.join(_KEYS)}; got {path}")
    try:
        content = _read_npz(path) if path.suffix == ".npz" else load_saved(path, "a file of funnels")
    except (OSError, EOFError, ValueError, RuntimeError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} cannot be read: {type(error).__name__}: {str(error).splitlines()[0]}") from None
    if not isinstance(content, dict) or any(key not in content for key in keys):
        found = ", ".join(sorted(map(str, content))) if isinstance(content, dict) else type(content).__name__
        raise ValueError(f"{path} must have {' and '.join(keys)}; it has {found or 'nothing'}")
    centers, bias = (_numbers(path, key, content[key]) for key in keys)
    return centers, bias


def _read_npz(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        if zipfile.is_zipfile(file):
            check_zip(path, file)
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)


def _numbers(path: Path, key: str, value: Any) -> Tensor:
    try:
        tensor = torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"{path}: {key} must be an array of numbers; got {type(value).__name__}") from None
    if tensor.is_complex() or tensor.dtype == torch.bool:
        raise ValueError(f"{path}: {key} must have real numbers; got {tensor.dtype}")
    return tensor.double()
