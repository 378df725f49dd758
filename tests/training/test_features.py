"""Features that are trained on the spot, and the scores that are made of them."""

import csv

import pytest
import torch

from tests.training.builders import fit, tiny_gan
from wgan_lip.data import Digits, TensorSamples
from wgan_lip.data.module import SampleDataModule
from wgan_lip.evaluation import compare_features
from wgan_lip.networks import FeatureNetwork
from wgan_lip.randomness import keyed_generator
from wgan_lip.training import (
    ExponentialAverage,
    FeatureQuality,
    describe,
    load_features,
    save_features,
    train_features,
)
from wgan_lip.training.callbacks.feature_quality import turned


@pytest.fixture(scope="module")
def network() -> FeatureNetwork:
    return train_features(Digits(), steps=300)


def test_it_learns_to_tell_turns_of_images_it_never_saw(network):
    images = Digits().split("heldout").samples
    turns = torch.randint(4, (len(images),), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        right = network.rotations(turned(images, turns)).argmax(1) == turns
    # Digits like 0, 1 and 8 look alike when turned by half; chance is a quarter.
    assert float(right.float().mean()) > 0.7


def test_turned_is_a_quarter_turn_each():
    x = torch.randn(4, 2, 3, 3)
    result = turned(x, torch.arange(4))
    for k in range(4):
        assert torch.equal(result[k], torch.rot90(x[k], k, (1, 2)))


def test_scores_grow_worse_with_the_images(network):
    data = Digits()
    real, other = data.draw("heldout", 500, torch.Generator()), data.draw("train", 500, torch.Generator())
    noise = torch.randn(other.shape, generator=torch.Generator().manual_seed(0))
    flat = data.split("train").samples.flatten(1)
    gaussian = torch.distributions.MultivariateNormal(flat.mean(0), torch.cov(flat.T) + 1e-4 * torch.eye(64))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        imitation = gaussian.sample((500,)).view(other.shape).clamp(-1, 1)
    scores = [
        compare_features(describe(network, real), describe(network, images), keyed_generator("directions"))
        for images in (other, (other + 0.3 * noise).clamp(-1, 1), imitation)
    ]
    for name in ("kernel_distance", "w1", "sliced_w1"):
        values = [getattr(s, name) for s in scores]
        assert values == sorted(values), name
    assert scores[0].coverage > scores[2].coverage
    assert abs(scores[0].kernel_distance) < 5 * scores[0].kernel_distance_standard_error
    assert scores[2].kernel_distance > 5 * scores[2].kernel_distance_standard_error


def test_features_depend_on_the_seed_and_nothing_else():
    torch.manual_seed(1)
    first = train_features(Digits(), steps=3)
    torch.manual_seed(2)
    before = torch.get_rng_state()
    second = train_features(Digits(batch_size=7, seed=5), steps=3)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(
        torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    )
    other = train_features(Digits(), steps=3, seed=1)
    assert not torch.equal(first.body[0].weight, other.body[0].weight)


def test_they_are_kept_and_read_back(tmp_path, network):
    save_features(network, tmp_path / "f.pt")
    images = Digits().split("heldout").samples
    assert torch.equal(describe(load_features(tmp_path / "f.pt"), images), describe(network, images))
    torch.save({"a": 1}, tmp_path / "bad.pt")
    with pytest.raises(ValueError, match="holds no feature network of wgan-lip"):
        load_features(tmp_path / "bad.pt")
    with pytest.raises(FileNotFoundError):
        load_features(tmp_path / "none.pt")


def features_logged(folder) -> list[dict[str, float]]:
    with (folder / "metrics.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["features/w1"]]
    return [{k: float(v) for k, v in row.items() if k.startswith("features/")} for row in rows]


def test_scores_are_logged_beside_what_real_images_score(tmp_path):
    quality = FeatureQuality(every=10, n=100, training_steps=20)
    gan = tiny_gan(generator_steps=20, generator_average=ExponentialAverage(0.9))
    fit(tmp_path, quality, gan=gan)
    logged = features_logged(tmp_path)
    assert len(logged) == 3
    for row in logged:
        names = {name.removeprefix("features/") for name in row}
        plain = {name for name in names if not name.endswith("_floor")}
        # Promise three: each has its floor, and what is a mean its standard error.
        assert {f"{name}_floor" for name in plain} == names - plain
        assert {"kernel_distance", "precision", "recall", "density", "coverage", "w1", "sliced_w1"} < plain
        assert row["features/w1"] > row["features/w1_floor"]
    # The features are those of the file, which a second run takes as they are.
    kept = (tmp_path / "features.pt").read_bytes()
    fit(tmp_path, FeatureQuality(every=10, n=100, training_steps=1), gan=tiny_gan(generator_steps=2))
    assert (tmp_path / "features.pt").read_bytes() == kept
    fit(
        tmp_path / "named",
        FeatureQuality(n=100, features=str(tmp_path / "features.pt")),
        gan=tiny_gan(generator_steps=1),
    )
    assert not (tmp_path / "named" / "features.pt").exists()


def test_what_real_images_score_is_the_same_throughout(tmp_path):
    fit(tmp_path, FeatureQuality(every=10, n=50, training_steps=5), gan=tiny_gan(generator_steps=20))
    logged = features_logged(tmp_path)
    floors = [{name: value for name, value in row.items() if name.endswith("_floor")} for row in logged]
    assert floors[0] == floors[1] == floors[2]
    assert logged[0]["features/w1"] != logged[2]["features/w1"]


def test_a_small_training_split_suffices():
    data = Digits(batch_size=10)
    data.setup()
    data._splits["train"] = TensorSamples(data.split("train").samples[:40])
    assert train_features(data, steps=2).features == 64


def test_without_n_nothing_is_done(tmp_path):
    fit(tmp_path, FeatureQuality(), gan=tiny_gan(generator_steps=1))
    assert not (tmp_path / "features.pt").exists()
    assert "features/w1" not in (tmp_path / "metrics.csv").read_text()


class Points(SampleDataModule):
    """No images."""

    sample_shape = (3,)

    def load(self):
        return {name: TensorSamples(torch.randn(50, 3)) for name in ("train", "heldout")}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FeatureQuality(n=11), "n must be 0 or at least 12; got n=11"),
        (lambda: FeatureQuality(training_steps=0), "training_steps must be at least 1; got training_steps=0"),
        (lambda: train_features(Digits(), steps=0), "got steps=0, batch_size=128"),
        (lambda: train_features(Points()), r"Points's samples must be images of shape \(C, H, W\); got shape \(3,\)"),
        (lambda: FeatureNetwork((1, 8, 9)), r"must be square, so that images can be turned; got \[1, 8, 9\]"),
        (lambda: FeatureNetwork((1, 8, 8), 0), "features must be at least 1; got features=0"),
    ],
)
def test_bad_input_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_too_few_samples_and_features_of_other_images_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"feature_quality\.n must be at most 597, the samples of Digits's held"):
        fit(tmp_path, FeatureQuality(n=598))
    save_features(FeatureNetwork((3, 8, 8)), tmp_path / "f.pt")
    with pytest.raises(ValueError, match=r"are for images of shape \(3, 8, 8\); Digits's are \(1, 8, 8\)"):
        fit(tmp_path, FeatureQuality(n=20, features=str(tmp_path / "f.pt")))
