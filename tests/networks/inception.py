"""A file in the format of Inception's weights, with weights drawn at random."""

import hashlib
import io
from pathlib import Path

import torch
from torch import nn
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3


class Untrained(FeatureExtractorInceptionV3):
    """Keeps the weights that it was built with."""

    def load_state_dict(self, *_args, **_options):
        """Nothing."""


def untrained() -> Untrained:
    """An extractor whose features are of the order of 1."""
    nothing = io.BytesIO()
    torch.save({}, nothing)
    nothing.seek(0)
    network = Untrained("untrained", ["2048"], feature_extractor_weights_path=nothing)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return network


def save_untrained(path: Path) -> str:
    """Write random weights, and return the SHA-256 of the file."""
    torch.save(untrained().state_dict(), path)
    return hashlib.sha256(path.read_bytes()).hexdigest()
