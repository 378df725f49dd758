"""Averages of a network's weights over its training."""

from abc import ABC, abstractmethod

import torch
from torch import nn


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
        torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), weight)
        for ours, theirs in zip(average.buffers(), network.buffers(), strict=True):
            if average_buffers and ours.is_floating_point():
                ours.lerp_(theirs, weight)
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
