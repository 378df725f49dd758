"""How networks are put together from factories of layers."""

import inspect
from collections.abc import Callable, Sequence

import torch
from torch import nn

from wgan_lip.lipschitz import Scale

# ``linear(in_features, out_features)`` and ``activation()`` build one layer each; an activation that has an argument
# ``channels`` without a default, as Householder has, gets the number of channels.
LinearFactory = Callable[[int, int], nn.Module]
ActivationFactory = Callable[[], nn.Module]
# ``conv(in_channels, out_channels, kernel_size, stride)`` builds a convolution, from sides s n to sides n.
ConvFactory = Callable[[int, int, int, int], nn.Module]


def hidden_layers(
    inputs: int, widths: Sequence[int], linear: LinearFactory, activation: ActivationFactory
) -> tuple[list[nn.Module], int]:
    """A linear layer and an activation for each of ``widths``, and the features that the last of them leaves.

    Args:
        inputs: features of the first layer's input.
        widths: features of the linear layers.
        linear: builds a linear layer.
        activation: builds an activation.

    Raises:
        ValueError: a width below 1, or one on which the activation cannot act.
    """
    layers: list[nn.Module] = []
    for width in widths:
        act, left = activation_for(activation, width)
        layers += [linear(inputs, width), act]
        inputs = left
    return layers, inputs


def activation_for(activation: Callable[..., nn.Module], channels: int) -> tuple[nn.Module, int]:
    """An activation for a number of channels, and how many it leaves.

    Args:
        activation: builds it.
        channels: on axis 1 of its input.

    Raises:
        ValueError: no channels, or the activation cannot act on so many.
    """
    if channels < 1:
        raise ValueError(f"channels and widths must be at least 1; got {channels}")
    wanted = inspect.signature(activation).parameters.get("channels")
    built = activation(channels=channels) if wanted and wanted.default is wanted.empty else activation()
    # Sizes that do not fit are found here, not in the middle of a training step.
    return built, built(torch.zeros(1, channels)).shape[1]


def scaled(lipschitz_constant: float) -> list[nn.Module]:
    """What makes a 1-Lipschitz critic K-Lipschitz: nothing for K = 1, else Scale(K).

    Args:
        lipschitz_constant: K.

    Raises:
        ValueError: K is not positive.
    """
    if not lipschitz_constant > 0:
        raise ValueError(f"lipschitz_constant must be positive; got lipschitz_constant={lipschitz_constant}")
    return [] if lipschitz_constant == 1 else [Scale(lipschitz_constant)]
