"""The critic that is taken where none is named."""

import math
from collections.abc import Callable, Sequence
from functools import partial

from torch import nn

from wgan_lip.lipschitz import GroupSort
from wgan_lip.networks.mlp import MLPCritic

# Builds a critic from the shape of one sample, without the batch axis.
CriticFactory = Callable[[Sequence[int]], nn.Module]


def default_critic(input_shape: Sequence[int]) -> nn.Module:
    """The package's recommended critic for samples of a shape: a certified MLP that depends on the dimension only.

    On a plane a potential has many kinks near each other, and groups of 4 make more of them in a layer; in some
    dimensions depth pays most, for orthogonal layers lose no gradient; in very many, width and large groups.

    Args:
        input_shape: shape of one sample, without the batch axis.
    """
    dim = math.prod(input_shape)
    if dim <= 4:
        return MLPCritic(input_shape, width=128, depth=8, activation=partial(GroupSort, 4))
    if dim <= 48:
        return MLPCritic(input_shape, width=128, depth=10)
    return MLPCritic(input_shape, width=256, depth=3, activation=partial(GroupSort, 16))
