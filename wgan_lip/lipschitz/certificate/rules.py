"""What is proven of each class of layer: a bound of its Lipschitz constant in the l2 norm."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn

from wgan_lip.lipschitz.activations.absolute import Abs
from wgan_lip.lipschitz.activations.groupsort import FullSort, GroupSort, MaxMin
from wgan_lip.lipschitz.activations.householder import Householder
from wgan_lip.lipschitz.activations.maxout import Maxout
from wgan_lip.lipschitz.bounds import gamma, spectral_norm_upper_bound
from wgan_lip.lipschitz.convolution import convolution_rule
from wgan_lip.lipschitz.evaluating import evaluating
from wgan_lip.lipschitz.layers.kernel_convolution import KernelConv2d, KernelConvTranspose2d, kernel_convolution_rule
from wgan_lip.lipschitz.layers.pooling import NormPool2d, ScaledAvgPool2d
from wgan_lip.lipschitz.layers.scale import Scale
from wgan_lip.lipschitz.stored import check_bias, dense, finite_number

# A rule bounds one layer of the classes that it is for, or raises ValueError saying why it cannot.
Rule = Callable[[Any], float]


def in_evaluation(rule: Rule, module: nn.Module) -> float:
    """The bound of a layer whose weight may be parametrised: by its rule, in evaluation mode."""
    with evaluating(module):
        return rule(module)


def _linear(module: nn.Linear) -> float:
    weight = dense(module.weight, 2)
    check_bias(module.bias, len(weight))
    return spectral_norm_upper_bound(weight)


def _at_most_one(module: nn.Module) -> float:
    return 1.0


def _within_a_sample(module: nn.Module, axis: str = "dim") -> float:
    """A bound of 1 for layers that must not act on axis 0, which would mix the samples of a batch."""
    dim = getattr(module, axis)
    if not isinstance(dim, int) or not (dim >= 1 or dim == -1):
        raise ValueError(f"it must act on axis 1 or higher, or -1, not on the batch; got {axis}={dim}")
    return 1.0


def _householder(module: Householder) -> float:
    """On each pair the identity or ``I - 2 v v^T``, of norm ``max(1, 2 |v|^2 - 1)``: v is a rounded unit vector."""
    _within_a_sample(module)
    # One angle for each pair: more axes would be broadcast.
    dense(module.theta, 1, "theta")
    squared = float(module.normals.detach().to("cpu", torch.float64).square().sum(1).max()) * (1 + gamma(4))
    return max(1.0, math.nextafter(2 * squared - 1, math.inf))


def _scale(module: Scale) -> float:
    return abs(finite_number(module.factor, "factor"))


def _leaky_relu(module: nn.LeakyReLU) -> float:
    return max(1.0, abs(finite_number(module.negative_slope, "negative_slope")))


RULES: dict[type[nn.Module], Rule] = {
    # Layers under any constraint are linear layers: what counts is their weight as it is.
    nn.Linear: partial(in_evaluation, _linear),
    nn.Conv2d: partial(in_evaluation, convolution_rule),
    nn.ConvTranspose2d: partial(in_evaluation, convolution_rule),
    KernelConv2d: partial(in_evaluation, kernel_convolution_rule),
    KernelConvTranspose2d: partial(in_evaluation, kernel_convolution_rule),
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
