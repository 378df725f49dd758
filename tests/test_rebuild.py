"""Models and data that are built from a checkpoint alone: those of the run, and of nothing that is not trusted."""

import shutil
from pathlib import Path

import pytest
import torch
import yaml

from tests.cli import ABSOLUTE, SMALL_ESTIMATOR, fit, run
from wgan_lip.cli.rebuild import load_config, load_data, load_module
from wgan_lip.data import Digits
from wgan_lip.training import W1Estimator, WassersteinGAN


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory) -> dict[str, Path]:
    """One of a GAN and one of an estimator, away from their folders."""
    folder = tmp_path_factory.mktemp("rebuilt")
    with pytest.MonkeyPatch.context() as patch:
        gan = fit(patch, folder, "--wandb.mode=disabled")
        run(patch, "fit", "-c", ABSOLUTE, *SMALL_ESTIMATOR, f"--runs_dir={folder}", "--run=w1", "--wandb.mode=disabled")
    made = {"gan": gan, "w1": folder / "absolute_value" / "w1"}
    return {
        name: Path(shutil.copy(path / "checkpoints" / "last.ckpt", folder / f"{name}.ckpt"))
        for name, path in made.items()
    }


@pytest.mark.parametrize(
    ("name", "kind", "counters"),
    [
        ("gan", WassersteinGAN, {"generator_step": 20, "critic_step": 60}),
        ("w1", W1Estimator, {"critic_step": 20}),
    ],
)
def test_a_module_is_that_of_the_run(checkpoints, name, kind, counters):
    module = load_module(checkpoints[name])
    assert isinstance(module, kind)
    assert not module.training
    assert {name: getattr(module, name) for name in counters} == counters
    state = torch.load(checkpoints[name], weights_only=True)["state_dict"]
    assert all(torch.equal(value, state[key]) for key, value in module.state_dict().items())


def test_data_are_those_of_the_config(checkpoints):
    data = load_data(checkpoints["gan"])
    assert isinstance(data, Digits)
    assert data.batch_size == load_config(checkpoints["gan"])["data"]["init_args"]["batch_size"] == 64
    with pytest.raises(ValueError, match=r"w1\.ckpt holds no config of data"):
        load_data(checkpoints["w1"])


def changed(checkpoints, tmp_path, change) -> Path:
    """The estimator's checkpoint with another config."""
    content = torch.load(checkpoints["w1"], weights_only=True)
    config = yaml.safe_load(content["wgan_lip"]["config"])
    change(config)
    content["wgan_lip"]["config"] = yaml.safe_dump(config)
    torch.save(content, tmp_path / "changed.ckpt")
    return tmp_path / "changed.ckpt"


def pair(class_path: str, **arguments: object):
    def change(config) -> None:
        config["model"]["init_args"]["pair"] = {"class_path": class_path, "init_args": arguments}

    return change


def test_names_of_files_are_no_classes(checkpoints, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("real", "fake"):
        torch.save(torch.randn(8, 1), tmp_path / f"{name}.pt")
    path = changed(checkpoints, tmp_path, pair("wgan_lip.training.load_pair", real="real.pt", fake="fake.pt"))
    module = load_module(path)
    assert isinstance(module, W1Estimator)
    assert module.pair.shape == (1,)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (pair("os.system", real="real.pt"), "os.system"),
        # What names a file is an argument of a class of ours, and a string.
        (pair("torch.nn.Linear", real="os.system"), "os.system"),
        (pair("wgan_lip.training.load_pair", real={"class_path": "os.system"}), "os.system"),
        (pair("wgan_lip.training.load_pair", other="os.system"), "os.system"),
    ],
)
def test_classes_of_other_packages_are_refused(checkpoints, tmp_path, change, name):
    path = changed(checkpoints, tmp_path, change)
    with pytest.raises(ValueError, match=rf"names the class {name}, which is not of wgan_lip or torch: --trust"):
        load_module(path)


def test_what_is_no_model_of_ours_is_named(checkpoints, tmp_path):
    path = changed(checkpoints, tmp_path, lambda config: config.pop("model"))
    with pytest.raises(ValueError, match=r"holds no config of a model: it was not written by wgan-lip fit"):
        load_config(path)
