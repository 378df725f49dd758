"""FID and KID in a training, on a network with Inception's shape and weights drawn at random."""

import csv
from pathlib import Path

import pytest
import torch

from tests.networks.inception import save_untrained
from tests.training.builders import fit, tiny_gan, tiny_trainer
from wgan_lip.data import Digits
from wgan_lip.evaluation import compare_on_inception
from wgan_lip.networks import InceptionFeatures, LabelledGenerator, MLPCritic, MLPGenerator, feature_networks
from wgan_lip.quality import frechet_distance, kernel_distance
from wgan_lip.randomness import keyed_generator
from wgan_lip.training import FeatureQuality, WassersteinGAN


@pytest.fixture
def weights(tmp_path, monkeypatch) -> Path:
    path = tmp_path / "weights.pth"
    monkeypatch.setattr(feature_networks, "_SHA256", save_untrained(path))
    return path


class Means(torch.nn.Module):
    """Stands in for the network, which takes seconds: means of the images' quarters."""

    def __init__(self, weights: str):
        super().__init__()
        self.described = []

    def describe(self, images):
        self.described.append(tuple(images.shape))
        return torch.nn.functional.adaptive_avg_pool2d(images.double(), 2).flatten(1)


def on_inception(folder: Path) -> list[dict[str, float]]:
    with (folder / "metrics.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["inception/fid"]]
    return [{k: float(v) for k, v in row.items() if k.startswith("inception/")} for row in rows]


def test_both_distances_are_compared_with_their_standard_errors():
    real, fake = torch.randn(30, 5), torch.randn(20, 5) + 1
    scores, frechet, kernel = (
        compare_on_inception(real, fake),
        frechet_distance(real, fake),
        kernel_distance(real, fake),
    )
    assert (scores.fid, scores.fid_standard_error) == (frechet.value, frechet.standard_error)
    assert (scores.kid, scores.kid_standard_error) == (kernel.value, kernel.standard_error)


def test_fid_and_kid_are_logged_beside_what_real_images_score(tmp_path, monkeypatch):
    monkeypatch.setattr("wgan_lip.training.callbacks.feature_quality.InceptionFeatures", Means)
    quality = FeatureQuality(every=10, n=100, training_steps=2, inception="weights.pth")
    gan = fit(tmp_path, quality, gan=tiny_gan(generator_steps=20))
    logged = on_inception(tmp_path)
    plain = {"inception/fid", "inception/fid_standard_error", "inception/kid", "inception/kid_standard_error"}
    assert all(set(row) == plain | {f"{name}_floor" for name in plain} for row in logged)
    assert logged[0]["inception/fid"] > logged[0]["inception/fid_floor"] + 3 * logged[0]["inception/fid_standard_error"]
    # Real images are described once, generated ones at steps 0, 10 and 20.
    assert quality._inception.described == 5 * [(100, 1, 8, 8)]
    assert {row["inception/fid_floor"] for row in logged} == {logged[0]["inception/fid_floor"]}
    # The last is of the images that the last generator makes, and of those that are held out.
    stream = keyed_generator(0, "feature quality")
    data = Digits()
    real, fake = data.draw("heldout", 100, stream), gan.sample(gan.noise(100, "feature quality", 0))
    expected = compare_on_inception(Means("").describe(real), Means("").describe(fake))
    assert logged[2]["inception/fid"] == pytest.approx(expected.fid, rel=1e-6)
    assert logged[2]["inception/kid"] == pytest.approx(expected.kid, rel=1e-6)


def test_labels_are_no_part_of_the_images(tmp_path, monkeypatch):
    monkeypatch.setattr("wgan_lip.training.callbacks.feature_quality.InceptionFeatures", Means)

    def generator(shape, noise_dim):
        return MLPGenerator(shape, noise_dim, width=16, depth=1)

    gan = WassersteinGAN(
        MLPCritic((11, 8, 8), width=16, depth=2),
        LabelledGenerator((1, 8, 8), 10, 8, generator),
        generator_steps=1,
    )
    quality = FeatureQuality(n=12, training_steps=2, inception="weights.pth")
    trainer = tiny_trainer(tmp_path, callbacks=[quality])
    trainer.fit(gan, datamodule=Digits(labels=True, batch_size=100))
    assert quality._inception.described == 4 * [(12, 1, 8, 8)]


@pytest.mark.slow
def test_a_training_with_the_network_itself(tmp_path, weights):
    quality = FeatureQuality(n=12, training_steps=2, inception=str(weights))
    gan = fit(tmp_path, quality, gan=tiny_gan(generator_steps=2))
    logged = on_inception(tmp_path)
    assert len(logged) == 2
    stream = keyed_generator(0, "feature quality")
    real, fake = Digits().draw("heldout", 12, stream), gan.sample(gan.noise(12, "feature quality", 0))
    network = InceptionFeatures(weights)
    expected = compare_on_inception(network.describe(real), network.describe(fake))
    assert logged[1]["inception/fid"] == pytest.approx(expected.fid, rel=1e-6)
    assert logged[1]["inception/kid"] == pytest.approx(expected.kid, rel=1e-6)


def test_bad_input_is_named_before_anything_is_trained(tmp_path):
    with pytest.raises(ValueError, match=r"inception requires n, .*; got inception=w.pth, n=0"):
        FeatureQuality(inception="w.pth")
    with pytest.raises(ValueError, match=r"inception must be the file of Inception's weights; there is no .*/w.pth"):
        fit(tmp_path, FeatureQuality(n=12, inception=str(tmp_path / "w.pth")))
    assert not (tmp_path / "features.pt").exists()
