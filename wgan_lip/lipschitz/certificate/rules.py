"""The Lipschitz bound of each class of layer, in the l2 norm and in the l_inf norm."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from wgan_lip.lipschitz.activations.alternatives import Abs, Householder, Maxout
from wgan_lip.lipschitz.activations.groupsort import FullSort, GroupSort, MaxMin
from wgan_lip.lipschitz.bounds import gamma, spectral_norm_upper_bound
from wgan_lip.lipschitz.certificate.convolution import convolution_rule, kernel_convolution_rule, kernel_of
from wgan_lip.lipschitz.inspection import check_bias, dense, evaluating, finite_number
from wgan_lip.lipschitz.layers.composition import NormPool2d, Scale, ScaledAvgPool2d
from wgan_lip.lipschitz.layers.kernel_convolution import KernelConv2d

# A rule returns the bound of a layer, or raises ValueError with the reason why there is none.
Rule = Callable[[Any], float]


def in_evaluation(rule: Rule, module: nn.Module) -> float:
    """Apply a rule in evaluation mode, to a layer whose weight may be parametrised."""
    with evaluating(module):
        return rule(module)


def _linear(module: nn.Linear) -> float:
    weight = dense(module.weight, 2)
    check_bias(module.bias, len(weight))
    return spectral_norm_upper_bound(weight)


def _at_most_one(module: nn.Module) -> float:
    return 1.0


def _within_a_sample(module: nn.Module, axis: str = "dim") -> float:
    """Return 1 for a layer that does not act on axis 0, where it would mix the samples of a batch."""
    dim = getattr(module, axis)
    if not isinstance(dim, int) or not (dim >= 1 or dim == -1):
        raise ValueError(f"it must act on axis 1 or higher, or on axis -1, not on the batch; got {axis}={dim}")
    return 1.0


def _householder(module: Householder) -> float:
    """Bound a map that is the identity or ``I - 2 v v^T`` on each pair, of norm ``max(1, 2 |v|^2 - 1)``, v rounded."""
    _within_a_sample(module)
    # One axis, with an angle for each pair; more axes would be broadcast.
    dense(module.theta, 1, "theta")
    squared = float(module.normals.detach().to("cpu", torch.float64).square().sum(1).max()) * (1 + gamma(4))
    return max(1.0, math.nextafter(2 * squared - 1, math.inf))


def _scale(module: Scale) -> float:
    return abs(finite_number(module.factor, "factor"))


def _leaky_relu(module: nn.LeakyReLU) -> float:
    return max(1.0, abs(finite_number(module.negative_slope, "negative_slope")))


RULES: dict[type[nn.Module], Rule] = {
    # Layers under a constraint are bounded by their weight as it is, not by the constraint's guarantee.
    nn.Linear: partial(in_evaluation, _linear),
    nn.Conv2d: partial(in_evaluation, convolution_rule),
    nn.ConvTranspose2d: partial(in_evaluation, convolution_rule),
    KernelConv2d: partial(in_evaluation, kernel_convolution_rule),
    ScaledAvgPool2d: _at_most_one,
    NormPool2d: _at_most_one,
    # Permutations of the pixels.
    nn.PixelUnshuffle: _at_most_one,
    nn.PixelShuffle: _at_most_one,
    GroupSort: _within_a_sample,
    MaxMin: _within_a_sample,
    FullSort: _within_a_sample,
    Maxout: _within_a_sample,
    Householder: _householder,
    Abs: _at_most_one,
    Scale: _scale,
    nn.Identity: _at_most_one,
    nn.Flatten: partial(_within_a_sample, axis="start_dim"),
    nn.Unflatten: _within_a_sample,
    # In evaluation mode the identity.
    nn.Dropout: _at_most_one,
    nn.ReLU: _at_most_one,
    nn.Tanh: _at_most_one,
    nn.Sigmoid: lambda module: 0.25,
    nn.LeakyReLU: _leaky_relu,
}


def row_sum_upper_bound(rows: Tensor) -> float:
    """Bound ``max_i sum_j |w_ij|`` from above: the norm of a matrix between l_inf and l_inf.

    Args:
        rows: of shape (m, ...), one row for each output, of any floating dtype; its entries are taken as exact.

    Returns:
        A float at least that norm, larger by a relative error of about ``n 1e-16``.

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


def _row_sum(module: nn.Linear | nn.Conv2d) -> float:
    """Bound a linear layer or a convolution, whose outputs are each a row of the kernel times a patch."""
    weight = dense(module.weight, 2 if isinstance(module, nn.Linear) else 4)
    check_bias(module.bias, len(weight))
    return row_sum_upper_bound(weight)


# All linear layers are bounded by their largest row sum.
L_INFINITY_RULES: dict[type[nn.Module], Rule] = {
    nn.Linear: partial(in_evaluation, _row_sum),
    nn.Conv2d: partial(in_evaluation, _row_sum),
    KernelConv2d: partial(in_evaluation, lambda module: row_sum_upper_bound(kernel_of(module))),
    # Maps that sort, move, pick or change coordinates one by one have the same constant in both norms.
    **{
        kind: RULES[kind]
        for kind in (
            *(GroupSort, MaxMin, FullSort, Maxout, Abs, Scale),
            *(nn.PixelUnshuffle, nn.PixelShuffle, nn.Identity, nn.Flatten, nn.Unflatten, nn.Dropout),
            *(nn.ReLU, nn.LeakyReLU, nn.Tanh, nn.Sigmoid),
        )
    },
}
