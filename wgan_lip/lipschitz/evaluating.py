"""Looking at a network in evaluation mode without leaving a trace."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """All parts are in evaluation mode within, and each in its own mode again afterwards.

    Args:
        network: or a single layer.
    """
    modes = [(part, part.training) for part in network.modules()]
    try:
        for part, _ in modes:
            part.training = False
        yield
    finally:
        for part, training in modes:
            part.training = training


def float64_copy(network: nn.Module, name: str = "network") -> nn.Module:
    """The same function on the CPU in float64, in evaluation mode.

    Parameters are exact in float64: the copy is the function that they define (weights that are computed from them are
    computed in float64), and what is certified and what is scored are one and the same.

    Args:
        network: it is not changed.
        name: what it is called in the error.

    Raises:
        ValueError: a network that cannot be copied.
    """
    try:
        # Not inside an inference mode, whose tensors take no part in autograd.
        with torch.inference_mode(False):
            return copy.deepcopy(network).to("cpu", torch.float64).eval()
    except RuntimeError as error:
        raise ValueError(f"the {name} cannot be copied, so nothing can be said of it: {error}") from error
