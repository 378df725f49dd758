"""Classifiers with a known Lipschitz constant: fully connected, and convolutional."""

from collections.abc import Sequence

from torch import nn

from wgan_lip.lipschitz import MaxMin, OrthogonalConv2d, OrthogonalLinear
from wgan_lip.networks.layers import (
    ActivationFactory,
    ConvFactory,
    LinearFactory,
    halving_layers,
    hidden_layers,
    scaled,
)
from wgan_lip.networks.mlp import numel


class MLPClassifier(nn.Sequential):
    """A K-Lipschitz classifier of linear layers with GroupSort between them; orthogonal, unless others are given.

    Flatten, for each of ``hidden`` (linear, activation, dropout), linear to the logits, and Scale(K) if K is not 1.

    Args:
        input_shape: shape of one input, without the batch axis.
        classes: number of logits.
        hidden: widths of the hidden linear layers.
        linear: builds a linear layer from its sizes.
        activation: builds an activation.
        dropout: probability that a hidden feature is dropped in training; certificates are of evaluation mode.
        lipschitz_constant: K, the factor of the final ``Scale``.

    Shape:
        ``(N, *input_shape) -> (N, classes)``.

    Raises:
        ValueError: a size below 1, a dropout outside [0, 1), or a width that the activation does not accept.

    Source:
        Anil, Lucas, Grosse, "Sorting out Lipschitz function approximation", ICML 2019, section 5.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        classes: int = 10,
        hidden: Sequence[int] = (256, 256, 256),
        linear: LinearFactory = OrthogonalLinear,
        activation: ActivationFactory = MaxMin,
        dropout: float = 0.0,
        lipschitz_constant: float = 1.0,
    ) -> None:
        layers, features = hidden_layers(numel("input_shape", input_shape), hidden, linear, activation)
        head = [linear(features, _checked(classes)), *scaled(lipschitz_constant)]
        super().__init__(nn.Flatten(), *_with_dropout(layers, dropout), *head)
        self.input_shape = tuple(input_shape)
        self.classes = classes
        self.lipschitz_constant = lipschitz_constant


class ConvClassifier(nn.Sequential):
    """A K-Lipschitz classifier of images: convolutions that halve them, hidden linear layers, logits.

    For each of ``channels``: a convolution with stride 2, an activation; then flatten, for each of ``hidden`` (linear,
    activation, dropout), linear to the logits, and Scale(K) if K is not 1.

    Args:
        input_shape: (C, H, W); the sides must be divisible by ``2 ^ len(channels)``.
        classes: number of logits.
        channels: of the convolutions.
        hidden: widths of the hidden linear layers.
        kernel_size: of the convolutions.
        conv: builds a convolution from input channels, output channels, kernel size and stride.
        linear: builds a linear layer from its sizes.
        activation: builds an activation.
        dropout: probability that a hidden feature is dropped in training.
        lipschitz_constant: K, the factor of the final ``Scale``.

    Shape:
        ``(N, C, H, W) -> (N, classes)``.

    Raises:
        ValueError: as :class:`MLPClassifier`, or sides that cannot be halved that often.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        classes: int = 10,
        channels: Sequence[int] = (32, 64),
        hidden: Sequence[int] = (256,),
        kernel_size: int = 4,
        conv: ConvFactory = OrthogonalConv2d,
        linear: LinearFactory = OrthogonalLinear,
        activation: ActivationFactory = MaxMin,
        dropout: float = 0.0,
        lipschitz_constant: float = 1.0,
    ) -> None:
        halving, features = halving_layers(input_shape, channels, kernel_size, conv, activation)
        layers, features = hidden_layers(features, hidden, linear, activation)
        head = [linear(features, _checked(classes)), *scaled(lipschitz_constant)]
        super().__init__(*halving, *_with_dropout(layers, dropout), *head)
        self.input_shape = tuple(input_shape)
        self.classes = classes
        self.lipschitz_constant = lipschitz_constant


def _checked(classes: int) -> int:
    if classes < 2:
        raise ValueError(f"classes must be at least 2; got classes={classes}")
    return classes


def _with_dropout(layers: list[nn.Module], dropout: float) -> list[nn.Module]:
    """Insert dropout after each activation, unless its probability is 0."""
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout must lie in [0, 1); got dropout={dropout}")
    if dropout == 0:
        return layers
    # Linear layers and activations alternate.
    return [part for i, layer in enumerate(layers) for part in ([layer, nn.Dropout(dropout)] if i % 2 else [layer])]
