"""Norms of a critic's gradients, and penalties on them: they encourage a Lipschitz constant and guarantee none."""

import math
from abc import ABC, abstractmethod

import torch
from torch import Generator, Tensor, nn

from wgan_lip.dtypes import drawing_dtype, lerp, widened
from wgan_lip.parts import Part


def critic_gradients(critic: nn.Module, x: Tensor, differentiable: bool = False) -> Tensor:
    """Compute ``grad f(x)`` at each point. Works inside ``torch.no_grad`` and ``torch.inference_mode`` too.

    Args:
        critic: f, with one value per sample, which depends on that sample only.
        x: points of shape (n, ...).
        differentiable: keep the graph, so that the result can be differentiated with respect to f's parameters.

    Returns:
        A tensor of the shape of x.

    Raises:
        ValueError: the critic does not give exactly one value per sample.
    """
    with torch.inference_mode(False), torch.enable_grad():
        points = x.clone().detach().requires_grad_()
        # A copy: the first layer may work in place, which a leaf of the graph forbids.
        values = critic(points.clone())
        if values.numel() != len(points):
            raise ValueError(
                f"critic must give one value per sample; got shape {tuple(values.shape)} for {len(x)} samples"
            )
        (result,) = torch.autograd.grad(values.sum(), points, create_graph=differentiable)
        return result


def gradient_norms(critic: nn.Module, x: Tensor, differentiable: bool = False) -> Tensor:
    """Compute ``|grad f(x)|_2`` at each point, shape (n,).

    A critic that attains W1 has norm 1 almost everywhere between the two distributions; one that loses gradient norm
    has less.

    Args:
        critic: as of :func:`critic_gradients`, and so are the others.
        x: points of shape (n, ...).
        differentiable: keep the graph.

    Source:
        Anil, Lucas, Grosse, "Sorting out Lipschitz function approximation", ICML 2019, theorem 1.
    """
    gradients = critic_gradients(critic, x, differentiable)
    return torch.linalg.vector_norm(gradients.flatten(1), dim=1, dtype=widened(gradients.dtype))


class Penalty(ABC):
    """A term that is added to a critic's loss at each step; a class, so that configs can name its subclasses.

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
        """Compute the penalty at samples x of P and y of Q, a scalar with a graph.

        Args:
            critic: f.
            x: shape ``(n, *shape)``.
            y: shape ``(m, *shape)``.
            generator: source of all randomness, which is drawn for the whole batch.
            part: which rows of a batch x and y are; None if they are the whole batch.
        """


class GradientPenalty(Penalty):
    """``weight * mean (|grad f| - 1)^2`` at random points between x and y; one-sided, ``max(0, |grad f| - 1)^2``.

    The points are ``z_i = x_i + t_i (y_i - x_i)`` with t uniform in [0, 1].

    Args:
        weight: of the penalty in the loss.
        one_sided: penalise only gradients that are longer than 1.

    Raises:
        ValueError: ``weight`` is negative or not finite; when called, x and y have different shapes.

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
