"""Inception's features are torch-fidelity's, from a file whose content is known."""

import hashlib
import pickle
import socket
import sys

import pytest
import torch
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from tests.networks.inception import save_untrained
from wgan_lip.networks import InceptionFeatures, feature_networks
from wgan_lip.networks.feature_networks import rgb_bytes


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("inception") / "weights.pth"
    return path, save_untrained(path)


@pytest.fixture
def network(weights, monkeypatch) -> InceptionFeatures:
    path, digest = weights
    monkeypatch.setattr(feature_networks, "_SHA256", digest)
    return InceptionFeatures(path)


def test_features_are_those_of_torch_fidelity_which_loads_the_file_itself(weights, network, monkeypatch):
    reference = FeatureExtractorInceptionV3("reference", ["2048"], feature_extractor_weights_path=str(weights[0]))
    grey = torch.randint(256, (3, 1, 28, 28), dtype=torch.uint8)
    monkeypatch.setattr(feature_networks, "_CHUNK", 2)
    found = network.describe(grey / 127.5 - 1)
    torch.testing.assert_close(found, reference(grey.expand(-1, 3, -1, -1))[0].double(), rtol=1e-4, atol=1e-5)
    assert found.shape == (3, 2048)
    assert found.dtype == torch.float64
    assert float(found.std(0).mean()) > 1e-3


def test_building_it_draws_nothing_opens_no_connection_and_trains_nothing(weights, monkeypatch):
    def refuse(*_args, **_options):
        raise AssertionError("a connection was opened")

    path, digest = weights
    monkeypatch.setattr(feature_networks, "_SHA256", digest)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    before = torch.get_rng_state()
    network = InceptionFeatures(str(path))
    assert torch.equal(torch.get_rng_state(), before)
    assert not network.network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_images_become_the_bytes_that_they_were():
    levels = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    for dtype in (torch.float32, torch.float64):
        images = levels.to(dtype) / 127.5 - 1
        assert torch.equal(rgb_bytes(images), levels.expand(1, 3, 16, 16))
        assert torch.equal(rgb_bytes(images.expand(1, 3, 16, 16)), levels.expand(1, 3, 16, 16))
    assert rgb_bytes(torch.tensor([-3.0, 3]).view(1, 1, 1, 2))[0, 0].tolist() == [[0, 255]]


class Trap:
    """Unpickled by a careless reader, it writes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_a_file_that_would_run_code_runs_none(tmp_path, monkeypatch):
    torch.save({"fc.bias": Trap(tmp_path / "sprung")}, tmp_path / "trap.pth")
    with pytest.raises(ValueError, match="whose SHA-256 is 6726825d"):
        InceptionFeatures(tmp_path / "trap.pth")
    # Nor if its content were the one that is wanted.
    digest = hashlib.sha256((tmp_path / "trap.pth").read_bytes()).hexdigest()
    monkeypatch.setattr(feature_networks, "_SHA256", digest)
    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        InceptionFeatures(tmp_path / "trap.pth")
    assert not (tmp_path / "sprung").exists()


def test_what_is_missing_is_named(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"there is no .*/none.pth: get github.com/toshas/torch-fidelity/.*6726825d"):
        InceptionFeatures(tmp_path / "none.pth")
    (tmp_path / "other.pth").write_bytes(b"other")
    with pytest.raises(ValueError, match=r"SHA-256 is 6726825d.*; that of .*/other.pth is d9298a10"):
        InceptionFeatures(tmp_path / "other.pth")
    monkeypatch.setitem(sys.modules, "torch_fidelity.feature_extractor_inceptionv3", None)
    with pytest.raises(ValueError, match="torch-fidelity, which is not installed: pip install torch-fidelity"):
        InceptionFeatures(tmp_path / "none.pth")


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(2, 2, 8, 8), r"of shape \(N, 1 or 3, H, W\); got \(2, 2, 8, 8\)"),
        (torch.zeros(3, 8, 8), r"got \(3, 8, 8\)"),
        (torch.full((1, 1, 2, 2), torch.nan), "images hold NaN"),
    ],
)
def test_bad_images_are_named(images, message):
    with pytest.raises(ValueError, match=message):
        rgb_bytes(images)
