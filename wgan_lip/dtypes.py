"""Numbers of several dtypes, and what half precision is too coarse for."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn


def widened(dtype: torch.dtype) -> torch.dtype:
    """float32 for the half-precision dtypes; the dtype itself otherwise."""
    return torch.promote_types(dtype, torch.float32)


def drawing_dtype() -> torch.dtype:
    """What random numbers are drawn in: the default dtype, or float32 if that is of half precision.

    A uniform number in bfloat16 is one of some thousand; a normal one that is made of it ends at about 4.5.
    """
    return widened(torch.get_default_dtype())


def lerp(x: Tensor, y: Tensor, t: Tensor) -> Tensor:
    """``x + t (y - x)`` in the dtype of x; what networks make while autocasting is of another one than data.

    Args:
        x: of any floating dtype.
        y: of the shape of x, of any floating dtype.
        t: can be broadcast to the shape of x.
    """
    dtype = widened(torch.promote_types(x.dtype, y.dtype))
    return torch.lerp(x.to(dtype), y.to(x.device, dtype), t.to(x.device, dtype)).to(x.dtype)


def check_has_values(network: nn.Module, name: str) -> None:
    """See that no parameter lies on the meta device.

    Args:
        network: any module.
        name: what it is called in the error.

    Raises:
        ValueError: one does.
    """
    for key, parameter in network.named_parameters():
        if parameter.is_meta:
            raise ValueError(
                f"{name} must hold values, but its {key} lies on the meta device, which holds none: "
                "build it on the CPU or on a GPU"
            )


def check_no_meta(params: Iterable[Tensor]) -> None:
    """See that none of an optimiser's parameters lies on the meta device.

    Args:
        params: of the optimiser.

    Raises:
        ValueError: one does.
    """
    if any(p.is_meta for p in params):
        raise ValueError("params must hold values; got one on the meta device, which holds none")
