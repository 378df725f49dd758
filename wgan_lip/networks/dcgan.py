"""DCGAN's generator."""

from collections.abc import Sequence

from torch import nn

from wgan_lip.networks.images import halvings, image_shape


class DCGANGenerator(nn.Sequential):
    """A generator ``G: R^noise_dim -> [-1, 1]^(C x H x W)`` of transposed convolutions that double the image.

    A linear layer to an image of 4 to 7 pixels, then transposed convolutions of size 4 and stride 2, each but the last
    after batch normalisation and ReLU; tanh at the end.

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

    def __init__(self, output_shape: Sequence[int], noise_dim: int = 64, width: int = 64) -> None:
        outputs, height, columns = image_shape("output_shape", output_shape)
        doublings = halvings(output_shape)
        for name, value in (("noise_dim", noise_dim), ("width", width)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1; got {name}={value}")
        if doublings == 0:
            raise ValueError(f"output_shape needs even sides of at least 8 pixels; got {list(output_shape)}")
        small = (height >> doublings, columns >> doublings)
        widths = [width * min(2**i, 8) for i in reversed(range(doublings))]
        # A bias before batch normalisation would be taken away by it.
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

    @property
    def bounds(self) -> tuple[float, float]:
        """Between which every coordinate of every output lies, whatever the weights."""
        return -1.0, 1.0
