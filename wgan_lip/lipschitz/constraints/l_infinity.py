"""Weights that are 1-Lipschitz in the l_inf norm: rows in the l_1 ball."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from wgan_lip.lipschitz.constraints.constraint import Parametrized, Projected


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

    Every row has norm 1, so the layer is 1-Lipschitz in the l_inf norm, and loses none of its constant. Its rows stay
    dense, and it learns faster than under :class:`LInfProjection`, which takes the same from every entry of a row and
    so undoes most of what a step of Adam's did. A row of zeros stays one.
    """

    guarantee = "lipschitz"
    norm = "linf"

    def attach(self, layer: nn.Module) -> None:
        parametrize.register_parametrization(layer, "weight", _RowsOfNormOne())


class _RowsOfNormOne(nn.Module):
    def forward(self, weight: Tensor) -> Tensor:
        return weight / weight.abs().sum(1, keepdim=True).clamp_min(torch.finfo(weight.dtype).tiny)


def project_rows_l1(matrix: Tensor) -> Tensor:
    """Each row's nearest point (in l2) of the l_1 ball of radius 1.

    ``sign(w) max(|w| - theta, 0)``, where ``theta > 0`` makes the absolute values add up to 1; rows inside stay.

    Args:
        matrix: shape (m, n).

    Returns:
        A matrix of the same shape whose rows have l_1 norms of at most 1, to rounding.

    Source:
        Duchi, Shalev-Shwartz, Singer, Chandra, "Efficient projections onto the l1-ball for learning in high
        dimensions", ICML 2008, figure 1.
    """
    sizes = matrix.abs()
    # Measured down from the row's largest entry, so that nothing cancels or overflows however large the row is: the
    # entries lie at `depths` (1 and more never stay), the threshold at `levels` if the first 1, 2, ... of them stay.
    below = (sizes.amax(1, keepdim=True) - sizes).clamp_max(1)
    depths = _sorted(below)
    levels = (depths.cumsum(1) + 1) / torch.arange(1, matrix.shape[1] + 1, device=matrix.device)
    kept = (depths < levels).sum(1, keepdim=True).clamp_min(1)
    shrunk = matrix.sign() * (levels.gather(1, kept - 1) - below).clamp_min(0)
    # The sums of long rows are rounded.
    shrunk = shrunk / shrunk.abs().sum(1, keepdim=True).clamp_min(1)
    return torch.where(sizes.sum(1, keepdim=True) <= 1, matrix, shrunk)


def _sorted(matrix: Tensor) -> Tensor:
    """Each row in ascending order; on the CPU by NumPy, which takes a tenth of PyTorch's time."""
    if matrix.device.type == "cpu" and matrix.dtype in (torch.float32, torch.float64) and not matrix.requires_grad:
        return torch.from_numpy(np.sort(matrix.numpy(), axis=1))
    return matrix.sort(dim=1).values
