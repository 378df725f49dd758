"""Penalties on a critic's steepness at samples: they encourage a Lipschitz constant and guarantee none."""

import math
from abc import ABC, abstractmethod
from typing import Literal

import torch
from torch import Generator, Tensor, nn

from wgan_lip.dtypes import drawing_dtype, lerp
from wgan_lip.lipschitz.gradients import gradient_norms, jacobian_norms
from wgan_lip.parts import Part


class Penalty(ABC):
    """What is added to a critic's loss at each step; a class, so that configs can name its subclasses.

    Args:
        weight: of the penalty in the loss.

    Raises:
        ValueError: ``weight`` is negative or not finite.
    """

    def __init__(self, weight: float) -> None:
        if not (math.isfinite(weight) and weight >= 0):
            raise ValueError(f"weight must be finite and not negative; got weight={weight}")
        self.weight = weight

    @abstractmethod
    def __call__(
        self, critic: nn.Module, x: Tensor, y: Tensor, generator: Generator, part: Part | None = None
    ) -> Tensor:
        """The penalty at samples x of P and y of Q, a scalar with a graph; all randomness is the generator's.

        Args:
            critic: what is punished.
            x: shape ``(n, *shape)``.
            y: shape ``(m, *shape)``.
            generator: of the whole batch.
            part: which part of a batch x and y are; None if they are all of it.
        """


class GradientPenalty(Penalty):
    """``weight * mean (|grad f| - 1)^2`` at random points between x and y; one-sided, ``max(0, |grad f| - 1)^2``.

    The points are ``z_i = x_i + t_i (y_i - x_i)`` with t uniform in [0, 1].

    Args:
        weight: of the penalty in the loss.
        one_sided: punish only gradients that are too long.

    Raises:
        ValueError: ``weight`` is negative or not finite; when called, x and y of different shapes.

    Source:
        Gulrajani et al., "Improved training of Wasserstein GANs", NeurIPS 2017, equation (3); one-sided: Petzka,
        Fischer, Lukovnikov, "On the regularization of Wasserstein GANs", ICLR 2018.
    """

    def __init__(self, weight: float = 10.0, one_sided: bool = False) -> None:
        super().__init__(weight)
        self.one_sided = one_sided

    def __call__(
        self, critic: nn.Module, x: Tensor, y: Tensor, generator: Generator, part: Part | None = None
    ) -> Tensor:
        if x.shape != y.shape:
            raise ValueError(f"GradientPenalty needs x and y of one shape; got {tuple(x.shape)} and {tuple(y.shape)}")
        part = part or Part(0, len(x), len(x))
        shape = (part.total, *(1,) * (x.ndim - 1))
        t = torch.rand(shape, generator=generator, device=generator.device, dtype=drawing_dtype())
        excess = gradient_norms(critic, lerp(x, y, part.of(t)), differentiable=True) - 1
        excess = excess.clamp_min(0) if self.one_sided else excess
        return self.weight * excess.square().mean()


class SpectralJacobianPenalty(Penalty):
    """``weight * mean |J|_2^power`` over the samples x and y: the spectral norms of the network's Jacobians.

    For a critic the Jacobian is the gradient; for networks with several outputs the norm is found by power iteration.
    Critics need the square: ``mean f(x) - mean f(y) - weight |grad f|`` grows without bound, or not at all, as f
    is scaled up, whereas with the square it is largest where ``|grad f|`` is about ``W1 / (2 weight)``.

    Args:
        weight: of the penalty in the loss.
        power: 2, or 1 as the paper has it for classifiers.
        iterations: power iterations.

    Raises:
        ValueError: ``weight`` is negative or not finite, ``power`` is not 1 or 2, ``iterations < 1``.

    Source:
        Anil, Lucas, Grosse, "Sorting out Lipschitz function approximation", ICML 2019, section 5;
        Sokolic, Giryes, Sapiro, Rodrigues, "Robust large margin deep neural networks", IEEE Trans. Signal Process. 65,
        2017.
    """

    def __init__(self, weight: float = 0.5, power: Literal[1, 2] = 2, iterations: int = 1) -> None:
        super().__init__(weight)
        if power not in (1, 2):
            raise ValueError(f"power must be 1 or 2; got power={power}")
        if iterations < 1:
            raise ValueError(f"iterations must be at least 1; got iterations={iterations}")
        self.power = power
        self.iterations = iterations

    def __call__(
        self, critic: nn.Module, x: Tensor, y: Tensor, generator: Generator, part: Part | None = None
    ) -> Tensor:
        # Of critics, with one output, the norms are exact; otherwise each part draws vectors of its own.
        norms = jacobian_norms(critic, torch.cat((x, y)), generator, self.iterations)
        return self.weight * norms.pow(self.power).mean()
