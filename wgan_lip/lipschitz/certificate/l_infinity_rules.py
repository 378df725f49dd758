"""What is proven of each class of layer in the l_inf norm: its largest row sum, for all that is linear."""

import math
from functools import partial

import torch
from torch import Tensor, nn

from wgan_lip.lipschitz.activations.absolute import Abs
from wgan_lip.lipschitz.activations.groupsort import FullSort, GroupSort, MaxMin
from wgan_lip.lipschitz.activations.maxout import Maxout
from wgan_lip.lipschitz.bounds import gamma
from wgan_lip.lipschitz.certificate.rules import RULES, Rule, in_evaluation
from wgan_lip.lipschitz.layers.kernel_convolution import KernelConv2d, kernel_of
from wgan_lip.lipschitz.layers.scale import Scale
from wgan_lip.lipschitz.stored import check_bias, dense


def row_sum_upper_bound(rows: Tensor) -> float:
    """A proven upper bound of ``max_i sum_j |w_ij|``, the norm of a matrix between l_inf and l_inf.

    Args:
        rows: of shape (m, ...), one row for each output, of any floating dtype; its entries are taken as exact.

    Returns:
        A float at least that, larger by about ``n 1e-16`` relative.

    Raises:
        ValueError: an entry is NaN or infinite.
    """
    sizes = rows.detach().to("cpu", torch.float64).flatten(1).abs()
    if not bool(torch.isfinite(sizes).all()):
        raise ValueError(f"weight of shape {tuple(rows.shape)} holds NaN or infinity")
    if sizes.numel() == 0:
        return 0.0
    largest = float(sizes.sum(1).max())
    return largest if largest == 0 else math.nextafter(largest * (1 + 2 * gamma(sizes.shape[1])), math.inf)


def _weight(module: nn.Linear | nn.Conv2d) -> float:
    """A convolution too: a pixel of the output is one row of the kernel times one patch, whatever the padding."""
    weight = dense(module.weight, 2 if isinstance(module, nn.Linear) else 4)
    check_bias(module.bias, len(weight))
    return row_sum_upper_bound(weight)


def _kernel(module: KernelConv2d) -> float:
    return row_sum_upper_bound(kernel_of(module))


L_INFINITY_RULES: dict[type[nn.Module], Rule] = {
    nn.Linear: partial(in_evaluation, _weight),
    nn.Conv2d: partial(in_evaluation, _weight),
    KernelConv2d: partial(in_evaluation, _kernel),
    # What sorts, moves, picks or changes coordinates one by one is no steeper in one norm than in another.
    **{
        kind: RULES[kind]
        for kind in (
            *(GroupSort, MaxMin, FullSort, Maxout, Abs, Scale),
            *(nn.PixelUnshuffle, nn.PixelShuffle, nn.Identity, nn.Flatten, nn.Unflatten, nn.Dropout),
            *(nn.ReLU, nn.LeakyReLU, nn.Tanh, nn.Sigmoid),
        )
    },
}
