"""A critic's gradients on samples, compared with those of an optimal potential."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from wgan_lip.lipschitz import critic_gradients

# Samples that are differentiated at once.
_CHUNK = 1024


@dataclass(frozen=True)
class GradientFigures:
    """Gradients of a critic; ``cosine`` and ``l2`` are None if no optimal gradient is known.

    Attributes:
        norm: mean of ``|grad f(x)|``; 1 for an optimal critic.
        cosine: mean cosine between ``grad f(x)`` and the optimal gradient.
        l2: mean of ``|grad f(x) - grad f*(x)|^2``.
    """

    norm: float
    cosine: float | None
    l2: float | None


def gradient_figures(critic: nn.Module, x: Tensor, optimal: Tensor | None) -> GradientFigures:
    """Compare a critic's gradients on samples with optimal ones; they are not divided by a Lipschitz constant.

    Args:
        critic: in evaluation mode, on the device and of the dtype of x.
        x: samples of P, shape ``(n, *shape)``.
        optimal: gradients of an optimal potential at x, of the same shape, or None. A gradient of norm 0 marks a
            sample where the potential is not differentiable; it is left out.

    Source:
        Korotin, Kolesov, Burnaev, "Kantorovich Strikes Back! Wasserstein GANs are not Optimal Transport?", NeurIPS
        2022, section 5: their metrics cos and L2.
    """
    found = torch.cat([critic_gradients(critic, chunk) for chunk in x.split(_CHUNK)]).flatten(1)
    norm = float(found.norm(dim=1).mean())
    if optimal is None:
        return GradientFigures(norm, None, None)
    wanted = optimal.to(found).flatten(1)
    known = wanted.norm(dim=1) > 0
    if not bool(known.any()):
        return GradientFigures(norm, None, None)
    found, wanted = found[known], wanted[known]
    return GradientFigures(
        norm,
        float(torch.cosine_similarity(found, wanted).mean()),
        float((found - wanted).square().sum(dim=1).mean()),
    )
