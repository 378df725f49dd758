"""Layers of critics, generators and classifiers, built by factories from the sizes of images and of hidden layers."""

import inspect
from collections.abc import Callable, Sequence

import torch
from torch import nn

from wgan_lip.lipschitz import Scale

# ``linear(in_features, out_features)`` and ``activation()`` build one layer each; an activation with an argument
# ``channels`` without a default, such as Householder, gets the number of channels.
LinearFactory = Callable[[int, int], nn.Module]
ActivationFactory = Callable[[], nn.Module]
# ``conv(in_channels, out_channels, kernel_size, stride)`` builds a convolution, from sides s n to sides n.
ConvFactory = Callable[[int, int, int, int], nn.Module]
# Images are halved down to no fewer than this many pixels.
_SMALLEST = 4


def hidden_layers(
    inputs: int, widths: Sequence[int], linear: LinearFactory, activation: ActivationFactory
) -> tuple[list[nn.Module], int]:
    """Build a linear layer and an activation for each of ``widths``; also return the number of output features.

    Args:
        inputs: features of the first layer's input.
        widths: features of the linear layers.
        linear: builds a linear layer.
        activation: builds an activation.

    Raises:
        ValueError: a width below 1, or one that the activation does not accept.
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
    """Build a convolution with stride 2 and an activation for each of ``channels``, then flatten; also count features.

    Args:
        input_shape: (C, H, W); the sides must be divisible by ``2 ^ len(channels)``.
        channels: of the convolutions.
        kernel_size: of the convolutions.
        conv: builds a convolution from input channels, output channels, kernel size and stride.
        activation: builds an activation.

    Raises:
        ValueError: a shape that is not that of an image, sides that cannot be halved that often, or channels that the
            activation does not accept.
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
    """Build an activation for a number of channels; also return the number of its output channels.

    Args:
        activation: builds an activation.
        channels: on axis 1 of its input.

    Raises:
        ValueError: no channels, or a number of channels that the activation does not accept.
        TypeError: a layer is given instead of a class or function that builds one.
    """
    if isinstance(activation, nn.Module):
        kind = type(activation).__name__
        raise TypeError(
            f"activation must be a class or a function that builds a layer, such as functools.partial(GroupSort, 4); "
            f"got a {kind} layer"
        )
    if channels < 1:
        raise ValueError(f"channels and widths must be at least 1; got {channels}")
    wanted = inspect.signature(activation).parameters.get("channels")
    built = activation(channels=channels) if wanted and wanted.default is wanted.empty else activation()
    # Unsuitable sizes raise an error here, not in the first training step.
    return built, built(torch.zeros(1, channels)).shape[1]


def scaled(lipschitz_constant: float) -> list[nn.Module]:
    """Build the layers that make a 1-Lipschitz critic K-Lipschitz: none for K = 1, else Scale(K).

    Args:
        lipschitz_constant: ``K``.

    Raises:
        ValueError: K is not positive.
    """
    if not lipschitz_constant > 0:
        raise ValueError(f"lipschitz_constant must be positive; got lipschitz_constant={lipschitz_constant}")
    return [] if lipschitz_constant == 1 else [Scale(lipschitz_constant)]


def check_sizes(**sizes: int) -> None:
    """Raise ValueError unless all sizes are at least 1.

    Args:
        sizes: by the names of the arguments.
    """
    for name, value in sizes.items():
        if value < 1:
            raise ValueError(f"{name} must be at least 1; got {name}={value}")


def image_shape(name: str, shape: Sequence[int]) -> tuple[int, int, int]:
    """Return (channels, height, width), or raise ValueError if ``shape`` is not that of an image.

    Args:
        name: of the argument, for the error message.
        shape: of one image.
    """
    if len(shape) != 3 or min(shape) < 1:
        raise ValueError(f"{name} must be [channels, height, width], each at least 1; got {list(shape)}")
    channels, height, width = shape
    return channels, height, width


def halvings(shape: Sequence[int]) -> int:
    """Count how often an image can be halved: while both sides are even, and at least 4 pixels remain.

    Args:
        shape: (C, H, W).
    """
    _, height, width = image_shape("shape", shape)
    count = 0
    while height % 2 == 0 and width % 2 == 0 and min(height, width) >= 2 * _SMALLEST:
        height, width, count = height // 2, width // 2, count + 1
    return count
