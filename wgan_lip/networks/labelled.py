"""A generator of images with labels."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from wgan_lip.labels import default_label_distance, label_planes, label_value
from wgan_lip.networks import layers
from wgan_lip.networks.convolutional import DCGANGenerator

# Builds a generator from the shape of one image and the dimension of its noise.
GeneratorFactory = Callable[[Sequence[int], int], nn.Module]


class LabelledGenerator(nn.Module):
    """A generator of images of given labels, to which it appends the channels of the label, as data modules do.

    Its samples are from the joint distribution of image and label: ``(G([z, one-hot y]), planes(y))``. With a data
    module whose ``labels`` are on, an ordinary WGAN is a conditional one.

    Args:
        image_shape: (C, H, W) of the image itself.
        classes: number of labels.
        noise_dim: dimension of the noise z ~ N(0, I), without the label.
        generator: builds the generator of images from their shape and the dimension of noise and one-hot label.
        label_distance: between two labels, in l2, equal to the data module's; None is its default.

    Shape:
        ``(N, noise_dim + classes) -> (N, C + classes, H, W)``.

    Raises:
        ValueError: a size below 1, or a distance that is not positive and finite.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        classes: int = 10,
        noise_dim: int = 64,
        generator: GeneratorFactory = DCGANGenerator,
        label_distance: float | None = None,
    ) -> None:
        super().__init__()
        layers.check_sizes(classes=classes, noise_dim=noise_dim)
        channels, height, width = layers.image_shape("image_shape", image_shape)
        self.label_distance = (
            default_label_distance(channels, height, width) if label_distance is None else label_distance
        )
        self._value = label_value(height, width, self.label_distance)
        self.generator = generator(image_shape, noise_dim + classes)
        self.classes = classes
        self.noise_dim = noise_dim
        self.output_shape = (channels + classes, height, width)

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Bounds of every coordinate of every output; None if those of the images are not known."""
        inner = getattr(self.generator, "bounds", None)
        return None if inner is None else (min(0.0, inner[0]), max(self._value, inner[1]))

    def forward(self, noise: Tensor) -> Tensor:
        images: Tensor = self.generator(noise)
        labels = noise[:, self.noise_dim :].argmax(1)
        planes = label_planes(labels, self.classes, *self.output_shape[1:], self.label_distance)
        return torch.cat((images, planes.to(images)), 1)
