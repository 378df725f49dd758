"""How networks are put together from factories of layers."""

import inspect
from collections.abc import Callable, Sequence

import torch
from torch import nn

from wgan_lip.lipschitz import Scale
from wgan_lip.networks.images import image_shape

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


def halving_layers(
    input_shape: Sequence[int],
    channels: Sequence[int],
    kernel_size: int,
    conv: ConvFactory,
    activation: ActivationFactory,
) -> tuple[list[nn.Module], int]:
    """A convolution with stride 2 and an activation for each of ``channels``, then flatten; and the features left.

    Args:
        input_shape: (C, H, W); the sides must be divisible by ``2 ^ len(channels)``.
        channels: of the convolutions.
        kernel_size: of the convolutions.
        conv: builds a convolution from input channels, output channels, kernel size and stride.
        activation: builds an activation.

    Raises:
        ValueError: a shape that is no image's, sides that cannot be halved so often, or an activation that cannot act
            on the channels.
    """
    inputs, height, width = image_shape("input_shape", input_shape)
    if height % 2 ** len(channels) or width % 2 ** len(channels):
        raise ValueError(
            f"{len(channels)} convolutions need sides divisible by {2 ** len(channels)}; "
            f"got input_shape={list(input_shape)}"
        )
    layers: list[nn.Module] = []
    for outputs in channels:
        act, left = activation_for(activation, outputs)
        layers += [conv(inputs, outputs, kernel_size, 2), act]
        inputs = left
    return [*layers, nn.Flatten()], inputs * (height * width // 4 ** len(channels))


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
        lipschitz_constant: ``K``.

    Raises:
        ValueError: K is not positive.
    """
    if not lipschitz_constant > 0:
        raise ValueError(f"lipschitz_constant must be positive; got lipschitz_constant={lipschitz_constant}")
    return [] if lipschitz_constant == 1 else [Scale(lipschitz_constant)]
