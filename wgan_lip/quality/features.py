"""The checks and the conversion of features that all measures share."""

from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Features: TypeAlias = Tensor | NDArray[np.generic]

# Numbers in a block of the matrix of all pairs.
_BLOCK = 1 << 24


def check_features(least: int, **features: Features) -> list[Tensor]:
    """Check features and convert them to float64 on the CPU, flattened to (n, d).

    Args:
        least: the smallest number of samples of each.
        features: by the names of the arguments; tensors or NumPy arrays of shape (n, ...).

    Raises:
        TypeError: neither a tensor nor a NumPy array.
        ValueError: sparse or masked features, no real numbers, fewer samples, NaN or infinity, or different numbers of
            features.
    """
    found = []
    for name, given in features.items():
        value = _as_tensor(name, given)
        if value.ndim < 2 or len(value) < least:
            raise ValueError(f"{name} must be of shape (n, d) with n >= {least}; got {tuple(value.shape)}")
        flat = value.detach().to("cpu", torch.float64).flatten(1)
        if not bool(torch.isfinite(flat).all()):
            raise ValueError(f"{name} holds NaN or infinity")
        found.append(flat)
    sizes = {name: flat.shape[1] for name, flat in zip(features, found, strict=True)}
    if len(set(sizes.values())) > 1:
        raise ValueError(f"{' and '.join(features)} must have the same number of features; got {sizes}")
    return found


def _as_tensor(name: str, features: Features) -> Tensor:
    if isinstance(features, Tensor):
        if features.layout != torch.strided or features.is_meta or features.is_quantized or features.is_complex():
            raise ValueError(
                f"{name} must be a dense tensor of real numbers; got {features.dtype} in layout {features.layout} on "
                f"{features.device}"
            )
        return features
    if not isinstance(features, np.ndarray):
        raise TypeError(f"{name} must be a torch.Tensor or numpy.ndarray; got {type(features).__name__}")
    if isinstance(features, np.ma.MaskedArray) or features.dtype.kind not in "fiub":
        raise ValueError(
            f"{name} must be an array of real numbers without a mask; got {type(features).__name__} of {features.dtype}"
        )
    # A copy in this machine's byte order, which no one else writes to.
    return torch.from_numpy(np.array(features, dtype=np.float64, order="C"))


def rows_at_once(columns: int) -> int:
    """Return the number of rows in a block of a matrix with so many columns."""
    return max(1, _BLOCK // max(1, columns))
