"""Every GAN of the family on every data module, and the exact resume of each."""

from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch

from tests.data.made import MADE
from tests.training.builders import tiny_trainer
from tests.training.family import FAMILY, member_gan
from tests.training.test_resume import CutOff, CutOffError, rows, same_state
from wgan_lip.data import Digits, SampleDataModule
from wgan_lip.data.images import ImageDataModule
from wgan_lip.networks import DCGANGenerator, LabelledGenerator, MLPGenerator, ResidualCritic, ResidualGenerator
from wgan_lip.report import read_history, w1_figure, w1_table
from wgan_lip.runs import SaveCheckpoint
from wgan_lip.training import ExactW1, SampleGrid, WassersteinGAN


def made(name: str, folder: Path, **arguments) -> ImageDataModule:
    (folder / "data").mkdir()
    return MADE[name](folder / "data", **arguments)


def train(folder: Path, gan: WassersteinGAN, data: SampleDataModule, *extra: pl.Callback, **options) -> WassersteinGAN:
    folder.mkdir(parents=True, exist_ok=True)
    callbacks = [*extra, ExactW1(every=1, n=20), SampleGrid(every=2, n=4, interpolations=1), SaveCheckpoint(every=1)]
    ckpt_path = options.pop("ckpt_path", None)
    tiny_trainer(folder, callbacks=callbacks, **options).fit(gan, datamodule=data, ckpt_path=ckpt_path)
    return gan


@pytest.mark.parametrize("data", MADE)
@pytest.mark.parametrize("member", FAMILY)
def test_two_steps_of_every_gan_on_every_data_module(member, data, tmp_path):
    module = made(data, tmp_path)
    gan = train(tmp_path / "run", member_gan(member, module.sample_shape), module)
    assert (gan.critic_step, gan.generator_step) == (4, 2)
    history = read_history(tmp_path / "run" / "metrics.csv").having("w1/seconds")
    assert [row.step for row in history] == [0, 1, 2]
    for row in history:
        assert 0 < row["w1/exact"] < row["w1/population_upper"]
        assert row["w1_averaged/exact"] > 0
        # Only what is proven is called w1/critic; whatever is called so is proven.
        assert row["w1/critic"] is not None
        assert row["w1/critic"] <= row["w1/exact"]
        assert (row["w1/uncertified"] is None) == (row["lipschitz/certified"] <= 1.01)
        assert row["lipschitz/certified"] <= 1.01 or not FAMILY[member].is_proven
    w1_figure(history)
    w1_table(history)
    kinds = {path.name.rsplit("-", 1)[0] for path in (tmp_path / "run" / "samples").glob("*-*.png")}
    assert kinds == {"averaged", "interpolations", "neighbours"}


@pytest.mark.parametrize("data", ["Digits", "FashionMNIST", "CIFAR10", "ImageFolder"])
def test_labels_beside_the_pixels(data, tmp_path):
    module = made(data, tmp_path, labels=True)
    classes = len(module.classes)
    gan = train(tmp_path / "run", member_gan("Lipschitz WGAN", module.sample_shape, classes), module)
    fake = gan.sample(gan.noise(50, "labels"))
    assert fake.shape[1:] == module.sample_shape
    real = module.draw("heldout", 20, torch.Generator())
    # Both hold one constant plane, of the same value.
    for samples in (fake, real):
        planes = samples[:, module.image_channels :]
        assert torch.equal(planes.flatten(2).amax(2), planes.flatten(2).amin(2))
        assert torch.equal((planes > 0).float().amax((2, 3)).sum(1), torch.ones(len(samples)))
    assert float(fake[:, module.image_channels :].max()) == pytest.approx(float(real[:, module.image_channels :].max()))
    last = read_history(tmp_path / "run" / "metrics.csv").having("w1/seconds")[-1]
    assert last["w1/critic"] <= last["w1/exact"] <= last["w1/population_upper"]


@pytest.mark.parametrize("member", FAMILY)
@pytest.mark.parametrize("critic_step", [3, 6])
def test_resume_is_exact_for_every_gan_and_its_average(member, critic_step, tmp_path):
    def gan(seed: int = 0) -> WassersteinGAN:
        return member_gan(member, (1, 8, 8), generator_steps=4, seed=seed)

    expected = train(tmp_path / "whole", gan(), Digits(batch_size=100))
    with pytest.raises(CutOffError):
        train(tmp_path / "cut", gan(), Digits(batch_size=100), CutOff(critic_step))
    fresh = gan()
    for parameter in fresh.parameters():
        torch.nn.init.zeros_(parameter)
    torch.manual_seed(99)
    last = tmp_path / "cut" / "checkpoints" / "last.ckpt"
    resumed = train(tmp_path / "cut", fresh, Digits(batch_size=100), ckpt_path=last)
    assert same_state(resumed.state_dict(), expected.state_dict())
    assert any(name.startswith("averaged.") and "running_mean" in name for name in resumed.state_dict())
    for ours, theirs in zip(resumed.trainer.optimizers, expected.trainer.optimizers, strict=True):
        assert same_state(ours.state_dict(), theirs.state_dict())

    def values(folder: Path) -> list[dict[str, str]]:
        return [{k: v for k, v in row.items() if "seconds" not in k} for row in rows(folder)]

    assert values(tmp_path / "cut") == values(tmp_path / "whole")


def test_a_residual_pair_trains_too(tmp_path):
    torch.manual_seed(0)
    gan = WassersteinGAN(
        ResidualCritic((1, 8, 8), 4), ResidualGenerator((1, 8, 8), 6, 4), n_critic=1, generator_steps=2
    )
    train(tmp_path, gan, Digits(batch_size=20))
    for row in read_history(tmp_path / "metrics.csv").having("w1/seconds"):
        assert row["lipschitz/certified"] < 1.001
        assert row["w1/critic"] <= row["w1/exact"]


def test_a_labelled_generator_gives_the_label_it_is_asked_for():
    generator = LabelledGenerator((1, 8, 8), 3, 5, lambda shape, n: MLPGenerator(shape, n, 8, 1), label_distance=2.0)
    labels = torch.tensor([0, 2, 1, 1])
    noise = torch.cat((torch.randn(4, 5), torch.nn.functional.one_hot(labels, 3)), 1)
    samples = generator(noise)
    assert samples.shape == (4, 4, 8, 8)
    assert torch.equal(samples[:, 1:].amax((2, 3)).argmax(1), labels)
    torch.testing.assert_close((samples[0, 1:] - samples[1, 1:]).norm(), torch.tensor(2.0))
    assert generator.bounds == (-1.0, 1.0)
    assert not torch.equal(samples[2, 0], samples[3, 0])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LabelledGenerator((1, 8, 8), 0), "classes must be at least 1; got classes=0"),
        (lambda: LabelledGenerator((8, 8)), r"image_shape must be \[channels, height, width\]"),
        (
            lambda: LabelledGenerator((1, 8, 8), label_distance=0.0),
            "distance must be positive and finite; got distance=0",
        ),
        (lambda: DCGANGenerator((1, 7, 7)), r"needs even sides of at least 8 pixels; got \[1, 7, 7\]"),
        (lambda: DCGANGenerator((1, 8, 8), noise_dim=0), "noise_dim must be at least 1"),
        (lambda: ResidualGenerator((1, 8, 8), width=0), "width must be at least 1; got width=0"),
    ],
)
def test_bad_input_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
