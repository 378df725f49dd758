"""Penalties on a critic's steepness at samples: they encourage a Lipschitz constant and guarantee none."""

import math
from abc import ABC, abstractmethod

import torch
from torch import Generator, Tensor, nn

from wgan_lip.lipschitz.gradients import gradient_norms, jacobian_norms


class Penalty(ABC):
    """A term that is added to a critic's loss."""

    @abstractmethod
    def __call__(self, critic: nn.Module, x: Tensor, y: Tensor, generator: Generator) -> Tensor:
        """The penalty, a scalar with a graph.

        Args:
            critic: f.
            x: samples of P, shape (n, *shape).
            y: samples of Q, shape (n, *shape).
            generator: whatever the penalty draws.
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
        _check_weight(weight)
        self.weight = weight
        self.one_sided = one_sided

    def __call__(self, critic: nn.Module, x: Tensor, y: Tensor, generator: Generator) -> Tensor:
        """The penalty, a scalar with a graph; ``generator`` draws the points."""
        if x.shape != y.shape:
            raise ValueError(f"GradientPenalty needs x and y of one shape; got {tuple(x.shape)} and {tuple(y.shape)}")
        t = torch.rand(len(x), *(1,) * (x.ndim - 1), generator=generator, device=generator.device).to(x)
        excess = gradient_norms(critic, torch.lerp(x, y, t), differentiable=True) - 1
        excess = excess.clamp_min(0) if self.one_sided else excess
        return self.weight * excess.square().mean()


class SpectralJacobianPenalty(Penalty):
    """``weight * mean |J|_2`` over the samples x and y: the spectral norms of the network's Jacobians.

    For a critic the Jacobian is the gradient; for networks with several outputs the norm is found by power iteration.

    Args:
        weight: of the penalty in the loss.
        iterations: power iterations.

    Raises:
        ValueError: ``weight`` is negative or not finite, ``iterations < 1``.

    Source:
        Anil, Lucas, Grosse, "Sorting out Lipschitz function approximation", ICML 2019, section 5;
        Sokolic, Giryes, Sapiro, Rodrigues, "Robust large margin deep neural networks", IEEE Trans. Signal Process. 65,
        2017.
    """

    def __init__(self, weight: float = 0.05, iterations: int = 1) -> None:
        _check_weight(weight)
        if iterations < 1:
            raise ValueError(f"iterations must be at least 1; got iterations={iterations}")
        self.weight = weight
        self.iterations = iterations

    def __call__(self, critic: nn.Module, x: Tensor, y: Tensor, generator: Generator) -> Tensor:
        """The penalty, a scalar with a graph; ``generator`` draws where the power iterations start."""
        return self.weight * jacobian_norms(critic, torch.cat((x, y)), generator, self.iterations).mean()


def _check_weight(weight: float) -> None:
    if not (math.isfinite(weight) and weight >= 0):
        raise ValueError(f"weight must be finite and not negative; got weight={weight}")
