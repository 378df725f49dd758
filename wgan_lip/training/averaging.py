"""Averages of a network's weights over its training."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from wgan_lip.dtypes import widened


@contextmanager
def unrounded(average: nn.Module | None) -> Iterator[None]:
    """Whatever is done within casts an average to no half precision: the small steps that it takes would be lost.

    Args:
        average: a network; it may be moved to another device.
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


class WeightAverage(ABC):
    """A running average ``a <- a + w (p - a)`` of the parameters p, with a weight w that depends on the step."""

    @abstractmethod
    def weight(self, step: int, steps: int) -> float:
        """The newest parameters' weight; 1 forgets all before.

        Args:
            step: the step that was just taken, from 0.
            steps: how many there are in all.
        """

    @torch.no_grad()
    def update_(
        self, average: nn.Module, network: nn.Module, step: int, steps: int, average_buffers: bool = False
    ) -> None:
        """Take the network's parameters into the average, in place.

        Args:
            average: a copy of the network that holds the average.
            network: the network.
            step: the step that was just taken, from 0.
            steps: how many there are in all.
            average_buffers: average floating-point buffers too, such as the running moments of batch normalisation;
                otherwise, and where they are counts, they are taken as they are.
        """
        weight = self.weight(step, steps)
        pairs = list(zip(average.parameters(), network.parameters(), strict=True))
        torch._foreach_lerp_([ours for ours, _ in pairs], [theirs.to(ours) for ours, theirs in pairs], weight)
        for ours, theirs in zip(average.buffers(), network.buffers(), strict=True):
            if average_buffers and ours.is_floating_point():
                ours.lerp_(theirs.to(ours), weight)
            else:
                ours.copy_(theirs)


class ExponentialAverage(WeightAverage):
    """``w = max(1 - decay, 1 / (step + 1))``: the plain mean at first, later one that forgets the beginning.

    Args:
        decay: part of the average that stays at each step.

    Raises:
        ValueError: outside (0, 1).
    """

    def __init__(self, decay: float = 0.999) -> None:
        if not 0 < decay < 1:
            raise ValueError(f"decay must lie between 0 and 1; got decay={decay}")
        self.decay = decay

    def weight(self, step: int, steps: int) -> float:
        return max(1 - self.decay, 1 / (step + 1))


class TailAverage(WeightAverage):
    """The plain mean over the last part of the run; until that begins, the parameters themselves.

    Args:
        fraction: of the run that is averaged over.

    Raises:
        ValueError: outside (0, 1].

    Source:
        Izmailov et al., "Averaging weights leads to wider optima and better generalization", UAI 2018, algorithm 1.
    """

    def __init__(self, fraction: float = 0.25) -> None:
        if not 0 < fraction <= 1:
            raise ValueError(f"fraction must be above 0 and at most 1; got fraction={fraction}")
        self.fraction = fraction

    def weight(self, step: int, steps: int) -> float:
        first = steps - max(1, round(self.fraction * steps))
        return 1 / max(1, step - first + 1)
