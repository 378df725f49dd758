"""What every measure asks of its features."""

import torch
from torch import Tensor

# Numbers that are held at once in a block of pairs.
_BLOCK = 1 << 24


def checked(least: int, **features: Tensor) -> list[Tensor]:
    """Features in float64 on the CPU, flattened to (n, d), or ValueError.

    Args:
        least: samples that are needed of each.
        features: by the names of the arguments; shape (n, ...).

    Raises:
        ValueError: fewer samples, NaN or infinity, or not as many features in all of them.
    """
    found = []
    for name, value in features.items():
        if value.ndim < 2 or len(value) < least:
            raise ValueError(f"{name} must be of shape (n, d) with n >= {least}; got {tuple(value.shape)}")
        flat = value.detach().to("cpu", torch.float64).flatten(1)
        if not bool(torch.isfinite(flat).all()):
            raise ValueError(f"{name} holds NaN or infinity")
        found.append(flat)
    sizes = {name: flat.shape[1] for name, flat in zip(features, found, strict=True)}
    if len(set(sizes.values())) > 1:
        raise ValueError(f"all must have as many features; got {sizes}")
    return found


def rows_at_once(columns: int) -> int:
    """How many rows of a matrix with so many columns are held at once."""
    return max(1, _BLOCK // max(1, columns))
