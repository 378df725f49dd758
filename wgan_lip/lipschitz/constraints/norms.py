"""Constraints on a norm of the weight: spectral, row sums (l_inf), and the largest entry (clipping)."""

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

from wgan_lip.lipschitz.bounds import spectral_norm_upper_bound
from wgan_lip.lipschitz.constraints.constraint import Parametrized, Projected


class SpectralNorm(Parametrized):
    """The weight is ``W / s`` of a free parameter W, with s an estimate of its spectral norm by power iteration.

    ``s = u^T W v``, where each forward pass in training mode moves u and v towards the leading singular vectors. The
    estimate is never above the spectral norm, so the weight's norm is never below 1, and exceeds 1 until the iteration
    has converged: hence no guarantee. Smaller singular values stay below 1, and the gradient norm shrinks along them.

    Args:
        iterations: power iterations in each forward pass in training mode.

    Raises:
        ValueError: ``iterations < 1``.

    Source:
        Miyato et al., "Spectral normalization for generative adversarial networks", ICLR 2018, algorithm 1.
    """

    guarantee = "none"

    def __init__(self, iterations: int = 1) -> None:
        if iterations < 1:
            raise ValueError(f"SpectralNorm needs iterations >= 1; got iterations={iterations}")
        self.iterations = iterations

    def attach(self, layer: nn.Module) -> None:
        parametrizations.spectral_norm(layer, "weight", n_power_iterations=self.iterations)


class SpectralProjection(Projected):
    """After each step the weight is divided by its spectral norm if that is above 1.

    ``W <- W / max(1, s)`` with s a proven bound of the norm (:func:`spectral_norm_upper_bound`), computed in float64 on
    the CPU: exact, and slow for large layers. Smaller singular values stay below 1.

    Source:
        Gouk, Frank, Pfahringer, Cree, "Regularisation of neural networks by enforcing Lipschitz continuity", Machine
        Learning 110, 2021.
    """

    guarantee = "lipschitz"

    def projection(self, weight: Tensor) -> Tensor:
        return weight / max(1.0, spectral_norm_upper_bound(weight))


class LInfProjection(Projected):
    """After each step every row is projected onto the l_1 ball of radius 1.

    ``|W x|_inf <= max_i |w_i|_1 |x|_inf``, so the layer is 1-Lipschitz in the l_inf norm. In the l2 norm its constant
    may reach the square root of the number of rows.

    Source:
        Anil, Lucas, Grosse, "Sorting out Lipschitz function approximation", ICML 2019, section 4.2.
    """

    guarantee = "lipschitz"
    norm = "linf"

    def projection(self, weight: Tensor) -> Tensor:
        return project_rows_l1(weight)


class LInfNormalization(Parametrized):
    """The weight is a free parameter V with each row divided by its l_1 norm: ``w_i = v_i / |v_i|_1``.

    Every row has norm 1, so the layer's constant in the l_inf norm is exactly 1. Its rows stay dense, and it learns
    faster than with :class:`LInfProjection`, which subtracts the same number from every entry of a row and so undoes
    most of a step of Adam. A row of zeros stays zero.
    """

    guarantee = "lipschitz"
    norm = "linf"

    def attach(self, layer: nn.Module) -> None:
        parametrize.register_parametrization(layer, "weight", _RowsOfNormOne())


class _RowsOfNormOne(nn.Module):
    def forward(self, weight: Tensor) -> Tensor:
        return weight / weight.abs().sum(1, keepdim=True).clamp_min(torch.finfo(weight.dtype).tiny)


def project_rows_l1(matrix: Tensor) -> Tensor:
    """Project each row onto the l_1 ball of radius 1: its nearest point in l2.

    ``sign(w) max(|w| - theta, 0)``, where ``theta > 0`` makes the absolute values add up to 1; rows in the ball stay.

    Args:
        matrix: shape (m, n).

    Returns:
        A matrix of the same shape whose rows have l_1 norms of at most 1, to rounding.

    Source:
        Duchi, Shalev-Shwartz, Singer, Chandra, "Efficient projections onto the l1-ball for learning in high
        dimensions", ICML 2008, figure 1.
    """
    sizes = matrix.abs()
    # Entries are measured as distances below the row's largest one, so that nothing cancels or overflows however large
    # the row is: `depths` are these distances in order (from 1 on an entry becomes 0), and `levels` is the distance of
    # the threshold if the first 1, 2, ... entries stay.
    below = (sizes.amax(1, keepdim=True) - sizes).clamp_max(1)
    depths = _sorted(below)
    levels = (depths.cumsum(1) + 1) / torch.arange(1, matrix.shape[1] + 1, device=matrix.device)
    kept = (depths < levels).sum(1, keepdim=True).clamp_min(1)
    shrunk = matrix.sign() * (levels.gather(1, kept - 1) - below).clamp_min(0)
    # The sums of long rows are rounded.
    shrunk = shrunk / shrunk.abs().sum(1, keepdim=True).clamp_min(1)
    return torch.where(sizes.sum(1, keepdim=True) <= 1, matrix, shrunk)


def _sorted(matrix: Tensor) -> Tensor:
    """Sort each row in ascending order; on the CPU by NumPy, which takes a tenth of PyTorch's time."""
    if matrix.device.type == "cpu" and matrix.dtype in (torch.float32, torch.float64) and not matrix.requires_grad:
        return torch.from_numpy(np.sort(matrix.numpy(), axis=1))
    return matrix.sort(dim=1).values


class WeightClipping(Projected):
    """After each step every entry is clamped to ``[-c, c]``: the first WGAN.

    The norm is at most ``c sqrt(m n)``, which depends on the sizes and is rarely 1.

    Args:
        c: the largest entry.

    Raises:
        ValueError: c is not positive and finite.

    Source:
        Arjovsky, Chintala, Bottou, "Wasserstein GAN", ICML 2017, algorithm 1.
    """

    guarantee = "none"

    def __init__(self, c: float = 0.01) -> None:
        if not (math.isfinite(c) and c > 0):
            raise ValueError(f"WeightClipping needs c > 0 and finite; got c={c}")
        self.c = c

    def projection(self, weight: Tensor) -> Tensor:
        return weight.clamp(-self.c, self.c)
