"""Networks that map images to features: a small one to be trained, and the Inception network of FID and KID."""

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from wgan_lip.networks.layers import check_sizes, image_shape

_ROTATIONS = 4
# Of weights-inception-2015-12-05-6726825d.pth: with other weights the score is not FID.
_SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
_ORIGIN = "github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth"
# Images of 299×299 pixels that are evaluated at once.
_CHUNK = 64


class FeatureNetwork(nn.Module):
    """A network that computes features of images, trained to classify by how many quarter turns they were rotated.

    Convolutions of stride 2, each with batch normalisation and ReLU, until 7 pixels or fewer remain (one for images of
    8 pixels, two for 28, five for 128); means down to 2 × 2; a linear layer to ``features`` numbers; and, for the
    training only, another to four classes.

    Args:
        input_shape: (C, H, W), square.
        features: number of features.

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
        check_sizes(features=features)
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


class InceptionFeatures(nn.Module):
    """The 2,048 features of images for FID and KID: Inception-v3's last pooling layer, by torch-fidelity.

    Images are rounded to 256 levels, as in a file; grey ones become RGB, and torch-fidelity resizes them to 299×299 as
    TensorFlow did. This requires the package torch-fidelity, ``pip install wgan-lip[inception]``, and the file of
    weights that it (or pytorch-fid) stores in torch.hub's folder of checkpoints. Nothing is downloaded.

    Args:
        weights: the file, weights-inception-2015-12-05-6726825d.pth in torch-fidelity.

    Shape:
        ``(N, C, H, W) -> (N, 2048)``, C 1 or 3, of images in [-1, 1]; other values are clipped.

    Raises:
        ValueError: torch-fidelity is not installed, the file does not exist or has other content; later, images of a
            wrong shape or with NaN.

    Source:
        Szegedy et al., "Rethinking the Inception architecture for computer vision", CVPR 2016; Obukhov et al.,
        "High-fidelity performance metrics for generative models in PyTorch", 2020.
    """

    def __init__(self, weights: str | Path) -> None:
        super().__init__()
        extractor = _extractor()
        content = _read(Path(weights).expanduser())
        # torch-fidelity loads any pickle, so it gets a copy of what was loaded as weights only.
        copy = io.BytesIO()
        torch.save(torch.load(io.BytesIO(content), map_location="cpu", weights_only=True), copy)
        copy.seek(0)
        # It draws initial weights before it loads the file.
        with torch.random.fork_rng(devices=[]):
            self.network = extractor("inception-v3", ["2048"], feature_extractor_weights_path=copy)

    def forward(self, images: Tensor) -> Tensor:
        return self.network(rgb_bytes(images))[0]

    @torch.no_grad()
    def describe(self, images: Tensor) -> Tensor:
        """Compute the features of images in float64 on the CPU, in chunks.

        Args:
            images: shape (N, C, H, W), on any device.
        """
        device = next(self.parameters()).device
        return torch.cat([self(part.to(device)).cpu() for part in images.split(_CHUNK)]).double()


def rgb_bytes(images: Tensor) -> Tensor:
    """Convert images in [-1, 1] to bytes, ``round(127.5 x + 127.5)``, clipped.

    Args:
        images: shape (N, 1 or 3, H, W).

    Returns:
        uint8, shape (N, 3, H, W).

    Raises:
        ValueError: a wrong shape, or NaN.
    """
    if images.ndim != 4 or images.shape[1] not in (1, 3):
        raise ValueError(f"images must be of shape (N, 1 or 3, H, W); got {tuple(images.shape)}")
    if bool(images.isnan().any()):
        raise ValueError("images hold NaN")
    return (images.float() * 127.5 + 127.5).round().clamp(0, 255).to(torch.uint8).expand(-1, 3, -1, -1)


def _extractor() -> Any:
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except ImportError:
        raise ValueError(
            "FID requires the package torch-fidelity, which is not installed: pip install torch-fidelity"
        ) from None
    return FeatureExtractorInceptionV3


def _read(path: Path) -> bytes:
    """Return the content of the file of weights, or raise ValueError if it is another file."""
    if not path.is_file():
        raise ValueError(f"inception must be the file of Inception's weights; there is no {path}: get {_ORIGIN}")
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != _SHA256:
        raise ValueError(
            f"inception must be the file of Inception's weights, whose SHA-256 is {_SHA256}; "
            f"that of {path} is {found}: get {_ORIGIN}"
        )
    return content
