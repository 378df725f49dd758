"""A pair of distributions, and what is known of the distance between them."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Generator, Tensor

from wgan_lip.randomness import keyed_generator


@dataclass(frozen=True)
class Truth:
    """A known W1.

    Attributes:
        value: W1(P, Q).
        standard_error: 0 for a closed form, else that of a Monte Carlo mean over an optimal plan.
    """

    value: float
    standard_error: float = 0.0


class Pair(ABC):
    """Two distributions P and Q on R^shape, and the Wasserstein-1 distance between them where it is known.

    A pair says what it knows by ``knows_w1``, ``knows_plan`` and ``knows_potential``; what is asked for and is
    not known is a ValueError. Potentials f are those that maximise ``E_P f - E_Q f`` over 1-Lipschitz f.

    Attributes:
        shape: of one sample.
        norm: the ground norm of W1.
        bounds: between which every coordinate of every sample lies, or None where that is not known.
        knows_w1: whether ``w1`` has an answer.
        knows_plan: whether ``sample_plan`` has.
        knows_potential: whether ``potential`` and ``potential_gradient`` have.
    """

    shape: tuple[int, ...]
    norm: Literal["l2", "l1", "linf"] = "l2"
    bounds: tuple[float, float] | None = None
    knows_w1: bool = False
    knows_plan: bool = False
    knows_potential: bool = False

    @property
    def dim(self) -> int:
        """Numbers in one sample."""
        return math.prod(self.shape)

    @abstractmethod
    def sample(self, n: int, generator: Generator, heldout: bool = False) -> tuple[Tensor, Tensor]:
        """Independent samples x ~ P and y ~ Q.

        Args:
            n: samples of each.
            generator: source of randomness; the samples lie on its device.
            heldout: draw from what training never sees; pairs of endless supply draw fresh samples anyway.

        Returns:
            Two float32 tensors of shape ``(n, *shape)``.
        """

    def w1(self) -> Truth:
        """W1(P, Q).

        Raises:
            ValueError: it is not known.
        """
        if not self.knows_plan:
            raise self._unknown("W1")
        return self._w1_of_plan

    def sample_plan(self, n: int, generator: Generator) -> tuple[Tensor, Tensor]:
        """Samples (x, y) of an optimal plan: x ~ P, y ~ Q, and ``E |x - y| = W1(P, Q)``.

        Raises:
            ValueError: no optimal plan is known.
        """
        raise self._unknown("optimal plan")

    def potential(self, x: Tensor) -> Tensor:
        """An optimal potential's values: ``(n, *shape) -> (n,)``.

        Raises:
            ValueError: none is known.
        """
        raise self._unknown("optimal potential")

    def potential_gradient(self, x: Tensor) -> Tensor:
        """The gradient of ``potential`` at samples of P: ``(n, *shape) -> (n, *shape)``.

        Raises:
            ValueError: none is known.
        """
        raise self._unknown("optimal potential")

    def _unknown(self, what: str) -> ValueError:
        return ValueError(f"the {what} of {self} is not known")

    def __str__(self) -> str:
        return type(self).__name__

    @cached_property
    def _w1_of_plan(self) -> Truth:
        """The mean cost of 65,536 draws of the plan, always the same ones."""
        stream = keyed_generator("truth", str(self))
        costs = []
        for _ in range(16):
            x, y = self.sample_plan(4096, stream)
            costs.append((x.double() - y.double()).flatten(1).norm(dim=1))
        cost = torch.cat(costs)
        return Truth(float(cost.mean()), float(cost.std()) / math.sqrt(len(cost)))


def check_samples(shape: tuple[int, ...], x: Tensor) -> Tensor:
    """``x`` if its samples have the shape, else a ValueError."""
    if x.ndim != len(shape) + 1 or tuple(x.shape[1:]) != shape:
        raise ValueError(f"x must have shape (n, {', '.join(map(str, shape))}); got {tuple(x.shape)}")
    return x


def float32_box(low: float, high: float) -> tuple[float, float]:
    """Bounds of coordinates between ``low`` and ``high`` that were rounded to float32."""
    outward = torch.nextafter(torch.tensor([low, high], dtype=torch.float32), torch.tensor([-math.inf, math.inf]))
    return float(outward[0]), float(outward[1])


def unit(x: Tensor) -> Tensor:
    """``x / |x|`` for each sample; 0 for 0. Computed in float64."""
    flat = x.double().flatten(1)
    norms = flat.norm(dim=1, keepdim=True)
    return torch.where(norms > 0, flat / norms, 0).reshape(x.shape).to(x.dtype)
