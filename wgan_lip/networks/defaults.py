"""The critic that is taken where none is named."""

from collections.abc import Callable, Sequence

from torch import nn

from wgan_lip.networks.mlp import MLPCritic

# Builds a critic from the shape of one sample, without the batch axis.
CriticFactory = Callable[[Sequence[int]], nn.Module]


def default_critic(input_shape: Sequence[int]) -> nn.Module:
    """The package's recommended critic for samples of a shape.

    Args:
        input_shape: shape of one sample, without the batch axis.
    """
    return MLPCritic(input_shape, width=128, depth=8)
