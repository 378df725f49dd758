"""Pairs of distributions with known W1 (a stand-in until branch ``pairs`` is merged: take theirs)."""

import math
from abc import ABC
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Generator, Tensor


@dataclass(frozen=True)
class Truth:
    """A W1 that is known, with its standard error."""

    value: float
    standard_error: float = 0.0


class Pair(ABC):
    """Two distributions P and Q."""

    shape: tuple[int, ...]
    norm: Literal["l2", "l1", "linf"] = "l2"
    bounds: tuple[float, float] | None = None
    knows_w1 = False
    knows_plan = False
    knows_potential = False

    @property
    def dim(self) -> int:
        """Numbers in a sample."""
        return math.prod(self.shape)

    def sample(self, n: int, generator: Generator, heldout: bool = False) -> tuple[Tensor, Tensor]:
        """Independent x ~ P and y ~ Q."""
        raise NotImplementedError

    def w1(self) -> Truth:
        """The truth."""
        raise ValueError(f"the W1 of {type(self).__name__} is not known")

    def potential(self, x: Tensor) -> Tensor:
        """An optimal f."""
        raise ValueError(f"no potential of {type(self).__name__} is known")

    def potential_gradient(self, x: Tensor) -> Tensor:
        """Its gradient."""
        raise ValueError(f"no potential of {type(self).__name__} is known")


class AbsoluteValue(Pair):
    """P is 0, Q is -1 or 1: f(x) = -|x|, W1 = 1."""

    shape = (1,)
    bounds = (-1.0, 1.0)
    knows_w1 = True
    knows_potential = True

    def sample(self, n: int, generator: Generator, heldout: bool = False) -> tuple[Tensor, Tensor]:
        y = torch.randint(0, 2, (n, 1), generator=generator, device=generator.device) * 2.0 - 1
        return torch.zeros_like(y), y

    def w1(self) -> Truth:
        return Truth(1.0)

    def potential(self, x: Tensor) -> Tensor:
        return -x.flatten(1).norm(dim=1)

    def potential_gradient(self, x: Tensor) -> Tensor:
        return -x.sign()
