"""``wgan-lip export``: files of a checkpoint's networks, and every kind of bad input."""

import shutil
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.support.commands import ABSOLUTE, CONFIGS, SMALL_ESTIMATOR, failure, fit, run
from wgan_lip.cli import export
from wgan_lip.cli.rebuild import load_module
from wgan_lip.lipschitz import GroupSort
from wgan_lip.training import SteppedModule

SMALL_CLASSIFIER = [
    "--data=wgan_lip.data.Digits",
    "--data.init_args.labels=true",
    "--model.init_args.network.init_args.input_shape=[1,8,8]",
    "--model.init_args.network.init_args.hidden=[16]",
    "--model.init_args.steps=3",
    "--certified_accuracy.every=3",
    "--wandb.mode=disabled",
    "--run=small",
]


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory) -> dict[str, Path]:
    """One of a GAN with an averaged generator and one of an estimator, away from their folders."""
    folder = tmp_path_factory.mktemp("exported")
    with pytest.MonkeyPatch.context() as patch:
        gan = fit(
            patch,
            folder,
            "--wandb.mode=disabled",
            "--model.init_args.generator_average=wgan_lip.training.ExponentialAverage",
            "--model.init_args.generator_average.init_args.decay=0.5",
        )
        run(patch, "fit", "-c", ABSOLUTE, *SMALL_ESTIMATOR, f"--runs_dir={folder}", "--run=w1", "--wandb.mode=disabled")
        run(
            patch,
            "fit",
            "-c",
            CONFIGS / "robust" / "fashion_mnist_linf.yaml",
            *SMALL_CLASSIFIER,
            f"--runs_dir={folder}",
        )
    made = {"gan": gan, "w1": folder / "absolute_value" / "w1", "classifier": folder / "fashion_mnist_linf" / "small"}
    return {
        name: Path(shutil.copy(path / "checkpoints" / "last.ckpt", folder / f"{name}.ckpt"))
        for name, path in made.items()
    }


def program(path: Path) -> nn.Module:
    return torch.export.load(path).module()


def test_a_gans_critic(monkeypatch, tmp_path, checkpoints, capsys):
    run(monkeypatch, "export", checkpoints["gan"], "-o", tmp_path / "critic.pt2")
    said = capsys.readouterr().out
    assert f"{tmp_path / 'critic.pt2'}: the critic after step 20" in said
    assert "for inputs of shape (N, 1, 8, 8)" in said
    assert "(1): Linear(in_features=64, out_features=16, bias=True)" in said
    assert "Read back, its outputs for 16 inputs differ from the checkpoint's by at most " in said
    x = torch.rand(5, 1, 8, 8)
    critic = load_module(checkpoints["gan"]).critic
    torch.testing.assert_close(program(tmp_path / "critic.pt2")(x), critic(x), atol=1e-5, rtol=1e-5)


def test_a_gans_generators(monkeypatch, tmp_path, checkpoints, capsys):
    for name, arguments in (("averaged", ()), ("raw", ("--raw",))):
        run(monkeypatch, "export", checkpoints["gan"], "-o", tmp_path / f"{name}.pt2", "--part=generator", *arguments)
    assert "the averaged generator after step 20" in capsys.readouterr().out
    gan = load_module(checkpoints["gan"])
    noise = torch.randn(5, gan.noise_dim)
    torch.testing.assert_close(program(tmp_path / "averaged.pt2")(noise), gan.averaged(noise), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(program(tmp_path / "raw.pt2")(noise), gan.generator(noise), atol=1e-5, rtol=1e-5)


def test_an_estimators_critic_of_relus_in_onnx(monkeypatch, tmp_path, checkpoints):
    import onnxruntime

    run(monkeypatch, "export", checkpoints["w1"], "-o", tmp_path / "critic.onnx", "--relu")
    session = onnxruntime.InferenceSession(tmp_path / "critic.onnx", providers=["CPUExecutionProvider"])
    estimator = load_module(checkpoints["w1"])
    x = torch.randn(5, *estimator.pair.shape)
    (outputs,) = session.run(["y"], {"x": x.numpy()})
    torch.testing.assert_close(torch.from_numpy(outputs), estimator.final_critic()(x), atol=1e-5, rtol=1e-5)


def test_weights_for_the_layers_that_are_printed(monkeypatch, tmp_path, checkpoints, capsys):
    run(monkeypatch, "export", checkpoints["gan"], "-o", tmp_path / "critic.pt")
    lines = capsys.readouterr().out.splitlines()
    kinds = [line.split(": ")[1].split("(")[0] for line in lines if line.startswith("  (")]
    layers = [nn.Flatten(), nn.Linear(64, 16), GroupSort(4)]
    for _ in range(3):
        layers += [nn.Linear(16, 16), GroupSort(4)]
    mine = nn.Sequential(*layers, nn.Linear(16, 1))
    assert [type(layer).__name__ for layer in mine] == kinds
    mine.load_state_dict(torch.load(tmp_path / "critic.pt", weights_only=True))
    x = torch.rand(5, 1, 8, 8)
    torch.testing.assert_close(mine(x), load_module(checkpoints["gan"]).critic(x), atol=1e-5, rtol=1e-5)


def test_a_classifiers_network(monkeypatch, tmp_path, checkpoints, capsys):
    run(monkeypatch, "export", checkpoints["classifier"], "-o", tmp_path / "logits.pt2", "--relu")
    said = capsys.readouterr().out
    assert "the network after step 3" in said
    assert "for inputs of shape (N, 1, 8, 8)" in said
    assert "GroupSort" not in said
    assert "MaxMin" not in said
    x = torch.rand(5, 1, 8, 8)
    classifier = load_module(checkpoints["classifier"])
    torch.testing.assert_close(program(tmp_path / "logits.pt2")(x), classifier.network(x), atol=1e-5, rtol=1e-5)


def test_a_network_that_does_not_say_what_it_takes(monkeypatch, tmp_path, checkpoints, capsys):
    def without_shape(path: Path, trust: bool = False) -> SteppedModule:
        module = load_module(path, trust)
        del module.network.input_shape
        return module

    monkeypatch.setattr(export, "load_module", without_shape)
    arguments = ("export", checkpoints["classifier"], "-o", tmp_path / "logits.pt")
    said = failure(capsys, monkeypatch, *arguments)
    assert "does not say which inputs its network takes: give --shape, as in 1,28,28" in said
    run(monkeypatch, *arguments, "--shape=1,8,8")
    assert (tmp_path / "logits.pt").exists()


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("gan", ["-o", "critic.h5"], "must end in one of .pt2, .onnx, .pt; got critic.h5"),
        ("gan", ["-o", "/nowhere/c.pt2"], "c.pt2 must lie in an existing folder; there is no /nowhere"),
        ("gan", [], "the following arguments are required: -o/--output"),
        ("gan", ["-o", "c.pt2", "--part", "both"], "invalid choice: 'both'"),
        ("w1", ["-o", "c.pt2", "--part", "generator"], "W1Estimator has no generator"),
        ("classifier", ["-o", "c.pt2", "--part", "critic"], "RobustClassifier has no critic"),
        ("gan", ["-o", "c.pt2", "--shape", "1,x"], "--shape must be sizes of at least 1 with commas between"),
        ("gan", ["-o", "c.pt2", "--shape", "3,8"], "critic does not take inputs of shape [3, 8]"),
    ],
)
def test_bad_arguments_are_named(monkeypatch, capsys, tmp_path, checkpoints, name, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert message in failure(capsys, monkeypatch, "export", checkpoints[name], *arguments)
    assert not list(tmp_path.glob("*.p*"))
