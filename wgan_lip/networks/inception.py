"""The Inception network of FID and KID, from a file of its weights."""

import hashlib
import io
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

# Of weights-inception-2015-12-05-6726825d.pth; a number that is found with other weights is no FID.
_SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
_ORIGIN = "github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth"

# Images that are described at once: of 299×299 pixels inside.
_CHUNK = 64


class InceptionFeatures(nn.Module):
    """The 2,048 features of images of which FID and KID are made: Inception-v3's last pooling, by torch-fidelity.

    Images are rounded to 256 levels, as they would be in a file; grey ones become RGB, and torch-fidelity resizes them
    to 299×299 as TensorFlow did. This takes the package torch-fidelity, ``pip install wgan-lip[inception]``, and the
    file of weights that it (or pytorch-fid) keeps in torch.hub's folder of checkpoints. Nothing is downloaded.

    Args:
        weights: the file; torch-fidelity calls it weights-inception-2015-12-05-6726825d.pth.

    Shape:
        ``(N, C, H, W) -> (N, 2048)``, C 1 or 3, of images in [-1, 1]; what lies beyond is clipped.

    Raises:
        ValueError: torch-fidelity is not installed, no such file, or one of other content; later, images of another
            shape or with NaN.

    Source:
        Szegedy et al., "Rethinking the Inception architecture for computer vision", CVPR 2016; Obukhov et al.,
        "High-fidelity performance metrics for generative models in PyTorch", 2020.
    """

    def __init__(self, weights: str | Path) -> None:
        super().__init__()
        extractor = _extractor()
        content = _read(Path(weights).expanduser())
        # torch-fidelity loads pickles of any kind: it is given a copy of what was loaded as weights only.
        copy = io.BytesIO()
        torch.save(torch.load(io.BytesIO(content), map_location="cpu", weights_only=True), copy)
        copy.seek(0)
        # It draws initial weights before it loads those.
        with torch.random.fork_rng(devices=[]):
            self.network = extractor("inception-v3", ["2048"], feature_extractor_weights_path=copy)

    def forward(self, images: Tensor) -> Tensor:
        return self.network(rgb_bytes(images))[0]

    @torch.no_grad()
    def describe(self, images: Tensor) -> Tensor:
        """The features of images in float64 on the CPU, some at a time.

        Args:
            images: shape (N, C, H, W), on any device.
        """
        device = next(self.parameters()).device
        return torch.cat([self(part.to(device)).cpu() for part in images.split(_CHUNK)]).double()


def rgb_bytes(images: Tensor) -> Tensor:
    """Images in [-1, 1] as bytes, ``round(127.5 x + 127.5)``, clipped.

    Args:
        images: shape (N, 1 or 3, H, W).

    Returns:
        uint8, shape (N, 3, H, W).

    Raises:
        ValueError: another shape, or NaN.
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
            "FID takes the package torch-fidelity, which is not installed: pip install torch-fidelity"
        ) from None
    return FeatureExtractorInceptionV3


def _read(path: Path) -> bytes:
    """The content of the file of weights, or ValueError."""
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
