"""Convolutional critics: the paper's, and DCGAN's."""

from collections.abc import Sequence

from torch import nn

from wgan_lip.lipschitz import MaxMin, OrthogonalConv2d, OrthogonalLinear
from wgan_lip.networks.images import halvings
from wgan_lip.networks.layers import (
    ActivationFactory,
    ConvFactory,
    LinearFactory,
    halving_layers,
    hidden_layers,
    scaled,
)


class ConvCritic(nn.Sequential):
    """A K-Lipschitz critic of images: convolutions that halve them, hidden linear layers, one output.

    For each of ``channels``: a convolution with stride 2, an activation; then flatten, for each of ``hidden`` a linear
    layer and an activation, a linear layer to one output, and Scale(K) if K is not 1. The defaults are the critic of
    the paper's experiments with images.

    Args:
        input_shape: (C, H, W); the sides must be divisible by ``2 ^ len(channels)``.
        channels: of the convolutions.
        hidden: widths of the hidden linear layers.
        kernel_size: of the convolutions; 2 is the cheapest, with patches that do not overlap.
        conv: builds a convolution from input channels, output channels, kernel size and stride.
        linear: builds a linear layer from its sizes.
        activation: builds an activation.
        lipschitz_constant: K, the constant that the layers' 1-Lipschitz composition is scaled to.

    Shape:
        ``(N, C, H, W) -> (N, 1)``.

    Raises:
        ValueError: a size below 1, sides that cannot be halved so often, or an activation that cannot act on the
            channels.

    Source:
        Anil, Lucas, Grosse, "Sorting out Lipschitz function approximation", ICML 2019; the sizes: Chen et al.,
        "InfoGAN", NeurIPS 2016, appendix C.1.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        channels: Sequence[int] = (64, 128),
        hidden: Sequence[int] = (1024,),
        kernel_size: int = 4,
        conv: ConvFactory = OrthogonalConv2d,
        linear: LinearFactory = OrthogonalLinear,
        activation: ActivationFactory = MaxMin,
        lipschitz_constant: float = 1.0,
    ) -> None:
        layers, inputs = halving_layers(input_shape, channels, kernel_size, conv, activation)
        rest, features = hidden_layers(inputs, hidden, linear, activation)
        super().__init__(*layers, *rest, linear(features, 1), *scaled(lipschitz_constant))
        self.input_shape = tuple(input_shape)
        self.lipschitz_constant = lipschitz_constant


class DCGANCritic(ConvCritic):
    """DCGAN's critic, 1-Lipschitz: convolutions that halve images down to 4 to 7 pixels and double the channels.

    Without DCGAN's batch normalisation, which mixes the samples of a batch: a critic must judge each by itself.

    Args:
        input_shape: (C, H, W), 8 to 128 pixels.
        width: channels after the first convolution; they double with each, up to 8 times as many.
        kernel_size: of the convolutions.
        conv: builds a convolution from input channels, output channels, kernel size and stride.
        linear: builds a linear layer from its sizes.
        activation: builds an activation.
        lipschitz_constant: K, the constant that the layers' 1-Lipschitz composition is scaled to.

    Shape:
        ``(N, C, H, W) -> (N, 1)``.

    Raises:
        ValueError: a size below 1, or an activation that cannot act on the channels.

    Source:
        Radford, Metz, Chintala, "Unsupervised representation learning with deep convolutional generative adversarial
        networks", ICLR 2016, section 3.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        width: int = 64,
        kernel_size: int = 4,
        conv: ConvFactory = OrthogonalConv2d,
        linear: LinearFactory = OrthogonalLinear,
        activation: ActivationFactory = MaxMin,
        lipschitz_constant: float = 1.0,
    ) -> None:
        channels = [width * min(2**i, 8) for i in range(halvings(input_shape))]
        super().__init__(input_shape, channels, (), kernel_size, conv, linear, activation, lipschitz_constant)
