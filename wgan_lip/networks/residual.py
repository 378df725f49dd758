"""A residual critic that is 1-Lipschitz, and the residual generator of WGAN-GP."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from wgan_lip.lipschitz import ConvexResidual, MaxMin, OrthogonalConv2d, OrthogonalLinear
from wgan_lip.networks.layers import (
    ActivationFactory,
    ConvFactory,
    LinearFactory,
    activation_for,
    check_sizes,
    halvings,
    image_shape,
    scaled,
)


class ResidualCritic(nn.Sequential):
    """A K-Lipschitz critic of residual blocks ``(x + f(x)) / 2``, with orthogonal convolutions.

    A convolution to ``width`` channels; then, until 4 to 7 pixels remain, ``blocks`` residual blocks (convolution,
    activation, convolution, all of size 3) and a convolution on disjoint patches that halves the image and doubles the
    channels, up to 8 times; an activation after each of these; then linear to one output, and Scale(K) if K is not 1.

    Args:
        input_shape: (C, H, W), 8 to 128 pixels.
        width: channels of the first convolution.
        blocks: residual blocks at each size.
        conv: builds a convolution from input channels, output channels, kernel size and stride.
        linear: builds a linear layer from its sizes.
        activation: builds an activation that keeps the number of channels.
        lipschitz_constant: K, the factor of the final ``Scale``.

    Shape:
        ``(N, C, H, W) -> (N, 1)``.

    Raises:
        ValueError: a size below 1, or an activation that does not accept the channels or changes their number.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        width: int = 32,
        blocks: int = 1,
        conv: ConvFactory = OrthogonalConv2d,
        linear: LinearFactory = OrthogonalLinear,
        activation: ActivationFactory = MaxMin,
        lipschitz_constant: float = 1.0,
    ) -> None:
        inputs, height, columns = image_shape("input_shape", input_shape)
        check_sizes(blocks=blocks)

        def act(channels: int) -> nn.Module:
            built, left = activation_for(activation, channels)
            if left != channels:
                raise ValueError(
                    f"a residual block needs an activation that keeps the number of channels; got {left} for {channels}"
                )
            return built

        count = halvings(input_shape)
        layers: list[nn.Module] = [conv(inputs, width, 3, 1), act(width)]
        for i in range(count):
            before, after = (width * min(2**k, 8) for k in (i, i + 1))
            for _ in range(blocks):
                branch = nn.Sequential(conv(before, before, 3, 1), act(before), conv(before, before, 3, 1))
                layers.append(ConvexResidual(branch))
            layers += [conv(before, after, 2, 2), act(after)]
        features = width * min(2**count, 8) * (height >> count) * (columns >> count)
        super().__init__(*layers, nn.Flatten(), linear(features, 1), *scaled(lipschitz_constant))
        self.input_shape = tuple(input_shape)
        self.lipschitz_constant = lipschitz_constant


class ResidualGenerator(nn.Sequential):
    """A generator ``G: R^noise_dim -> [-1, 1]^(C x H x W)`` of residual blocks that double the image.

    A linear layer to an image of 4 to 7 pixels; blocks of batch normalisation, ReLU, doubling and convolution, twice,
    beside a doubled shortcut; batch normalisation, ReLU, convolution and tanh.

    Args:
        output_shape: (C, H, W), 8 to 128 pixels; sides that are a small number times a power of two.
        noise_dim: dimension of the noise z ~ N(0, I).
        width: channels of every block.

    Shape:
        ``(N, noise_dim) -> (N, C, H, W)``.

    Raises:
        ValueError: a size below 1.

    Source:
        Gulrajani et al., "Improved training of Wasserstein GANs", NeurIPS 2017, appendix F.
    """

    # Of every coordinate of every output, for any weights.
    bounds = (-1.0, 1.0)

    def __init__(self, output_shape: Sequence[int], noise_dim: int = 128, width: int = 64) -> None:
        outputs, height, columns = image_shape("output_shape", output_shape)
        check_sizes(noise_dim=noise_dim, width=width)
        doublings = halvings(output_shape)
        small = (height >> doublings, columns >> doublings)
        super().__init__(
            nn.Linear(noise_dim, width * small[0] * small[1]),
            nn.Unflatten(1, (width, *small)),
            *(_DoublingBlock(width) for _ in range(doublings)),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, outputs, 3, padding=1),
            nn.Tanh(),
        )
        self.noise_dim = noise_dim
        self.output_shape = tuple(output_shape)


class _DoublingBlock(nn.Module):
    """``x -> up(x) + f(x)``, from sides n to sides 2 n."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(x, scale_factor=2.0) + self.branch(x)
