"""Where products may be coarse, and where they must not."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch
from torch import Tensor

# Below this size products in bfloat16 gain nothing on a conversion.
_SMALLEST = 128


def fast_dtype(matrices: Tensor) -> torch.dtype:
    """bfloat16 where it multiplies float32 matrices several times faster, else the matrices' own dtype.

    For factors of which a relative error of 2^-9 does no harm: a step's direction, or a small correction.

    Args:
        matrices: of shape (..., m, n).
    """
    if matrices.dtype != torch.float32 or min(matrices.shape[-2:]) < _SMALLEST:
        return matrices.dtype
    return torch.bfloat16 if _multiplies_bfloat16(matrices.device.type) else matrices.dtype


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """No TF32, bfloat16 or autocasting of float32 products, whatever the program has set."""
    before = torch.get_float32_matmul_precision()
    if before != "highest":
        torch.set_float32_matmul_precision("highest")
    try:
        with torch.autocast(device.type, enabled=False):
            yield
    finally:
        if before != "highest":
            torch.set_float32_matmul_precision(before)


@cache
def _multiplies_bfloat16(device: str) -> bool:
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # Without such instructions bfloat16 products are emulated, slower than those of float32.
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return device == "cpu" and any(getattr(torch.cpu, name, bool)() for name in names)
