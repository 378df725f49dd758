"""Models and data that are built from a checkpoint alone: those of the run, and of nothing that is not trusted."""

import shutil
from pathlib import Path

import pytest
import torch
import yaml

from tests.support.commands import ABSOLUTE, CONFIGS, SMALL_ESTIMATOR, fit, run
from wgan_lip.cli.rebuild import load_config, load_data, load_module
from wgan_lip.cli.trusted import check_names
from wgan_lip.data import MNIST, Digits
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
    with pytest.raises(ValueError, match=r"w1\.ckpt contains a config without data"):
        load_data(checkpoints["w1"])


def changed(checkpoints, tmp_path, change, name: str = "w1") -> Path:
    """A checkpoint with another config."""
    content = torch.load(checkpoints[name], weights_only=True)
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
    with pytest.raises(ValueError, match=rf"names {name}, which is not of wgan_lip or torch: --trust"):
        load_module(path)


def harm() -> dict[str, object]:
    """What makes the file ``harm`` in the working folder, where it is built."""
    return {"class_path": "torch.hub.zipfile.ZipFile", "init_args": {"file": "harm", "mode": "w"}}


def critic(class_path: str, **arguments: object):
    def change(config) -> None:
        config["model"]["init_args"]["critic"] = {"class_path": class_path, "init_args": arguments}

    return change


def argument(name: str, value: object):
    def change(config) -> None:
        config["model"]["init_args"][name] = value

    return change


ATTACKS = {
    # By another module's import of it.
    "re-exported": argument("critic", "torch.os.system"),
    "re-exported by ours": argument("critic", "wgan_lip.comparison.slurm.subprocess.getoutput"),
    "in a package of ours": argument("critic", "wgan_lip.runs.run_folder.os.system"),
    # As the value of a parameter that takes anything.
    "untyped": critic("torch.nn.Linear", out_features=1, device=harm()),
    "untyped text": critic("torch.nn.Linear", out_features=1, device=yaml.safe_dump(harm())),
    "untyped text in a list": critic("torch.nn.Linear", out_features=[yaml.safe_dump(harm())]),
    "under a file's name": pair("wgan_lip.training.load_pair", real=yaml.safe_dump(harm()), fake="x.pt"),
    "dotted keys": lambda config: config["model"]["init_args"].update(
        {"critic.class_path": "ZipFile", "critic.init_args.file": "harm"}
    ),
    # By a name without a package, which is sought among all subclasses that are loaded.
    "bare": critic("InceptionFeatures", weights="x"),
    "functions": argument("critic", "torch.hub.load"),
    "unpickled": argument("critic", "torch.load"),
    "the command line": argument("critic", "wgan_lip.__main__.main"),
    "the command line's": argument("critic", "wgan_lip.cli.main"),
    "what writes": pair("wgan_lip.runs.MetricsCSV", path="harm"),
    "what writes, too": pair("wgan_lip.training.save_features", path="harm"),
    "torch's other modules": critic("torch.jit.ScriptModule"),
    "torch's other functions": critic("torch.nn.init.zeros_"),
    "a part in a file": argument("pair", "./pair.yaml"),
    "a part in a file, dotted": argument("pair", "pair.yaml"),
    "a part from standard input": argument("pair", "-"),
    "no such thing": critic("torch.nn.Nothing"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_else_is_built(checkpoints, tmp_path, monkeypatch, attack):
    monkeypatch.chdir(tmp_path)
    Path("pair.yaml").write_text(yaml.safe_dump(harm()))
    path = changed(checkpoints, tmp_path, ATTACKS[attack])
    with pytest.raises(ValueError, match=r"changed.ckpt names .*--trust builds it"):
        load_module(path)
    assert not Path("harm").exists()


def test_the_harm_would_be_done_if_it_were_trusted(checkpoints, tmp_path, monkeypatch):
    """That the attacks above are some."""
    monkeypatch.chdir(tmp_path)
    attack = critic("torch.nn.Linear", in_features=1, out_features=1, device=harm())
    path = changed(checkpoints, tmp_path, attack, "gan")
    with pytest.raises(ValueError, match=r"names torch\.hub\.zipfile\.ZipFile, which is not one of"):
        load_module(path)
    with pytest.raises(ValueError, match=r"must be torch.device, not ZipFile"):
        load_module(path, trust=True)
    assert Path("harm").exists()


@pytest.mark.parametrize(
    "change",
    [
        critic("wgan_lip.networks.MLPCritic", width=16),
        critic("wgan_lip.networks.mlp.MLPCritic", activation={"class_path": "torch.nn.ReLU"}, width=16),
        argument("optimizer", {"class_path": "torch.optim.Adam", "init_args": {"lr": 0.1}}),
        argument("optimizer", {"class_path": "wgan_lip.optim.StiefelAdam", "init_args": {"lr": 0.1}}),
    ],
)
def test_parts_of_every_kind_are_built(checkpoints, tmp_path, change):
    path = changed(checkpoints, tmp_path, change)
    check_names(load_config(path), str(path))


@pytest.mark.parametrize("config", sorted(CONFIGS.rglob("*.yaml")), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_all_that_the_shipped_configs_name_is_harmless(config, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    content = yaml.safe_load(config.read_text())
    for part in ("model", "data", "critics", "pairs", "estimator"):
        check_names(content.get(part), "it")


def test_a_stranger_s_config_downloads_nothing(tmp_path, monkeypatch):
    fetched = []
    monkeypatch.setattr(MNIST, "fetch", lambda self: fetched.append(self.folder))
    part = {"class_path": "wgan_lip.data.MNIST", "init_args": {"download": True, "labels": True, "data_dir": "none"}}
    few = {"class_path": "wgan_lip.data.FewPerClass", "init_args": {"data": part, "per_class": 2}}
    for data in (part, few):
        config = yaml.safe_dump({"model": {}, "data": data})
        torch.save({"wgan_lip": {"config": config}}, tmp_path / "x.ckpt")
        for trust in (False, True):
            with pytest.raises((ValueError, FileNotFoundError), match="MNIST was not found"):
                load_data(tmp_path / "x.ckpt", trust).size("heldout")
            assert fetched == [Path("none")] * trust
            fetched.clear()


def test_what_is_no_model_of_ours_is_named(checkpoints, tmp_path):
    path = changed(checkpoints, tmp_path, lambda config: config.pop("model"))
    with pytest.raises(ValueError, match=r"contains no config with a model: wgan-lip fit did not write it"):
        load_config(path)
