"""Dtypes of random numbers and of intermediate results, and checks for the meta device."""

import torch
from torch import Tensor, nn


def widened(dtype: torch.dtype) -> torch.dtype:
    """Return float32 for the half-precision dtypes, and other dtypes as they are."""
    return torch.promote_types(dtype, torch.float32)


def drawing_dtype() -> torch.dtype:
    """Return the dtype in which to draw random numbers: the default dtype, or float32 if that is of half precision.

    A uniform number in bfloat16 has only some thousand values; a normal one computed from it is at most about 4.5.
    """
    return widened(torch.get_default_dtype())


def lerp(x: Tensor, y: Tensor, t: Tensor) -> Tensor:
    """Compute ``x + t (y - x)`` in the dtype of x; under autocasting, the outputs of networks differ from it.

    Args:
        x: of any floating dtype.
        y: of the shape of x, of any floating dtype.
        t: a tensor that can be broadcast to the shape of x.
    """
    dtype = widened(torch.promote_types(x.dtype, y.dtype))
    return torch.lerp(x.to(dtype), y.to(x.device, dtype), t.to(x.device, dtype)).to(x.dtype)


def check_has_values(network: nn.Module, name: str) -> None:
    """Check that no parameter is on the meta device.

    Args:
        network: any module.
        name: of the network, for the error message.

    Raises:
        ValueError: a parameter is on the meta device.
    """
    for key, parameter in network.named_parameters():
        if parameter.is_meta:
            raise ValueError(
                f"{name} must hold values, but its {key} lies on the meta device, which holds none: "
                "build the network on the CPU or on a GPU"
            )
