"""A pair of distributions, the distance between them where it is known, and a pair that is known by samples only."""

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

    Methods whose answer is not known raise ValueError. Optimal potentials f maximise ``E_P f - E_Q f`` over 1-Lipschitz
    functions.

    Attributes:
        shape: of one sample.
        norm: the ground norm of W1.
        bounds: lower and upper bound of every coordinate of every sample; None where they are not known.
        knows_w1: whether ``w1`` is known.
        knows_plan: whether an optimal plan is known.
        knows_potential: whether an optimal potential and its gradient are known.
    """

    shape: tuple[int, ...]
    norm: Literal["l2", "l1", "linf"] = "l2"
    bounds: tuple[float, float] | None = None
    knows_w1: bool = False
    knows_plan: bool = False
    knows_potential: bool = False

    @property
    def dim(self) -> int:
        """Number of coordinates of a sample."""
        return math.prod(self.shape)

    @abstractmethod
    def sample(self, n: int, generator: Generator, heldout: bool = False) -> tuple[Tensor, Tensor]:
        """Draw independent samples x ~ P and y ~ Q.

        Args:
            n: samples of each.
            generator: source of randomness; the samples lie on its device.
            heldout: draw from samples that training never sees, where there is a finite number of samples.

        Returns:
            Two float32 tensors of shape ``(n, *shape)``.
        """

    def w1(self) -> Truth:
        """Return W1(P, Q).

        Raises:
            ValueError: it is not known.
        """
        if not self.knows_plan:
            raise self._unknown("W1")
        return self._w1_of_plan

    def sample_plan(self, n: int, generator: Generator) -> tuple[Tensor, Tensor]:
        """Draw samples (x, y) of an optimal plan: x ~ P, y ~ Q, and ``E |x - y| = W1(P, Q)``.

        Raises:
            ValueError: no optimal plan is known.
        """
        raise self._unknown("optimal plan")

    def potential(self, x: Tensor) -> Tensor:
        """Return an optimal potential's values: ``(n, *shape) -> (n,)``.

        Raises:
            ValueError: none is known.
        """
        raise self._unknown("optimal potential")

    def potential_gradient(self, x: Tensor) -> Tensor:
        """Return the gradient of ``potential`` at samples of P: ``(n, *shape) -> (n, *shape)``.

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
        """Mean cost of 65,536 draws of the plan, always the same ones."""
        stream = keyed_generator("truth", str(self))
        costs = []
        for _ in range(16):
            x, y = self.sample_plan(4096, stream)
            costs.append((x.double() - y.double()).flatten(1).norm(dim=1))
        cost = torch.cat(costs)
        return Truth(float(cost.mean()), float(cost.std()) / math.sqrt(len(cost)))


def check_samples(shape: tuple[int, ...], x: Tensor) -> Tensor:
    """Return ``x``; raise ValueError unless its samples have the shape."""
    if x.ndim != len(shape) + 1 or tuple(x.shape[1:]) != shape:
        raise ValueError(f"x must have shape (n, {', '.join(map(str, shape))}); got {tuple(x.shape)}")
    return x


def float32_box(low: float, high: float) -> tuple[float, float]:
    """Return bounds of coordinates between ``low`` and ``high`` that were rounded to float32."""
    outward = torch.nextafter(torch.tensor([low, high], dtype=torch.float32), torch.tensor([-math.inf, math.inf]))
    return float(outward[0]), float(outward[1])


def unit(x: Tensor) -> Tensor:
    """Return ``x / |x|`` for each sample, computed in float64; 0 for 0."""
    flat = x.double().flatten(1)
    norms = flat.norm(dim=1, keepdim=True)
    return torch.where(norms > 0, flat / norms, 0).reshape(x.shape).to(x.dtype)


class SamplePair(Pair):
    """Two sets of samples: P and Q are the empirical distributions of their training parts.

    W1 is not known. The last ``heldout`` part of each set is held out from training: shuffle sets that are ordered.

    Args:
        x: samples of P, of shape ``(n, *shape)``.
        y: samples of Q, of shape ``(m, *shape)``.
        heldout: part of each set that is held out, in (0, 1).
        bounds: between which all coordinates of both distributions lie, where that is known.

    Raises:
        ValueError: different shapes, samples that are not finite, or sets too small for both parts.
    """

    def __init__(self, x: Tensor, y: Tensor, heldout: float = 0.25, bounds: tuple[float, float] | None = None) -> None:
        if not 0 < heldout < 1:
            raise ValueError(f"heldout must lie between 0 and 1; got heldout={heldout}")
        if x.ndim < 2 or x.shape[1:] != y.shape[1:]:
            raise ValueError(f"x and y must have samples of one shape; got {tuple(x.shape)} and {tuple(y.shape)}")
        self.shape = tuple(x.shape[1:])
        self.bounds = bounds
        self._parts: dict[bool, list[Tensor]] = {False: [], True: []}
        for name, samples in (("x", x), ("y", y)):
            kept = round(len(samples) * (1 - heldout))
            if not 0 < kept < len(samples):
                raise ValueError(
                    f"{name} must have enough samples for training and heldout={heldout}; got {len(samples)}"
                )
            if not bool(torch.isfinite(samples).all()):
                raise ValueError(f"{name} must be finite; got NaN or infinity")
            self._parts[False].append(samples[:kept].float())
            self._parts[True].append(samples[kept:].float())

    def sample(self, n: int, generator: Generator, heldout: bool = False) -> tuple[Tensor, Tensor]:
        """Draw as :meth:`Pair.sample`; training samples with replacement, held-out ones each once, at most all."""
        x, y = (_draw(part, n, generator, heldout) for part in self._parts[heldout])
        return x, y


def _draw(samples: Tensor, n: int, generator: Generator, once: bool) -> Tensor:
    size, device = len(samples), generator.device
    if once:
        chosen = torch.randperm(size, generator=generator, device=device)[:n]
    else:
        chosen = torch.randint(size, (n,), generator=generator, device=device)
    return samples[chosen.cpu()].to(device)
