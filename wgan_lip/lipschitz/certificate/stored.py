"""Checks of the attributes of a layer that the rules of the certificate use."""

import math
import numbers

import torch
from torch import Tensor


def dense(weight: object, axes: int, name: str = "weight") -> Tensor:
    """Return a layer's tensor, or raise ValueError unless it is dense, of floating-point numbers, with ``axes`` axes.

    Args:
        weight: the attribute of the layer.
        axes: the number of axes it must have; with another number the forward pass computes something else.
        name: of the attribute.
    """
    if not isinstance(weight, Tensor) or not weight.is_floating_point() or weight.layout != torch.strided:
        raise ValueError(f"its {name} is not a dense tensor of floating-point numbers")
    if weight.ndim != axes:
        raise ValueError(f"its {name} must have {axes} axes; got shape {tuple(weight.shape)}")
    return weight


def check_bias(bias: object, channels: int) -> None:
    """Raise ValueError unless a bias is one number for each channel of the output, or None.

    PyTorch broadcasts others: one of shape (n, channels) moves each sample by another amount, one with more entries
    than there are channels repeats outputs.

    Args:
        bias: the attribute of the layer.
        channels: of its output.
    """
    if bias is None:
        return
    entries = len(dense(bias, 1, "bias"))
    if entries != channels:
        raise ValueError(f"its bias must have one entry for each channel; got {entries} for channels={channels}")


def finite_number(value: object, name: str) -> float:
    """Return a number by which all entries are multiplied, as a float.

    Args:
        value: a real number, or a real tensor without axes; one with axes would be broadcast.
        name: of the attribute.

    Raises:
        ValueError: it is not a real number, or not finite.
    """
    plain = value.item() if isinstance(value, Tensor) and not value.ndim else value
    if not isinstance(plain, numbers.Real):
        raise ValueError(f"its {name} must be a real number; got {value!r}")
    number = float(plain)
    if not math.isfinite(number):
        raise ValueError(f"its {name} is {number}")
    return number
