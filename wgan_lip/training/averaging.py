"""Averages of a network's weights over its training."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from wgan_lip.dtypes import widened


@contextmanager
def unrounded(average: nn.Module | None) -> Iterator[None]:
    """Keep an average of weights out of half precision, which would lose its small changes.

    Args:
        average: a network, which the body of the ``with`` statement may move to another device or dtype.
    """
    tensors = [] if average is None else [*average.parameters(), *average.buffers()]
    kept = [tensor.data for tensor in tensors if tensor.is_floating_point()]
    yield
    if average is None:
        return
    tensors = [tensor for tensor in (*average.parameters(), *average.buffers()) if tensor.is_floating_point()]
    for tensor, before in zip(tensors, kept, strict=True):
        if tensor.dtype != widened(tensor.dtype):
            tensor.data = before.to(tensor.device, widened(before.dtype))


class ExponentialAverage:
    """A running average ``a <- a + w (p - a)`` of the parameters p, ``w = max(1 - decay, 1 / (step + 1))``.

    It is the mean of all steps at first, later an exponential average.

    Args:
        decay: fraction of the average that is kept at each step.

    Raises:
        ValueError: outside (0, 1).
    """

    def __init__(self, decay: float = 0.999) -> None:
        if not 0 < decay < 1:
            raise ValueError(f"decay must lie between 0 and 1; got decay={decay}")
        self.decay = decay

    @torch.no_grad()
    def update_(self, average: nn.Module, network: nn.Module, step: int, average_buffers: bool = False) -> None:
        """Update the average, in place.

        Args:
            average: a copy of the network that holds the average.
            network: the network.
            step: index of the step just taken, from 0.
            average_buffers: average floating-point buffers too, such as the running moments of batch normalisation;
                other buffers are copied.
        """
        weight = max(1 - self.decay, 1 / (step + 1))
        pairs = list(zip(average.parameters(), network.parameters(), strict=True))
        torch._foreach_lerp_([ours for ours, _ in pairs], [theirs.to(ours) for ours, theirs in pairs], weight)
        for ours, theirs in zip(average.buffers(), network.buffers(), strict=True):
            if average_buffers and ours.is_floating_point():
                ours.lerp_(theirs.to(ours), weight)
            else:
                ours.copy_(theirs)
