"""Convolutional critics: the paper's, and DCGAN's; and DCGAN's generator."""

from collections.abc import Sequence

from torch import nn

from wgan_lip.lipschitz import MaxMin, OrthogonalConv2d, OrthogonalLinear
from wgan_lip.networks.layers import (
    ActivationFactory,
    ConvFactory,
    LinearFactory,
    check_sizes,
    halving_layers,
    halvings,
    hidden_layers,
    image_shape,
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
        lipschitz_constant: K, the factor of the final ``Scale``.

    Shape:
        ``(N, C, H, W) -> (N, 1)``.

    Raises:
        ValueError: a size below 1, sides that cannot be halved that often, or channels that the activation does not
            accept.

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

    Without DCGAN's batch normalisation, since it mixes samples and a critic is a function of a single sample.

    Args:
        input_shape: (C, H, W), 8 to 128 pixels.
        width: channels after the first convolution; they double with each, up to 8 times as many.
        kernel_size: of the convolutions.
        conv: builds a convolution from input channels, output channels, kernel size and stride.
        linear: builds a linear layer from its sizes.
        activation: builds an activation.
        lipschitz_constant: K, the factor of the final ``Scale``.

    Shape:
        ``(N, C, H, W) -> (N, 1)``.

    Raises:
        ValueError: a size below 1, or channels that the activation does not accept.

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


class DCGANGenerator(nn.Sequential):
    """A generator ``G: R^noise_dim -> [-1, 1]^(C x H x W)`` of transposed convolutions that double the image.

    A linear layer to an image of 4 to 7 pixels, then transposed convolutions of size 4 and stride 2, each after batch
    normalisation and ReLU, and a final tanh.

    Args:
        output_shape: (C, H, W), 8 to 128 pixels; sides that are a small number times a power of two.
        noise_dim: dimension of the noise z ~ N(0, I).
        width: channels before the last convolution; twice as many before each earlier one, up to 8 times.

    Shape:
        ``(N, noise_dim) -> (N, C, H, W)``.

    Raises:
        ValueError: a size below 1, or sides that cannot be halved.

    Source:
        Radford, Metz, Chintala, "Unsupervised representation learning with deep convolutional generative adversarial
        networks", ICLR 2016, section 3.
    """

    # Of every coordinate of every output, for any weights.
    bounds = (-1.0, 1.0)

    def __init__(self, output_shape: Sequence[int], noise_dim: int = 64, width: int = 64) -> None:
        outputs, height, columns = image_shape("output_shape", output_shape)
        doublings = halvings(output_shape)
        check_sizes(noise_dim=noise_dim, width=width)
        if doublings == 0:
            raise ValueError(f"output_shape needs even sides of at least 8 pixels; got {list(output_shape)}")
        small = (height >> doublings, columns >> doublings)
        widths = [width * min(2**i, 8) for i in reversed(range(doublings))]
        # Batch normalisation would remove a bias before it.
        layers: list[nn.Module] = [
            nn.Linear(noise_dim, widths[0] * small[0] * small[1], bias=False),
            nn.Unflatten(1, (widths[0], *small)),
        ]
        for before, after in zip(widths, [*widths[1:], outputs], strict=True):
            last = len(layers) == 2 + 3 * (doublings - 1)
            layers += [
                nn.BatchNorm2d(before),
                nn.ReLU(),
                nn.ConvTranspose2d(before, after, kernel_size=4, stride=2, padding=1, bias=last),
            ]
        super().__init__(*layers, nn.Tanh())
        self.noise_dim = noise_dim
        self.output_shape = tuple(output_shape)
