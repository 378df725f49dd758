"""A small network whose last hidden layer describes images."""

from collections.abc import Sequence

from torch import Tensor, nn

from wgan_lip.networks.images import image_shape

_ROTATIONS = 4


class FeatureNetwork(nn.Module):
    """Features of images, from a network that was trained to tell by how many quarter turns they were rotated.

    Convolutions of stride 2, each with batch normalisation and ReLU, until 7 pixels or fewer are left (one for images
    of 8, two of 28, five of 128); means down to 2 × 2; a linear layer to ``features`` numbers; and, for the training
    only, one more to four outcomes.

    Args:
        input_shape: (C, H, W), square.
        features: how many numbers describe an image.

    Shape:
        ``(N, C, H, W) -> (N, features)``.

    Raises:
        ValueError: a size below 1, or images that are not square.

    Source:
        Gidaris, Singh, Komodakis, "Unsupervised representation learning by predicting image rotations", ICLR 2018.
    """

    def __init__(self, input_shape: Sequence[int], features: int = 64) -> None:
        super().__init__()
        channels, height, width = image_shape("input_shape", input_shape)
        if height != width:
            raise ValueError(f"input_shape must be square, so that images can be turned; got {list(input_shape)}")
        if features < 1:
            raise ValueError(f"features must be at least 1; got features={features}")
        layers: list[nn.Module] = []
        size, outputs = height, 32
        while not layers or size > 7:
            layers += [
                nn.Conv2d(channels, outputs, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(),
            ]
            channels, outputs, size = outputs, min(2 * outputs, 128), (size + 1) // 2
        self.body = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * channels, features))
        self.head = nn.Sequential(nn.ReLU(), nn.Linear(features, _ROTATIONS))
        self.input_shape = (int(input_shape[0]), height, width)
        self.features = features

    def forward(self, images: Tensor) -> Tensor:
        return self.body(images)

    def rotations(self, images: Tensor) -> Tensor:
        """Logits of the number of quarter turns, shape (N, 4)."""
        return self.head(self(images))
